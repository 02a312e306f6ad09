import type { Candidate, RunDocument } from '@lathe/protocol';
import { expect, test } from 'vitest';
import { countAttempts } from './attempts.ts';

/** A run of n candidates of which c passed; pass@k by its definition, over all subsets of size k. */
function run(n: number, c: number, kept: string | null = null): RunDocument {
  const choose = (from: number, k: number): number => (k === 0 ? 1 : (choose(from - 1, k - 1) * from) / k);
  const passAt = Object.fromEntries(
    Array.from({ length: n }, (_, i) => {
      const value = 1 - (n - c < i + 1 ? 0 : choose(n - c, i + 1) / choose(n, i + 1));
      return [String(i + 1), { value, low: 0, high: 1 }];
    }),
  );
  const candidates = Array.from({ length: n }, (_, i) => ({ status: i < c ? 'passed' : 'failed' }) as Candidate);
  const statistics = { n, passed: c, distinct: n, duplicates: 0, passAt };
  return { candidates, kept, statistics } as RunDocument;
}

test('counts runs, candidates by status, and what was kept', () => {
  expect(countAttempts([run(10, 3, 'c1'), run(10, 0), run(2, 2, 'c2')])).toMatchObject({
    runs: 3,
    candidates: 22,
    statuses: { passed: 5, failed: 17 },
    runsPassed: 2,
    runsKept: 2,
  });
});

test('averages pass@k over the runs that have ten candidates, and tells what nine and the tenth added', () => {
  const { size, comparedRuns, passAt, gainOverOne, gainOfLast } = countAttempts([run(10, 1), run(10, 0), run(2, 2)]);
  expect({ size, comparedRuns }).toEqual({ size: 10, comparedRuns: 2 });
  // One of ten passes in one run of two: pass@k = k/10 there, 0 in the other.
  expect(passAt['1']).toBeCloseTo(0.05, 12);
  expect(passAt['9']).toBeCloseTo(0.45, 12);
  expect(passAt['10']).toBe(0.5);
  expect(gainOverOne?.value).toBeCloseTo(0.45, 12);
  expect(gainOfLast?.value).toBeCloseTo(0.05, 12);
});

test('too few runs: said in words, and no interval; enough: an interval that holds the mean', () => {
  const few = countAttempts([run(10, 1)]);
  expect(few.tooFew).toMatch(/1 runs of 10/);
  expect(few.gainOverOne).toMatchObject({ low: null, high: null });
  const many = countAttempts(Array.from({ length: 20 }, (_, i) => run(10, i % 3)));
  expect(many.tooFew).toBeNull();
  const { value, low, high } = many.gainOverOne!;
  expect(low).toBeLessThan(value);
  expect(high).toBeGreaterThan(value);
});

test('without runs, and with one candidate a run, nothing is claimed', () => {
  expect(countAttempts([])).toMatchObject({ runs: 0, size: 0, passAt: {}, gainOverOne: null, gainOfLast: null });
  expect(countAttempts([run(1, 1)])).toMatchObject({ size: 1, passAt: { 1: 1 }, gainOverOne: null });
});
