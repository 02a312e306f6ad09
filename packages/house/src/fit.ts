import { diffArrays } from 'diff';
import { expectedBits, type LineScore } from './score.ts';

/** A file as it was and as a candidate leaves it, the latter read line by line by the house's model. */
export interface ChangedFile {
  /** Null where there was none. */
  readonly before: string | null;
  readonly after: string;
  readonly lines: readonly LineScore[];
}

/** Unchanged lines of the changed files that there must be to compare with. */
const FEWEST_UNCHANGED = 8;

/**
 * How unlike the code around it a change reads, in bits a token:
 *
 *     Σ_{l ∈ C} (b_l − b̂(n_l)) / Σ_{l ∈ C} n_l
 *
 * with b_l the bits and n_l the tokens of line l of the changed files under the model, and b̂(n) = α + β n what an unchanged
 * line of n tokens of these files costs, by least squares: length and the files' own strangeness are taken out. C are the
 * changed lines that do not repeat a line of the file or of the change itself, since a model reads what it has just read for
 * almost nothing, and copying is no fit. Above 0: stranger than its surroundings. Null where there is no such line, or
 * fewer than 8 unchanged ones to compare with.
 */
export function houseExcess(files: readonly ChangedFile[]): number | null {
  const changed: LineScore[] = [];
  const unchanged: LineScore[] = [];
  for (const { before, after, lines } of files) {
    const [old, fresh] = [before?.split('\n') ?? [], after.split('\n')];
    const isChanged = changedLines(old, fresh);
    const seen = new Set(old.map((line) => line.trim()));
    for (const line of lines) {
      const text = fresh[line.line - 1]?.trim() ?? '';
      if (line.tokens === 0 || text === '') continue;
      if (!isChanged.has(line.line)) unchanged.push(line);
      else if (!seen.has(text)) {
        changed.push(line);
        seen.add(text);
      }
    }
  }
  if (changed.length === 0 || unchanged.length < FEWEST_UNCHANGED) return null;
  const expected = expectedBits(unchanged);
  const sum = (of: (line: LineScore) => number) => changed.reduce((total, line) => total + of(line), 0);
  return sum(({ bits, tokens }) => bits - expected(tokens)) / sum(({ tokens }) => tokens);
}

/** Numbers, from 1, of the lines of `fresh` that are not those of `old`. Myers 1986, *An O(ND) difference algorithm* */
function changedLines(old: readonly string[], fresh: readonly string[]): Set<number> {
  const changed = new Set<number>();
  let line = 1;
  for (const { added, removed, count } of diffArrays([...old], [...fresh])) {
    if (removed) continue;
    for (let i = 0; i < count; i++, line++) if (added) changed.add(line);
  }
  return changed;
}
