import { isUtf8 } from 'node:buffer';
import { type GitOptions, git } from './git.ts';

/** Modes of tree entries: file, executable, symbolic link, submodule. */
export type EntryMode = '100644' | '100755' | '120000' | '160000';

export interface TreeEntry {
  readonly mode: EntryMode;
  /** Object id: of a blob, or of a submodule's commit. */
  readonly id: string;
  /** The path's bytes: git does not ask for UTF-8. */
  readonly rawPath: Buffer;
  /** The path as text, or null where its bytes are not UTF-8. */
  readonly path: string | null;
}

/** Every file, link and submodule of a commit's tree, in git's order. */
export async function treeEntries(commit: string, options: GitOptions): Promise<TreeEntry[]> {
  const { stdout } = await git(['ls-tree', '-r', '-z', '--full-tree', commit], options);
  return parseTreeEntries(stdout);
}

/** Parses `mode SP type SP id TAB path NUL`. */
export function parseTreeEntries(output: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf(0, at);
    const tab = output.indexOf(9, at);
    const [mode = '', , id = ''] = output.toString('latin1', at, tab).split(' ');
    const rawPath = output.subarray(tab + 1, end);
    entries.push({ mode: entryMode(mode), id, rawPath, path: isUtf8(rawPath) ? rawPath.toString('utf8') : null });
    at = end + 1;
  }
  return entries;
}

function entryMode(mode: string): EntryMode {
  if (mode === '100755' || mode === '120000' || mode === '160000') return mode;
  // 100664 and the like occur in old histories; git treats them as plain files.
  return '100644';
}

export function isFile(entry: TreeEntry): boolean {
  return entry.mode === '100644' || entry.mode === '100755';
}
