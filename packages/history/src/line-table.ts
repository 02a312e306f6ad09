import type { FileChange } from './patch-stream.ts';

/** A file at a commit: its content's id and, for each line, the number of the line's record. Never changed in place. */
export interface FileState {
  readonly blob: string;
  /** Null where lines could not be followed: binary, or lost. */
  readonly lines: Int32Array | null;
  /** Git's diff did not fit what was known, and that was counted. Left out: false. */
  readonly lost?: boolean;
}

/** Files of one commit by path. */
export type TreeState = Map<string, FileState>;

/** What a change did to line records, in the order of the new file. */
export interface AppliedHunk {
  /** Records of the lines taken out. */
  readonly removed: readonly number[];
  /** Records of the lines put in: a run of consecutive numbers. */
  readonly firstAdded: number;
}

const START_CAPACITY = 1 << 16;

/**
 * One record a line ever written: when it came, when it went, and what it carries on. Records are numbers; their fields
 * are columns, 22 bytes a line, so that ten million lines fit in 220 MB.
 */
export class LineTable {
  #capacity = START_CAPACITY;
  length = 0;
  /** Commit (by position in the walk) that wrote the line as it stands. */
  born = new Int32Array(START_CAPACITY);
  /** Commit that took it out, −1 while it stands. */
  died = new Int32Array(START_CAPACITY).fill(-1);
  /** Commit in which the line's life began: earlier than `born` where it was moved or slightly updated since. */
  began = new Int32Array(START_CAPACITY);
  /** Number of the path group the life began in. */
  place = new Int32Array(START_CAPACITY);
  /** Line number in the file of the commit that wrote it, from 0: what `git blame` calls the original line. */
  originalLine = new Int32Array(START_CAPACITY);
  /** 1 where the line lives on in another record (moved, or updated by a few words). */
  carried = new Uint8Array(START_CAPACITY);
  /** 1 where the line is blank, brackets alone or a bare keyword: followed, left out of every count but that of lines. */
  trivial = new Uint8Array(START_CAPACITY);

  /** Of lines that came by a rebase or a squash: which of the commits outside the history their life began in. */
  readonly original = new Map<number, number>();

