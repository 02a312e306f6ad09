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
  return (await changesBetween(from, to, options)).entries;
}

/** What differs between two trees, and how much: a binary file counts as a file without lines. */
export async function changesBetween(
  from: string,
  to: string,
  options: GitOptions,
): Promise<{ entries: ChangedEntry[]; size: DiffSize }> {
  const format = ['--raw', '--numstat', '--no-renames', '--no-abbrev'];
  const { stdout } = await git(['diff-tree', '-r', '-z', ...format, from, to], options);
  const fields = nulFields(stdout);
  const entries: ChangedEntry[] = [];
  const size = { files: 0, added: 0, deleted: 0 };
  for (let i = 0; i < fields.length; i += 1) {
    const field = fields[i] ?? '';
    if (field.startsWith(':')) {
      const [modeBefore = '', modeAfter = '', idBefore = '', idAfter = ''] = field.slice(1).split(' ');
      i += 1;
      entries.push({ path: fields[i] ?? '', before: side(modeBefore, idBefore), after: side(modeAfter, idAfter) });
    } else {
      const [added = '', deleted = ''] = field.split('\t');
      size.files += 1;
      size.added += added === '-' ? 0 : Number(added);
      size.deleted += deleted === '-' ? 0 : Number(deleted);
    }
  }
  return { entries, size };
}

function side(mode: string, id: string): ChangedEntry['before'] {
  if (mode === '000000') return null;
  return { mode: mode === '100755' || mode === '120000' || mode === '160000' ? mode : '100644', id };
}

/** The edits that make these changes. Submodules are left out. */
export async function editsOf(entries: readonly ChangedEntry[], reader: ObjectReader): Promise<FileEdit[]> {
  const edits = entries.map(async ({ path, before, after }): Promise<FileEdit | null> => {
    if (after === null) {
      return before === null || before.mode === '160000' ? null : { path, content: null, mode: before.mode };
    }
    if (after.mode === '160000') return null;
    return { path, content: await reader.read(after.id), mode: after.mode };
  });
  return (await Promise.all(edits)).filter((edit) => edit !== null);
}
