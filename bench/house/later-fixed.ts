/**
 * Lines of a tree that a later fix took away (Śliwerski, Zimmermann and Zeller 2005, the last step left out): the lines that
 * commits whose message speaks of a fix delete or change, followed back to the tree by `git blame`.
 */
import { basename } from 'node:path';
import { git } from './corpora.ts';

const FIX = '\\b(fix(e[sd])?|bugs?|defects?|faults?|regressions?|crash(es|ed)?)\\b';
/** A commit that changes more lines is a sweep, not a fix. */
const MOST_LINES = 100;

/** By path in the tree of `split`: numbers of its lines, from 1, that a later fix deleted. */
export function laterFixed(bare: string, split: string, paths: ReadonlySet<string>): Map<string, Set<number>> {
  const fixed = new Map<string, Set<number>>();
  const names = new Set([...paths].map((path) => basename(path)));
  const isAsAtSplit = sameContent(bare, split);
  const commits = git(bare, 'log', '--no-merges', '--format=%H', '-i', '-E', `--grep=${FIX}`, `${split}..HEAD`);
  for (const commit of commits.split('\n').filter(Boolean))
    for (const [path, ranges] of deletedRanges(bare, commit)) {
      // Renamed folders are followed, renamed files are not: blame would be asked about everything.
      if (!names.has(basename(path))) continue;
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
      for (const { commit: origin, path: was, line } of linesOf(blame)) {
        if (!paths.has(was) || !isAsAtSplit(origin, was)) continue;
        const lines = fixed.get(was) ?? new Set();
        lines.add(line);
        fixed.set(was, lines);
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

/** Commit, path and line that blame ends at for every line asked about. */
function linesOf(porcelain: string): { commit: string; path: string; line: number }[] {
  const lines: { commit: string; path: string; line: number }[] = [];
  let at = { commit: '', line: 0 };
  let isBoundary = false;
  for (const text of porcelain.split('\n')) {
    const head = /^([0-9a-f]{40}) (\d+) \d+/.exec(text);
    if (head !== null) {
      at = { commit: head[1]!, line: Number(head[2]) };
      isBoundary = false;
    } else if (text === 'boundary') isBoundary = true;
    else if (text.startsWith('filename ') && isBoundary) lines.push({ ...at, path: text.slice('filename '.length) });
  }
  return lines;
}

/** Whether a file is the same in a commit as at the split: behind merges, blame ends at commits before it. */
function sameContent(bare: string, split: string): (commit: string, path: string) => boolean {
  const known = new Map<string, boolean>();
  const idOf = (commit: string, path: string) => git(bare, 'ls-tree', commit, '--', path).split(/\s/)[2] ?? '';
  return (commit, path) => {
    const key = `${commit}:${path}`;
    const same = known.get(key) ?? (commit === split || idOf(commit, path) === idOf(split, path));
    known.set(key, same);
    return same;
  };
}
