import { describe, expect, it } from 'vitest';
import { uniform } from './random.ts';
import { type Candidates, choose, type Sampling } from './sampling.ts';

const P = [0.5, 0.25, 0.125, 0.0625, 0.0625];
const ALL: Sampling = { temperature: 1, topP: 1, topK: 0 };

function candidates(count = P.length, temperature = 1): Candidates {
  const powers = P.map((p) => p ** (1 / temperature));
  return {
    logProbabilities: Float32Array.from(P.slice(0, count), Math.log),
    temperedMaximum: Math.log(powers[0]! / powers.reduce((a, b) => a + b)),
    complete: count === P.length,
  };
}

/** Shares of the places over a fine grid of u. */
function shares(sampling: Sampling, from: Candidates): number[] {
  const counts = P.map(() => 0);
  const grid = 4096;
  for (let i = 0; i < grid; i++) counts[choose(sampling, from, (i + 0.5) / grid)!]! += 1 / grid;
  return counts;
}

describe('choose', () => {
  it('at temperature 0 takes the first', () => {
    expect(choose({ ...ALL, temperature: 0 }, candidates(), 0.999)).toBe(0);
  });

  it('follows the probabilities', () => {
    for (const [i, share] of shares(ALL, candidates()).entries()) expect(share).toBeCloseTo(P[i]!, 3);
  });

  it('follows the powers of the probabilities at other temperatures', () => {
    const powers = P.map((p) => p ** 2);
    const total = powers.reduce((a, b) => a + b);
    const got = shares({ ...ALL, temperature: 0.5 }, candidates(P.length, 0.5));
    for (const [i, power] of powers.entries()) expect(got[i]).toBeCloseTo(power / total, 3);
  });

  it('keeps the fewest tokens that reach top-p', () => {
    expect(shares({ ...ALL, topP: 0.7 }, candidates()).map((share) => Math.round(share * 300))).toEqual([
      200, 100, 0, 0, 0,
    ]);
    expect(shares({ ...ALL, topP: 0.01 }, candidates())[0]).toBeCloseTo(1, 6);
  });

  it('keeps the top-k first and takes top-p of what is left', () => {
    const got = shares({ ...ALL, topK: 2, topP: 0.9 }, candidates());
    expect(got[0]).toBeCloseTo(2 / 3, 2);
    expect(got[1]).toBeCloseTo(1 / 3, 2);
  });

  it('says where the listed tokens do not suffice, and only there', () => {
    const few = candidates(2);
    expect(choose(ALL, few, 0.7)).toBe(1);
    expect(choose(ALL, few, 0.8)).toBeNull();
    expect(choose({ ...ALL, topP: 0.74 }, few, 0.99)).toBe(1);
    expect(choose({ ...ALL, topP: 0.8 }, few, 0.1)).toBeNull();
    expect(choose({ ...ALL, topK: 2 }, few, 0.99)).toBe(1);
    expect(choose({ ...ALL, topK: 3 }, few, 0.1)).toBeNull();
  });
});

describe('uniform', () => {
  it('is the same for the same key and lies in [0, 1)', () => {
    expect(uniform(1, 2, 3)).toBe(uniform(1, 2, 3));
    expect(uniform(-5, 0, 0)).toBeGreaterThanOrEqual(0);
    const keys = [
      [1, 2, 3],
      [2, 2, 3],
      [1, 3, 3],
      [1, 2, 4],
      [3, 2, 1],
    ] as const;
    expect(new Set(keys.map(([seed, index, step]) => uniform(seed, index, step))).size).toBe(keys.length);
  });

  it.each(['seed', 'index', 'step'] as const)(
    'is uniform along the %s: chi-square over 20 cells below its 99.9 % quantile',
    (part) => {
      const cells = Array(20).fill(0) as number[];
      const draws = 20_000;
      for (let i = 0; i < draws; i++)
        cells[Math.floor(20 * uniform(part === 'seed' ? i : 7, part === 'index' ? i : 3, part === 'step' ? i : 11))]!++;
      const expected = draws / 20;
      expect(cells.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(43.82);
    },
  );
});
