import { expect, test } from 'vitest';
import { defaultTemperature } from './temperatures.ts';

test('one greedy candidate, the others spread evenly between 0.2 and 0.8', () => {
  expect(defaultTemperature(0)).toBe(0);
  for (const n of [5, 10, 100]) {
    const spread = Array.from({ length: n - 1 }, (_, i) => defaultTemperature(i + 1)).sort((a, b) => a - b);
    expect(spread[0]).toBeGreaterThanOrEqual(0.2);
    expect(spread.at(-1)).toBeLessThanOrEqual(0.8);
    // Three-distance theorem: the largest gap of n points is below 2 / n of the interval, up to rounding.
    for (let i = 1; i < spread.length; i++)
      expect(spread[i]! - spread[i - 1]!).toBeLessThan((0.6 * 2) / (n - 1) + 0.02);
  }
});
