/**
 * Lines of a tree that a later fix took away (Śliwerski, Zimmermann and Zeller 2005, the last step left out): the lines that
 * commits whose message speaks of a fix delete or change, followed back to the tree by `git blame`.
 */
import { git } from './corpora.ts';

const FIX = '\\b(fix(e[sd])?|bugs?|defects?|faults?|regressions?|crash(es|ed)?)\\b';
/** A commit that changes more lines is a sweep, not a fix. */
const MOST_LINES = 100;

/** By path in the tree of `split`: numbers of its lines, from 1, that a later fix deleted. */
export function laterFixed(bare: string, split: string, paths: ReadonlySet<string>): Map<string, Set<number>> {
  const fixed = new Map<string, Set<number>>();
  const commits = git(bare, 'log', '--no-merges', '--format=%H', '-i', '-E', `--grep=${FIX}`, `${split}..HEAD`);
  for (const commit of commits.split('\n').filter(Boolean))
    for (const [path, ranges] of deletedRanges(bare, commit)) {
      if (ranges.length === 0) continue;
      const blame = git(
        bare,
        'blame',
        '--line-porcelain',
        '-w',
        ...ranges.map(([from, count]) => `-L${from},+${count}`),
        `${split}..${commit}^`,
        '--',
        path,
      );
      for (const [origin, line] of linesOf(blame, split)) {
        if (!paths.has(origin)) continue;
        const lines = fixed.get(origin) ?? new Set();
        lines.add(line);
        fixed.set(origin, lines);
      }
    }
  return fixed;
}

function deletedRanges(bare: string, commit: string): Map<string, [number, number][]> {
  const ranges = new Map<string, [number, number][]>();
  const diff = git(
    bare,
    'show',
    '--format=',
    '-U0',
    '-w',
    '-M',
    '--diff-filter=MR',
    commit,
    '--',
    '*.js',
    '*.mjs',
    '*.cjs',
    '*.ts',
    '*.py',
  );
  let path: string | null = null;
  let total = 0;
  for (const line of diff.split('\n')) {
    if (line.startsWith('--- ')) path = line.startsWith('--- a/') ? line.slice(6) : null;
    const hunk = /^@@ -(\d+)(?:,(\d+))? /.exec(line);
    if (hunk === null || path === null) continue;
    const count = Number(hunk[2] ?? 1);
    total += count;
    if (count > 0) ranges.set(path, [...(ranges.get(path) ?? []), [Number(hunk[1]), count]]);
  }
  return total > MOST_LINES ? new Map() : ranges;
}

/** Path and line in `commit` of every blamed line that was there already. */
function linesOf(porcelain: string, commit: string): [string, number][] {
  const lines: [string, number][] = [];
  let line: number | null = null;
  for (const text of porcelain.split('\n')) {
    const head = /^([0-9a-f]{40}) (\d+) \d+/.exec(text);
    if (head !== null) line = head[1] === commit ? Number(head[2]) : null;
    else if (text.startsWith('filename ') && line !== null) lines.push([text.slice('filename '.length), line]);
  }
  return lines;
}