  add(commit: number, place: number, originalLine: number, trivial: boolean): number {
    if (this.length === this.#capacity) this.#grow();
    const id = this.length++;
    this.born[id] = commit;
    this.began[id] = commit;
    this.place[id] = place;
    this.originalLine[id] = originalLine;
    this.trivial[id] = trivial ? 1 : 0;
    return id;
  }

  /** The life of `old` goes on in `fresh`. */
  carry(old: number, fresh: number): void {
    this.carried[old] = 1;
    this.began[fresh] = this.began[old];
    this.place[fresh] = this.place[old];
    const original = this.original.get(old);
    if (original !== undefined) this.original.set(fresh, original);
  }

  /** The columns, as long as there are records, in the table's own memory: what a cache stores. */
  columns() {
    const { length } = this;
    return {
      born: this.born.subarray(0, length),
      died: this.died.subarray(0, length),
      began: this.began.subarray(0, length),
      place: this.place.subarray(0, length),
      originalLine: this.originalLine.subarray(0, length),
      carried: this.carried.subarray(0, length),
      trivial: this.trivial.subarray(0, length),
      original: this.original,
    };
  }

  static from(columns: ReturnType<LineTable['columns']>): LineTable {
    const table = new LineTable();
    Object.assign(table, columns);
    table.length = columns.born.length;
    table.#capacity = columns.born.length;
    return table;
  }

  #grow(): void {
    this.#capacity = Math.max(START_CAPACITY, this.#capacity * 2);
    const wider = (from: Int32Array, fill = 0) => {
      const to = new Int32Array(this.#capacity);
      if (fill !== 0) to.fill(fill, from.length);
      to.set(from);
      return to;
    };
    this.born = wider(this.born);
    this.died = wider(this.died, -1);
    this.began = wider(this.began);
    this.place = wider(this.place);
    this.originalLine = wider(this.originalLine);
    const flags = (from: Uint8Array) => {
      const to = new Uint8Array(this.#capacity);
      to.set(from);
      return to;
    };
    this.carried = flags(this.carried);
    this.trivial = flags(this.trivial);
  }
}

export interface AppliedChange {
  readonly state: FileState;
  readonly hunks: readonly AppliedHunk[];
  /** The diff reached past the lines that were known: the file is not followed from here on. */
  readonly misfit: boolean;
}

/**
 * Lays a plain change over the lines of the parent's file. Lines outside the hunks keep their records; lines put in get
 * new ones, born in `commit` at `place`.
 */
export function applyChange(
  table: LineTable,
  old: FileState | undefined,
  change: FileChange,
  commit: number,
  place: number,
): AppliedChange {
  const before = old?.lines === undefined ? new Int32Array(0) : old.lines;
  if (change.binary) return { state: { blob: change.newId, lines: null }, hunks: [], misfit: false };
  if (before === null) {
    // Renamed, given another mode or deleted, it is no less known than it was; lines over unknown ones are a misfit, once.
    const misfit = change.hunks.length > 0 && change.status !== 'D' && !old?.lost;
    return { state: { blob: change.newId, lines: null, lost: misfit || old?.lost }, hunks: [], misfit };
  }
  if (change.hunks.length === 0) return { state: { blob: change.newId, lines: before }, hunks: [], misfit: false };
  let grown = before.length;
  for (const hunk of change.hunks) {
    grown += hunk.added.length - hunk.removed.length;
    if (hunk.oldStart + hunk.removed.length > before.length) {
      return { state: { blob: change.newId, lines: null, lost: true }, hunks: [], misfit: true };
    }
  }
  const lines = new Int32Array(grown);
  const hunks: AppliedHunk[] = [];
  let from = 0;
  let to = 0;
  for (const hunk of change.hunks) {
    while (from < hunk.oldStart) lines[to++] = before[from++];
    const removed: number[] = [];
    for (let i = 0; i < hunk.removed.length; i++) removed.push(before[from++]);
    const firstAdded = table.length;
    for (const { trivial } of hunk.added) {
      lines[to] = table.add(commit, place, to, trivial);
      to++;
    }
    hunks.push({ removed, firstAdded });
  }
  // By hand, as above: a view of an array for each of the many small copies costs more than the copying.
  while (from < before.length) lines[to++] = before[from++];
  return { state: { blob: change.newId, lines }, hunks, misfit: false };
}

export interface AppliedMerge {
  readonly state: FileState;
  /** Lines that stand in no parent: written in the merge itself. */
  readonly added: readonly { record: number; hash: number; trivial: boolean }[];
  /** Lines that every parent that has them lost in the merge. */
  readonly removed: readonly number[];
  readonly misfit: boolean;
}

/**
 * Lays a combined diff over the parents' files. A line keeps the record of the first parent that has it, in the order of
 * the parents, as `git blame` does.
 */
export function applyMerge(
  table: LineTable,
  parents: readonly (FileState | undefined)[],
  change: FileChange,
  commit: number,
  place: number,
): AppliedMerge {
  const before = parents.map((parent) => (parent?.lines === undefined ? new Int32Array(0) : parent.lines));
  if (change.binary || change.combined === null || before.some((lines) => lines === null)) {
    const lost = parents.some((parent) => parent?.lost);
    const misfit = !change.binary && !lost && (change.combined?.length ?? 0) > 0;
    return { state: { blob: change.newId, lines: null, lost: misfit || lost }, added: [], removed: [], misfit };
  }
  const known = before as Int32Array[];
  const at = known.map(() => 0);
  const lines: number[] = [];
  const added: { record: number; hash: number; trivial: boolean }[] = [];
  const removed: number[] = [];
  const misfit: AppliedMerge = {
    state: { blob: change.newId, lines: null, lost: true },
    added: [],
    removed: [],
    misfit: true,
  };
  for (const hunk of change.combined) {
    const between = hunk.newStart - lines.length;
    if (between < 0 || at[0] + between > known[0].length) return misfit;
    for (let i = 0; i < between; i++) lines.push(known[0][at[0] + i]);
    for (let p = 0; p < at.length; p++) at[p] += between;
    for (const line of hunk.lines) {
      const has = line.parents.findIndex(Boolean);
      if (line.kept) {
        if (has >= 0) lines.push(known[has][at[has]]);
        else {
          const record = table.add(commit, place, lines.length, line.trivial);
          added.push({ record, hash: line.hash, trivial: line.trivial });
          lines.push(record);
        }
      } else if (line.parents.every(Boolean) && has >= 0) removed.push(known[has][at[has]]);
      line.parents.forEach((holds, p) => {
        if (holds) at[p]++;
      });
    }
    if (at.some((position, p) => position > known[p].length)) return misfit;
  }
  for (let i = at[0]; i < known[0].length; i++) lines.push(known[0][i]);
  if (lines.some((record) => record === undefined)) return misfit;
  return { state: { blob: change.newId, lines: Int32Array.from(lines) }, added, removed, misfit: false };
}
