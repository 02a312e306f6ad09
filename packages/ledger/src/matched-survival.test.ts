import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareSurvival, FEWEST_COMMITS } from './matched-survival.ts';
import type { HistoryCommit, LineLife } from './outcomes.ts';

const commitsAt = (...dates: string[]): HistoryCommit[] =>
  dates.map((date, i) => ({ id: `k${i}`, timeMs: Date.parse(date), origin: 'hand-made', reverts: [] }));

const lines = (count: number, commit: number, days: number, ended: boolean, directory = 'src'): LineLife[] =>
  Array.from({ length: count }, () => ({ commit, directory, days, endedBy: ended ? 99 : null, moved: false }));

const at = (comparison: ReturnType<typeof compareSurvival>, days: number) =>
  comparison.survival.find((point) => point.days === days);

test('without matching the estimate is the textbook Kaplan–Meier one', () => {
  const commits = commitsAt('2026-01-05', '2026-01-06');
  // 10 at risk; 2 die on day 5; 3 are censored on day 6; of the 5 left 1 dies on day 10: S(14) = 8/10 · 4/5.
  const kept = [...lines(2, 0, 5, true), ...lines(3, 0, 6, false), ...lines(1, 0, 10, true), ...lines(4, 0, 40, false)];
  const comparison = compareSurvival(kept, lines(4, 1, 40, false), commits);
  expect(at(comparison, 7)?.kept.value).toBeCloseTo(0.8, 12);
  expect(at(comparison, 14)?.kept.value).toBeCloseTo(0.64, 12);
  expect(at(comparison, 14)?.handMade.value).toBe(1);
  expect(at(comparison, 14)?.difference.value).toBeCloseTo(-0.36, 12);
});

test('hand-made lines weigh as if they were spread over months and directories like the kept ones', () => {
  const commits = commitsAt('2026-01-05', '2026-01-06', '2026-02-05', '2026-02-06');
  // January: 30 kept, 10 by hand of which all fall. February: 10 kept, 90 by hand of which all stand.
  const kept = [...lines(30, 0, 40, false), ...lines(10, 2, 40, false)];
  const handMade = [...lines(10, 1, 3, true), ...lines(90, 3, 40, false)];
  expect(at(compareSurvival(kept, handMade, commits), 30)?.handMade.value).toBeCloseTo(0.25, 12);
});

test('what has no counterpart is left out, and counted', () => {
  const commits = commitsAt('2026-01-05', '2026-01-06');
  const kept = [...lines(5, 0, 40, false, 'src'), ...lines(7, 0, 40, false, 'docs')];
  const handMade = [...lines(3, 1, 40, false, 'src'), ...lines(9, 1, 2, true, 'test')];
  const comparison = compareSurvival(kept, handMade, commits);
  expect(comparison).toMatchObject({ keptLines: 5, unmatchedLines: 7, handMadeLines: 3 });
  expect(at(comparison, 7)?.handMade.value).toBe(1);
});

test('too few commits: said in words, and no interval', () => {
  const commits = commitsAt('2026-01-05', '2026-01-06');
  const comparison = compareSurvival(lines(500, 0, 40, false), lines(500, 1, 40, false), commits);
  expect(comparison.tooFew).toMatch(/1 kept and 1 hand-made/);
  expect(at(comparison, 14)?.difference).toEqual({ value: 0, low: null, high: null });
});

test('an age nobody has reached is not told', () => {
  const commits = commitsAt('2026-01-05', '2026-01-06');
  const comparison = compareSurvival(lines(5, 0, 10, false), lines(5, 1, 40, false), commits);
  expect(comparison.survival.map(({ days }) => days)).toEqual([7]);
});

/** Commits of ten lines each of which fall with probability p on day 3; whole commits fall together. */
function commitsOfTen(count: number, from: number, falling: number): LineLife[] {
  return Array.from({ length: count }, (_, i) => lines(10, from + i, i < falling ? 3 : 40, i < falling)).flat();
}

test('an interval holds its estimate, stays in 0…1, and is the same every time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 }), (a, b) => {
      const commits = commitsAt(...Array.from({ length: 24 }, () => '2026-01-05'));
      const compare = () => compareSurvival(commitsOfTen(12, 0, a), commitsOfTen(12, 12, b), commits);
      const comparison = compare();
      expect(comparison.tooFew).toBeNull();
      for (const { kept, handMade } of comparison.survival) {
        for (const { value, low, high } of [kept, handMade]) {
          expect(0 <= low! && low! <= value + 1e-9 && value <= high! + 1e-9 && high! <= 1).toBe(true);
        }
      }
      expect(compare()).toEqual(comparison);
    }),
    { numRuns: 15 },
  );
});

test('lines that fall by the commit are as uncertain as commits, not as lines', () => {
  const commits = commitsAt(...Array.from({ length: 40 }, () => '2026-01-05'));
  const comparison = compareSurvival(commitsOfTen(20, 0, 10), commitsOfTen(20, 20, 10), commits);
  const { low, high } = at(comparison, 14)!.kept;
  // Twenty commits, half of them fallen: 0.5 ± 1.96 · √(0.25/20) = 0.28 … 0.72; as 200 lines it would be 0.43 … 0.57.
  expect(low).toBeLessThan(0.35);
  expect(high).toBeGreaterThan(0.65);
});

test(`a clear difference is told apart from none with ${FEWEST_COMMITS} commits and more`, () => {
  const commits = commitsAt(...Array.from({ length: 40 }, () => '2026-01-05'));
  const worse = at(compareSurvival(commitsOfTen(20, 0, 18), commitsOfTen(20, 20, 1), commits), 14)!.difference;
  expect(worse.high).toBeLessThan(0);
});
