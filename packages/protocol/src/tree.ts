/** Change of one file. `content: null` deletes it. Paths are repository-relative with forward slashes. */
export interface FileEdit {
  readonly path: string;
  readonly content: Uint8Array | null;
  /** Git file mode of the new content: plain, executable, or symbolic link (content is its target). */
  readonly mode: '100644' | '100755' | '120000';
}

/** A read-only tree of files: a commit, a directory, or a commit with edits laid over it. */
export interface Tree {
  /** Every file path, sorted by code unit. Symbolic links and submodules are left out. */
  list(): Promise<readonly string[]>;
  /** Content, or null where there is no such file. */
  read(path: string): Promise<Uint8Array | null>;
  /** Bytes of the content, or null where there is no such file. A tree that would have to read it leaves this out. */
  size?(path: string): Promise<number | null>;
  /**
   * An id that equal contents share and no others (git's blob id), or null where there is no such file. A tree that would
   * have to read the content for it leaves this out.
   */
  id?(path: string): Promise<string | null>;
  /** Git file mode, or null where there is no such file. A tree that knows no modes leaves this out: files count as plain. */
  mode?(path: string): Promise<'100644' | '100755' | null>;
}
