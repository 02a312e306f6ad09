import type { Hunk, HunkLine } from './patch-stream.ts';

/** What a commit did to a line. The names and their meaning follow GitClear's published list (2025 edition). */
export const OPERATIONS = ['added', 'deleted', 'moved', 'updated', 'findReplaced', 'copyPasted', 'noop'] as const;
export type Operation = (typeof OPERATIONS)[number];
export type OperationCounts = Record<Operation, number>;

export function noOperations(): OperationCounts {
  return { added: 0, deleted: 0, moved: 0, updated: 0, findReplaced: 0, copyPasted: 0, noop: 0 };
}

const WORD = /[\p{L}\p{N}_$]+|[^\s\p{L}\p{N}_$]/gu;

/** Words of a line given as latin1 of its bytes. Nearly every line is ASCII, which needs no table of the world's letters. */
function words(text: string): string[] {
  const found: string[] = [];
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i);
    if (code >= 128) return Buffer.from(text, 'latin1').toString('utf8').match(WORD) ?? [];
    if (code <= 32 && (code === 32 || (code >= 9 && code <= 13))) {
      i++;
      continue;
    }
    const start = i++;
    if (isWordCode(code)) while (i < text.length && isWordCode(text.charCodeAt(i))) i++;
    found.push(text.slice(start, i));
  }
  return found;
}

function isWordCode(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 36
  );
}

/** Where two lines differ: the words between what they share at the start and at the end. */
export interface WordChange {
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Words the two lines share. */
  readonly shared: number;
  /** Words taken out or put in, whichever is more; a replaced word counts once. */
  readonly changed: number;
}

/** Most words a change may touch and still count as an update of the line rather than a new line. */
export const UPDATE_WORDS = 3;

/**
 * Difference of two lines in words (a word: letters, digits, `_`, `$` in a row; every other mark by itself).
 * `changed = max(|a|, |b|) − LCS(a, b)`, or null where that is more than `most`.
 */
export function wordChange(before: string, after: string, most = UPDATE_WORDS): WordChange | null {
  return changeOfWords(words(before), words(after), most);
}

function changeOfWords(a: readonly string[], b: readonly string[], most: number): WordChange | null {
  if (Math.abs(a.length - b.length) > most) return null;
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let tail = 0;
  while (tail < a.length - start && tail < b.length - start && a[a.length - 1 - tail] === b[b.length - 1 - tail]) {
    tail++;
  }
  const from = a.slice(start, a.length - tail);
  const to = b.slice(start, b.length - tail);
  // Words that stand nowhere in the other line cannot be shared: most pairs end here.
  if (Math.max(from.length, to.length) - wordsAlsoIn(from, to) > most) return null;
  const shared = start + tail + bandedCommonSubsequence(from, to, most);
  const changed = Math.max(a.length, b.length) - shared;
  return changed > most ? null : { from, to, shared, changed };
}

function wordsAlsoIn(from: readonly string[], to: readonly string[]): number {
  let count = 0;
  for (const word of from) if (to.includes(word)) count++;
  return Math.min(count, to.length);
}

/**
 * Length of the longest common subsequence that leaves out at most `band` words of either side: such an alignment never
 * strays further than that from the diagonal. Shorter than the true length only where more would have to be left out.
 */
function bandedCommonSubsequence(a: readonly string[], b: readonly string[], band: number): number {
  if (a.length === 0 || b.length === 0) return 0;
  const width = b.length + 1;
  const table = scratch.length >= 2 * width ? scratch.fill(0, 0, 2 * width) : new Uint16Array(2 * width);
  let longest = 0;
  for (let i = 0; i < a.length; i++) {
    const row = (i % 2) * width;
    const next = width - row;
    table.fill(0, next, next + width);
    const last = Math.min(b.length - 1, i + band);
    for (let j = Math.max(0, i - band); j <= last; j++) {
      table[next + j + 1] = a[i] === b[j] ? table[row + j] + 1 : Math.max(table[row + j + 1], table[next + j]);
      longest = Math.max(longest, table[next + j + 1]);
    }
  }
  return longest;
}

/** Two rows of the table above, for lines of usual length; a new array for each pair cost more than the comparison. */
const scratch = new Uint16Array(1024);

/**
 * Updated: "based on an existing line, about three words or fewer changed". Besides the bound, the two lines must share at least as
 * many words as differ, or any two short lines would be updates of each other.
 */
export function isUpdate(change: WordChange): boolean {
  return change.changed <= UPDATE_WORDS && change.shared >= Math.max(1, change.changed);
}

export interface UpdatedPair {
  /** Positions in the hunk's `removed` and `added`. */
  readonly removed: number;
  readonly added: number;
  readonly change: WordChange;
}

/** How far from its place in the hunk a line's predecessor is looked for. */
const PAIRING_REACH = 4;

function hasText(line: HunkLine): boolean {
  return line.text !== null;
}

