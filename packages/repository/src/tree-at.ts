import type { GitOptions } from './git.ts';
import type { ObjectReader } from './objects.ts';
import { isFile, treeEntries } from './tree.ts';

/** A read-only tree of files; same shape as the protocol's. */
export interface Tree {
  /** Every file path, sorted by code unit. Symbolic links, submodules and paths that are not UTF-8 are left out. */
  list(): Promise<readonly string[]>;
  /** Content as git stores it (no filters, no change of line ends), or null where there is no such file. */
  read(path: string): Promise<Uint8Array | null>;
}

/** The files of a commit; the tree is read once, on first use, contents when asked for. */
export function treeAt(commit: string, reader: ObjectReader, options: GitOptions): Tree {
  let listing: Promise<Map<string, string>> | undefined;
  const ids = () => {
    listing ??= fileIds(commit, options);
    return listing;
  };
  return {
    list: async () => [...(await ids()).keys()].sort(),
    read: async (path) => {
      const id = (await ids()).get(path);
      return id === undefined ? null : reader.read(id);
    },
  };
}

async function fileIds(commit: string, options: GitOptions): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const entry of await treeEntries(commit, options)) {
    if (entry.path !== null && isFile(entry)) ids.set(entry.path, entry.id);
  }
  return ids;
}
