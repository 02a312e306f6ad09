import type { GitOptions } from './git.ts';
import type { ObjectReader } from './objects.ts';
import { isFile, treeEntries } from './tree.ts';

/** A read-only tree of files; same shape as the protocol's. */
export interface Tree {
  /** Every file path, sorted by code unit. Symbolic links, submodules and paths that are not UTF-8 are left out. */
  list(): Promise<readonly string[]>;
  /** Content as git stores it (no filters, no change of line ends), or null where there is no such file. */
  read(path: string): Promise<Uint8Array | null>;
  /** Id of the blob, or null where there is no such file. */
  id(path: string): Promise<string | null>;
  /** Git file mode, or null where there is no such file. */
  mode(path: string): Promise<'100644' | '100755' | null>;
}

/** The files of a commit; the tree is read once, on first use, contents when asked for. */
export function treeAt(commit: string, reader: ObjectReader, options: GitOptions): Tree {
  let listing: Promise<Map<string, FileEntry>> | undefined;
  const files = () => {
    listing ??= fileEntries(commit, options);
    return listing;
  };
  return {
    list: async () => [...(await files()).keys()].sort(),
    read: async (path) => {
      const file = (await files()).get(path);
      return file === undefined ? null : reader.read(file.id);
    },
    id: async (path) => (await files()).get(path)?.id ?? null,
    mode: async (path) => (await files()).get(path)?.mode ?? null,
  };
}

interface FileEntry {
  readonly id: string;
  readonly mode: '100644' | '100755';
}

async function fileEntries(commit: string, options: GitOptions): Promise<Map<string, FileEntry>> {
  const files = new Map<string, FileEntry>();
  for (const entry of await treeEntries(commit, options)) {
    const mode = entry.mode === '100755' ? entry.mode : '100644';
    if (entry.path !== null && isFile(entry)) files.set(entry.path, { id: entry.id, mode });
  }
  return files;
}
