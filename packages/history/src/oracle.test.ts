import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { auditRepository } from './audit-repository.ts';
import { ScriptedRepository } from './repository.fixture.ts';

/**
 * The definitions once more, slowly and from the text of each commit's diff: lists instead of tables, whole lines instead
 * of hashes, every pair compared. Nothing of the audit is used.
 */
const DAY = 86_400;
const WINDOW = 14 * DAY;
type Counts = Record<'added' | 'deleted' | 'moved' | 'updated' | 'findReplaced' | 'copyPasted' | 'noop', number>;

interface Life {
  readonly began: number;
  ended: number | null;
}
interface OracleHunk {
  readonly start: number;
  readonly heading: string;
  readonly removed: string[];
  readonly added: string[];
}
interface Removed {
  readonly text: string;
  readonly life: Life;
  readonly commit: number;
  claimed: boolean;
}

const bare = (line: string) => line.replace(/\s/g, '');
const says = (line: string) => /[A-Za-z0-9]/.test(line) && !['else', 'return;', '}else{'].includes(bare(line));
const wordsOf = (line: string) => line.match(/\w+|[^\s\w]/g) ?? [];

function common(a: readonly string[], b: readonly string[]): number {
  const best = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      best[i][j] = a[i - 1] === b[j - 1] ? best[i - 1][j - 1] + 1 : Math.max(best[i - 1][j], best[i][j - 1]);
    }
  }
  return best[a.length][b.length];
}

function hunksOf(diff: string): { path: string; hunks: OracleHunk[] }[] {
  return diff
    .split(/^diff --git /m)
    .slice(1)
    .map((part) => {
      const path = /^a\/(\S+) /.exec(part)?.[1] ?? '';
      const hunks = part
        .split(/^(?=@@ )/m)
        .slice(1)
        .map((text) => {
          const [head, ...lines] = text.split('\n');
          const [, start, count, heading] = /^@@ -(\d+)(?:,(\d+))? \S+ @@ ?(.*)$/.exec(head) ?? [];
          return {
            start: count === '0' ? Number(start) : Number(start) - 1,
            heading: bare(heading),
            removed: lines.filter((line) => line.startsWith('-')).map((line) => line.slice(1)),
            added: lines.filter((line) => line.startsWith('+')).map((line) => line.slice(1)),
          };
        });
      return { path, hunks };
    });
}

/** One replacement for each place of a line, or null: words between what the lines share at both ends. */
function replacements(before: readonly string[], after: readonly string[]): string[] | null {
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start++;
  let end = 0;
  while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const from = before.slice(start, before.length - end);
  const to = after.slice(start, after.length - end);
  if (from.length === 0 || to.length === 0) return null;
  const pairs = from.flatMap((word, i) => (word === to[i] ? [] : [`${word} > ${to[i]}`]));
  return from.length === to.length && new Set(pairs).size === 1 ? pairs : [`${from.join(' ')} > ${to.join(' ')}`];
}

