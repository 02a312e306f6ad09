import { type GitOptions, git, nulFields } from './git.ts';
import type { ObjectReader } from './objects.ts';
import type { EntryMode } from './tree.ts';

/** Change of one file; `content: null` deletes it. Paths are repository-relative with forward slashes. */
export interface FileEdit {
  readonly path: string;
  readonly content: Uint8Array | null;
  readonly mode: '100644' | '100755' | '120000';
}

export interface DiffSize {
  readonly files: number;
  readonly added: number;
  readonly deleted: number;
}

/** One changed entry between two trees. A mode or id of null: not there on that side. */
export interface ChangedEntry {
  readonly path: string;
  readonly before: { readonly mode: EntryMode; readonly id: string } | null;
  readonly after: { readonly mode: EntryMode; readonly id: string } | null;
}

export async function changedEntries(from: string, to: string, options: GitOptions): Promise<ChangedEntry[]> {
  const { stdout } = await git(['diff-tree', '-r', '-z', '--raw', '--no-renames', '--no-abbrev', from, to], options);
  const fields = nulFields(stdout);
  const changed: ChangedEntry[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [modeBefore = '', modeAfter = '', idBefore = '', idAfter = ''] = (fields[i] ?? '').slice(1).split(' ');
    changed.push({ path: fields[i + 1] ?? '', before: side(modeBefore, idBefore), after: side(modeAfter, idAfter) });
  }
  return changed;
}

function side(mode: string, id: string): ChangedEntry['before'] {
  if (mode === '000000') return null;
  return { mode: mode === '100755' || mode === '120000' || mode === '160000' ? mode : '100644', id };
}

/** The edits that turn one commit's tree into another's. Submodules are left out. */
export async function editsBetween(
  from: string,
  to: string,
  reader: ObjectReader,
  options: GitOptions,
): Promise<FileEdit[]> {
  const changed = await changedEntries(from, to, options);
  const edits = changed.map(async ({ path, before, after }): Promise<FileEdit | null> => {
    if (after === null) {
      return before === null || before.mode === '160000' ? null : { path, content: null, mode: before.mode };
    }
    if (after.mode === '160000') return null;
    return { path, content: await reader.read(after.id), mode: after.mode };
  });
  return (await Promise.all(edits)).filter((edit) => edit !== null);
}

/** Size of a change: a binary file counts as a file without lines. */
export async function diffSize(from: string, to: string, options: GitOptions): Promise<DiffSize> {
  const { stdout } = await git(['diff-tree', '-r', '-z', '--numstat', '--no-renames', from, to], options);
  const size = { files: 0, added: 0, deleted: 0 };
  for (const field of nulFields(stdout)) {
    const [added = '', deleted = ''] = field.split('\t');
    size.files += 1;
    size.added += added === '-' ? 0 : Number(added);
    size.deleted += deleted === '-' ? 0 : Number(deleted);
  }
  return size;
}
