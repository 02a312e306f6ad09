import fc from 'fast-check';
import { expect, test } from 'vitest';
import { passAtK, passAtKRate, proportionInterval } from './statistics.ts';

/** Share of all k-element subsets of n tries, c of them passing, that hold a passing one: by listing them. */
function byListing(n: number, c: number, k: number): number {
  let subsets = 0;
  let passing = 0;
  for (let bits = 0; bits < 1 << n; bits += 1) {
    if (bits.toString(2).replaceAll('0', '').length !== k) continue;
    subsets += 1;
    if ((bits & ((1 << c) - 1)) !== 0) passing += 1;
  }
  return passing / subsets;
}

test('pass@k equals the share of subsets with a passing try, for every n up to 9', () => {
  for (let n = 1; n <= 9; n += 1) {
    for (let c = 0; c <= n; c += 1) {
      for (let k = 1; k <= n; k += 1) expect(passAtK(n, c, k)).toBeCloseTo(byListing(n, c, k), 12);
    }
  }
});

test('pass@k is exact rational arithmetic for large n too', () => {
  const choose = (n: bigint, k: bigint) => {
    let result = 1n;
    for (let i = 0n; i < k; i += 1n) result = (result * (n - i)) / (i + 1n);
    return result;
  };
  const number = fc.integer({ min: 1, max: 400 });
  fc.assert(
    fc.property(number, number, number, (a, b, d) => {
      const [c, k, n] = [a, b, d].toSorted((x, y) => x - y) as [number, number, number];
      const scale = 10n ** 15n;
      const exact = 1 - Number((choose(BigInt(n - c), BigInt(k)) * scale) / choose(BigInt(n), BigInt(k))) / 1e15;
      expect(passAtK(n, c, k)).toBeCloseTo(exact, 10);
    }),
  );
});

test.each([
  [0, 0, 1],
  [10, 11, 1],
  [10, -1, 1],
  [10, 1, 0],
  [10, 1, 11],
  [10, 1.5, 1],
])('pass@k refuses n=%d c=%d k=%d', (n, c, k) => {
  expect(() => passAtK(n, c, k)).toThrow(RangeError);
});

test.each([1, 2, 10, 57])('with no pass or nothing but passes of n=%d the limits have a closed form', (n) => {
  const far = 1 - 0.025 ** (1 / n);
  expect(proportionInterval(n, 0)).toEqual({ low: 0, high: expect.closeTo(far, 12) });
  expect(proportionInterval(n, n)).toEqual({ low: expect.closeTo(1 - far, 12), high: 1 });
});

test('at each limit what was seen, or more of it, has probability 2.5 %', () => {
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k);
  const term = (n: number, i: number, p: number) => choose(n, i) * p ** i * (1 - p) ** (n - i);
  const sum = (n: number, from: number, to: number, p: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => term(n, from + i, p)).reduce((a, b) => a + b, 0);
  for (const [n, c] of [
    [10, 1],
    [10, 5],
    [30, 29],
    [100, 37],
  ] as const) {
    const { low, high } = proportionInterval(n, c);
    expect(sum(n, c, n, low)).toBeCloseTo(0.025, 9);
    expect(sum(n, 0, c, high)).toBeCloseTo(0.025, 9);
  }
});

test('the interval covers the true rate at least as often as it says, counted over every outcome', () => {
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k);
  for (const n of [1, 5, 10, 20]) {
    const intervals = Array.from({ length: n + 1 }, (_, c) => proportionInterval(n, c));
    for (let p = 0.005; p < 1; p += 0.01) {
      const coverage = intervals.reduce(
        (sum, { low, high }, c) => sum + (low <= p && p <= high ? choose(n, c) * p ** c * (1 - p) ** (n - c) : 0),
        0,
      );
      expect(coverage).toBeGreaterThanOrEqual(0.95);
    }
  }
});

test('a pass@k rate lies in its interval, the interval in [0, 1], and both rise with k', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(), (n, seed) => {
      const c = seed % (n + 1);
      let last = { value: 0, low: 0, high: 0 };
      for (let k = 1; k <= n; k += 1) {
        const rate = passAtKRate(n, c, k);
        expect(0 <= rate.low && rate.low <= rate.value && rate.value <= rate.high && rate.high <= 1).toBe(true);
        expect(rate.value).toBeGreaterThanOrEqual(last.value - 1e-12);
        expect(rate.low).toBeGreaterThanOrEqual(last.low - 1e-12);
        expect(rate.high).toBeGreaterThanOrEqual(last.high - 1e-12);
        last = rate;
      }
    }),
  );
});

test('no tries say nothing', () => {
  expect(proportionInterval(0, 0)).toEqual({ low: 0, high: 1 });
});