function oracle(repository: ScriptedRepository) {
  const commits = repository
    .git('log', '--reverse', '--format=%H %at')
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const times = commits.map(([, time]) => Number(time));
  const files = new Map<string, Life[]>();
  const lives: Life[] = [];
  const texts = new Map<Life, string>();
  const pool: Removed[] = [];
  const counts: Counts[] = [];
  commits.forEach(([id], at) => {
    const deed: Counts = { added: 0, deleted: 0, moved: 0, updated: 0, findReplaced: 0, copyPasted: 0, noop: 0 };
    counts.push(deed);
    const changed: string[][] = [];
    const fresh: { text: string; place: string; put: (life: Life) => void }[] = [];
    const out: Removed[] = [];
    // Modified in content: a file whose mode alone was changed has the same id before and after.
    const touched = repository
      .git('show', '--diff-filter=M', '--raw', '--no-abbrev', '--no-renames', '--format=', id)
      .split('\n')
      .map((entry) => /^:\d+ \d+ (\w+) (\w+) M\t(.*)$/.exec(entry))
      .flatMap((entry) => (entry && entry[1] !== entry[2] ? [entry[3]] : []));
    const withLines = new Set<string>();
    for (const { path, hunks } of hunksOf(repository.git('show', '-w', '-U0', '--no-renames', '--format=', id))) {
      if (hunks.length > 0) withLines.add(path);
      const old = files.get(path) ?? [];
      const now: Life[] = [];
      let from = 0;
      for (const { start, heading, removed, added } of hunks) {
        now.push(...old.slice(from, start));
        const gone = old.slice(start, start + removed.length);
        from = start + removed.length;
        const pairs = new Map<number, number>();
        let free = 0;
        added.forEach((line, j) => {
          let best: { i: number; changed: number } | null = null;
          for (let i = 0; i < removed.length; i++) {
            if (i < free || Math.abs(i - Math.max(free, j)) > 4 || !says(removed[i]) || !says(line)) continue;
            const [a, b] = [wordsOf(removed[i]), wordsOf(line)];
            const shared = common(a, b);
            const differ = Math.max(a.length, b.length) - shared;
            if (differ <= 3 && shared >= Math.max(1, differ) && (!best || differ < best.changed))
              best = { i, changed: differ };
          }
          if (!best) return;
          pairs.set(j, best.i);
          free = best.i + 1;
          changed.push(replacements(wordsOf(removed[best.i]), wordsOf(line)) ?? []);
        });
        const kept = new Set(pairs.values());
        removed.forEach((text, i) => {
          if (kept.has(i)) return;
          gone[i].ended = at;
          if (says(text)) out.push({ text: bare(text), life: gone[i], commit: at, claimed: false });
        });
        let place = `${path} ${heading}`;
        added.forEach((text, j) => {
          if (/^[A-Za-z_$].*[{:]\s*$/.test(text)) place = `${path} ${bare(text)}`;
          const partner = pairs.get(j);
          const position = now.length;
          const life: Life = partner === undefined ? { began: at, ended: null } : gone[partner];
          now.push(life);
          if (partner === undefined) {
            lives.push(life);
            texts.set(life, text);
            const list = now;
            if (says(text)) {
              fresh.push({
                text: bare(text),
                place,
                put: (earlier) => {
                  list[position] = earlier;
                  lives.splice(lives.indexOf(life), 1);
                },
              });
            }
          }
        });
      }
      now.push(...old.slice(from));
      files.set(path, now);
    }
    deed.noop = touched.filter((path) => !withLines.has(path)).length;
    const often = changed.flat();
    for (const pairs of changed) {
      if (pairs.length > 0 && often.filter((pair) => pair === pairs[0]).length >= 3) deed.findReplaced++;
      else deed.updated++;
    }
    deed.deleted += out.length;
    pool.push(...out);
    const remaining = fresh.filter(({ text, put }) => {
      const back = pool.findLast(
        (removed) => !removed.claimed && removed.text === text && times[at] - times[removed.commit] <= WINDOW,
      );
      if (!back) return true;
      back.claimed = true;
      back.life.ended = null;
      put(back.life);
      deed.moved++;
      counts[back.commit].deleted--;
      return false;
    });
    for (const { text, place } of remaining) {
      const copied = remaining.some((other) => other.text === text && other.place !== place);
      deed[copied ? 'copyPasted' : 'added']++;
    }
  });
  const last = Math.max(...times);
  const watched = lives.filter((life) => says(texts.get(life) ?? '') && times[life.began] <= last - WINDOW);
  const churned = watched.filter(({ began, ended }) => ended !== null && times[ended] - times[began] <= WINDOW);
  const total: Record<string, number> = {};
  for (const deed of counts) for (const [name, n] of Object.entries(deed)) total[name] = (total[name] ?? 0) + n;
  return { operations: total, changed: watched.length, churned: churned.length };
}

it('operations and churn are what the definitions, applied slowly and literally, give on random histories', async () => {
  const line = fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.nat({ max: 4 }), fc.nat({ max: 4 }), fc.nat({ max: 3 }))
        .map(([a, b, c]) => `  call${a}(left${b}, right${c})`),
    },
    { weight: 1, arbitrary: fc.nat({ max: 3 }).map((n) => `function f${n}() {`) },
    { weight: 1, arbitrary: fc.constantFrom('}', '', '  else', '  return;') },
  );
  const step = fc.record({
    file: fc.nat({ max: 2 }),
    at: fc.nat({ max: 12 }),
    drop: fc.nat({ max: 5 }),
    put: fc.array(line, { maxLength: 5 }),
    replace: fc.option(fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 9 })), { freq: 4 }),
    indent: fc.boolean(),
    copyTo: fc.option(fc.nat({ max: 2 }), { freq: 3 }),
    flipLineEnds: fc.option(fc.nat({ max: 2 }), { freq: 3 }),
    flipMode: fc.option(fc.nat({ max: 2 }), { freq: 3 }),
    takeTo: fc.option(fc.nat({ max: 2 }), { freq: 2 }),
    days: fc.nat({ max: 6 }),
  });
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 4, maxLength: 12 }),
      fc.array(step, { minLength: 3, maxLength: 9 }),
      async (start, steps) => {
        const repository = new ScriptedRepository();
        try {
          const files = [start, start.slice(2), ['  only(this)']];
          /** Taken out in one commit, to be put in by a later one. */
          const late: string[] = [];
          const lineEnds = ['\n', '\n', '\n'];
          const commit = (days: number) =>
            repository.commit(
              Object.fromEntries(files.map((lines, i) => [`f${i}.js`, lines.map((one) => one + lineEnds[i]).join('')])),
              { days },
            );
          commit(0);
          for (const step of steps) {
            const { file, at, drop, put, replace, indent, copyTo, flipLineEnds, flipMode, takeTo, days } = step;
            // A block that is put elsewhere as well, and one that goes there days later, with what else the step does.
            if (copyTo !== null) files[copyTo].unshift(...files[file].slice(at, at + 4));
            if (flipLineEnds !== null) lineEnds[flipLineEnds] = lineEnds[flipLineEnds] === '\n' ? '\r\n' : '\n';
            if (flipMode !== null) {
              const path = join(repository.directory, `f${flipMode}.js`);
              chmodSync(path, statSync(path).mode ^ 0o111);
            }
            const taken = files[file].splice(at, drop, ...put);
            late.push(...(takeTo === null ? taken : []));
            if (takeTo !== null) files[takeTo].push(...taken);
            else if (late.length > 3) files[2].push(...late.splice(0, 3));
            if (replace)
              files[file] = files[file].map((one) => one.replaceAll(`left${replace[0]}`, `other${replace[1]}`));
            if (indent) files[file] = files[file].map((one) => one.replace(/^ {2}/, '    '));
            commit(days);
          }
          commit(20);
          const { document } = await auditRepository({
            directory: repository.directory,
            cacheDirectory: null,
            nowMs: 1_900_000_000_000,
          });
          const truth = oracle(repository);
          const { changed, churned } = document.churn;
          expect({ operations: document.operations, changed, churned }).toEqual(truth);
          for (const [name, n] of Object.entries({ ...truth.operations, churned })) seen[name] = (seen[name] ?? 0) + n;
        } finally {
          repository.remove();
        }
      },
    ),
    { numRuns: 30, seed: 11, endOnFailure: true },
  );
  // Every operation occurred, or the agreement would say nothing of it.
  expect(Object.entries(seen).filter(([, n]) => n < 3)).toEqual([]);
}, 300_000);
