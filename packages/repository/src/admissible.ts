import type { FileEdit } from './changes.ts';
import { linkRefusal, pathRefusal } from './paths.ts';
import type { EntryMode, TreeEntry } from './tree.ts';

export interface RefusedEdit {
  readonly path: string;
  readonly why: string;
}

/**
 * Sorts edits into those that may change the base and those that may not. Refused are paths as in `pathRefusal`, links
 * as in `linkRefusal`, submodules, a change between file and link, and a path whose place is taken: below a file or a
 * link that stays, or where a folder stays. A file that exists keeps its mode, so that an edit that changes nothing
 * else changes nothing at all. Of several edits of one path the last counts.
 */
export function admissible(
  edits: readonly FileEdit[],
  base: readonly TreeEntry[],
): { accepted: FileEdit[]; refused: RefusedEdit[] } {
  const accepted: FileEdit[] = [];
  const refused: RefusedEdit[] = [];
  const modes = new Map(base.flatMap(({ path, mode }) => (path === null ? [] : [[path, mode] as const])));
  const last = new Map(edits.map((edit) => [edit.path, edit]));
  const judge = (edit: FileEdit, place: Places | null) => {
    const before = modes.get(edit.path);
    const why = refusal(edit, before) ?? (before === undefined ? (place?.taken(edit.path) ?? null) : null);
    if (why !== null) refused.push({ path: edit.path, why });
    else if (before === undefined && edit.content === null) return;
    else accepted.push({ ...edit, mode: before === undefined || before === '160000' ? edit.mode : before });
  };
  // Deletions first: they make room.
  for (const edit of last.values()) if (edit.content === null) judge(edit, null);
  const deleted = new Set(accepted.map(({ path }) => path));
  const places = new Places([...modes.keys()].filter((path) => !deleted.has(path)));
  for (const edit of last.values()) {
    if (edit.content === null) continue;
    const known = accepted.length;
    judge(edit, places);
    if (accepted.length > known) places.add(edit.path);
  }
  return { accepted, refused };
}

function refusal(edit: FileEdit, before: EntryMode | undefined): string | null {
  const name = pathRefusal(edit.path);
  if (name !== null) return name;
  if (before === '160000') return 'it is a submodule';
  if (edit.content === null) return null;
  const isLink = edit.mode === '120000';
  if (before !== undefined && (before === '120000') !== isLink) {
    return before === '120000'
      ? 'it is a symbolic link and would become a file'
      : 'it is a file and would become a symbolic link';
  }
  return isLink ? linkRefusal(edit.path, Buffer.from(edit.content).toString('utf8')) : null;
}

/** Which paths are files, and which are folders because of the files below them. */
class Places {
  readonly #files = new Set<string>();
  /** A folder and one of the files below it. */
  readonly #folders = new Map<string, string>();

  constructor(files: Iterable<string>) {
    for (const file of files) this.add(file);
  }

  add(file: string): void {
    this.#files.add(file);
    for (const folder of foldersOf(file)) if (!this.#folders.has(folder)) this.#folders.set(folder, file);
  }

  /** Why there is no room for a file here, or null. */
  taken(path: string): string | null {
    const below = this.#folders.get(path);
    if (below !== undefined) return `it is a folder that holds ${below}`;
    const above = foldersOf(path).find((folder) => this.#files.has(folder));
    return above === undefined ? null : `${above} is a file or a link, not a folder`;
  }
}

function foldersOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'));
}