/** Pairs the lines of one hunk that are updates of each other, in order, each used once, the nearest predecessor first. */
export function updatedPairs(hunk: Hunk): UpdatedPair[] {
  const { removed, added } = hunk;
  if (removed.length === 0 || added.length === 0) return [];
  // The stream keeps no text of hunks that were rewritten as a whole.
  if (!removed.some(hasText) || !added.some(hasText)) return [];
  const split = (line: HunkLine) => (line.text === null ? null : words(line.text));
  const before = removed.map(split);
  const pairs: UpdatedPair[] = [];
  let firstFree = 0;
  for (let j = 0; j < added.length && firstFree < removed.length; j++) {
    const after = split(added[j]);
    if (after === null) continue;
    let best: UpdatedPair | null = null;
    const expected = Math.max(firstFree, j);
    for (
      let i = Math.max(firstFree, expected - PAIRING_REACH);
      i <= Math.min(removed.length - 1, expected + PAIRING_REACH);
      i++
    ) {
      const old = before[i];
      if (old === null) continue;
      const change = changeOfWords(old, after, UPDATE_WORDS);
      if (change && isUpdate(change) && (best === null || change.changed < best.change.changed))
        best = { removed: i, added: j, change };
    }
    if (best) {
      pairs.push(best);
      firstFree = best.removed + 1;
    }
  }
  return pairs;
}

/** Places one string must be replaced in, within a commit, to count as a find/replace. */
export const FIND_REPLACE_PLACES = 3;

/**
 * Find/Replaced: "the same string replaced consistently in three or more places". Gives the replacements (as keys of
 * `replacement`) that occur often enough among the commit's updated pairs; a line may hold several places.
 */
export function findReplacements(changes: readonly WordChange[]): Set<string> {
  const places = new Map<string, number>();
  for (const change of changes) {
    const found = replacement(change);
    if (found) places.set(found.key, (places.get(found.key) ?? 0) + found.places);
  }
  return new Set([...places].filter(([, count]) => count >= FIND_REPLACE_PLACES).map(([key]) => key));
}

/**
 * What was replaced by what in a line, and in how many places of it; null where something was only put in or only taken
 * out. `f(a, a)` to `f(b, b)` is twice `a` by `b`.
 */
export function replacement({ from, to }: WordChange): { key: string; places: number } | null {
  if (from.length === 0 || to.length === 0) return null;
  if (from.length === to.length) {
    const replaced = from.flatMap((word, i) => (word === to[i] ? [] : [JSON.stringify([[word], [to[i]]])]));
    if (replaced.every((pair) => pair === replaced[0])) return { key: replaced[0], places: replaced.length };
  }
  return { key: JSON.stringify([from, to]), places: 1 };
}

/** A new line, with its file and the heading of the function it stands in, each as a number. */
export interface PlacedLine {
  readonly line: Pick<HunkLine, 'hash' | 'trivial'>;
  readonly file: number;
  readonly heading: number;
}

/**
 * Copy/Pasted: "the same content, keywords and lone brackets aside, in several files or functions within one commit".
 * Takes the commit's new lines with the place of each and gives the hashes that stand in several places.
 */
export function copiedHashes(lines: readonly PlacedLine[]): Set<number> {
  const first = new Map<number, PlacedLine>();
  const copied = new Set<number>();
  for (const placed of lines) {
    const { hash, trivial } = placed.line;
    if (trivial) continue;
    const seen = first.get(hash);
    if (seen === undefined) first.set(hash, placed);
    else if (seen.file !== placed.file || seen.heading !== placed.heading) copied.add(hash);
  }
  return copied;
}

/** Lines of a duplicate block: "five or more identical lines". */
export const DUPLICATE_BLOCK_LINES = 5;

/**
 * Blocks of five or more lines, blank and bracket-only ones passed over, that a commit put in at more than one place.
 * Counts every place after the first. `runs` are the commit's runs of new lines.
 */
export function duplicateBlocks(runs: readonly (readonly HunkLine[])[]): number {
  const seen = new Set<number>();
  let blocks = 0;
  for (const run of runs) {
    const keys = blockKeys(run);
    const fresh: number[] = [];
    for (let i = 0; i < keys.length; i++) {
      if (!seen.has(keys[i])) {
        fresh.push(keys[i]);
        continue;
      }
      blocks++;
      // The rest of the same copy is the same block.
      while (i + 1 < keys.length && seen.has(keys[i + 1])) i++;
    }
    for (const key of fresh) seen.add(key);
  }
  return blocks;
}

/** For each line that says something and has four such lines after it: 53 bits over the hashes of the five. */
function blockKeys(run: readonly HunkLine[]): number[] {
  const hashes: number[] = [];
  for (const { hash, trivial } of run) if (!trivial) hashes.push(hash);
  const keys: number[] = [];
  for (let start = 0; start + DUPLICATE_BLOCK_LINES <= hashes.length; start++) {
    let a = 0;
    let b = 0;
    for (let i = start; i < start + DUPLICATE_BLOCK_LINES; i++) {
      const low = hashes[i] | 0;
      const high = (hashes[i] / 0x100000000) | 0;
      a = Math.imul(a ^ low, 0x01000193) + high;
      b = Math.imul(b ^ high, 0x85ebca6b) + low;
    }
    keys.push((a >>> 0) * 0x200000 + ((b ^ (b >>> 15)) & 0x1fffff));
  }
  return keys;
}
