import { describe, expect, it } from 'vitest';
import { clusteredRate, countLife, kaplanMeier, logRank, noLives, survivalOn } from './survival.ts';

/** Remission times of the 6-MP and placebo groups of Freireich et al. 1963: the textbook example (weeks as days here). */
const TREATED: [number, boolean][] = [
  ...[6, 6, 6, 7, 10, 13, 16, 22, 23].map((day): [number, boolean] => [day, true]),
  ...[6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map((day): [number, boolean] => [day, false]),
];
const PLACEBO: [number, boolean][] = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23].map(
  (day): [number, boolean] => [day, true],
);

function lives(data: readonly [number, boolean][]) {
  const result = noLives();
  for (const [day, ended] of data) countLife(result, day, ended);
  return result;
}

describe('kaplanMeier', () => {
  it('gives the published estimate, numbers at risk and Greenwood error of the Freireich data', () => {
    const points = kaplanMeier(lives(TREATED));
    expect(points.map((point) => [point.days, point.atRisk])).toEqual([
      [6, 21],
      [7, 17],
      [10, 15],
      [13, 12],
      [16, 11],
      [22, 7],
      [23, 6],
    ]);
    const published = [0.857, 0.807, 0.753, 0.69, 0.627, 0.538, 0.448];
    points.forEach((point, i) => {
      expect(point.surviving).toBeCloseTo(published[i], 3);
    });
    // log(−log) interval at week 10, as R's survfit(conf.type = "log-log") gives it.
    expect(points[2].low).toBeCloseTo(0.503, 3);
    expect(points[2].high).toBeCloseTo(0.889, 3);
  });

  it('says one where nothing ended and zero where everything did', () => {
    expect(kaplanMeier(lives([[5, false]]))).toEqual([]);
    expect(kaplanMeier(lives([[5, true]])).at(-1)).toMatchObject({ surviving: 0, low: 0, high: 0 });
  });

  it('counts those still watched on the day asked for', () => {
    const data = lives(TREATED);
    expect(survivalOn(data, kaplanMeier(data), 20)).toMatchObject({ days: 20, atRisk: 8 });
    expect(survivalOn(data, kaplanMeier(data), 20).surviving).toBeCloseTo(0.627, 3);
  });
});

describe('logRank', () => {
  it('gives the published statistic of the Freireich data', () => {
    const test = logRank(lives(TREATED), lives(PLACEBO));
    expect(test?.chiSquared).toBeCloseTo(16.79, 2);
    expect(test?.p).toBeLessThan(0.0001);
  });

  it('is one for a group against itself and null against nobody', () => {
    expect(logRank(lives(PLACEBO), lives(PLACEBO))?.p).toBeCloseTo(1, 6);
    expect(logRank(lives(PLACEBO), noLives())).toBeNull();
  });
});

describe('clusteredRate', () => {
  it('is wider than a binomial interval where lines fall together', () => {
    const together = clusteredRate([
      { size: 100, events: 100 },
      ...Array.from({ length: 9 }, () => ({ size: 100, events: 0 })),
    ]);
    const apart = clusteredRate(Array.from({ length: 10 }, () => ({ size: 100, events: 10 })));
    expect(together.value).toBeCloseTo(0.1);
    expect(apart.value).toBeCloseTo(0.1);
    expect(together.high - together.low).toBeGreaterThan(apart.high - apart.low);
  });

  it('is the normal interval, nearly, where there are many commits', () => {
    const clusters = Array.from({ length: 4000 }, (_, i) => ({ size: 10, events: i % 4 === 0 ? 10 : 0 }));
    const { low, high } = clusteredRate(clusters);
    const deviation = 1.96 * Math.sqrt((0.25 * 0.75) / 4000);
    expect(low).toBeCloseTo(0.25 - deviation, 3);
    expect(high).toBeCloseTo(0.25 + deviation, 3);
  });

  it('knows only as many lines as there are commits where none fell, and where all did', () => {
    const of = (events: number) => clusteredRate(Array.from({ length: 20 }, () => ({ size: 50, events })));
    expect(of(0)).toMatchObject({ value: 0, low: 0 });
    expect(of(0).high).toBeCloseTo(0.161, 3); // Wilson's for 0 of 20
    expect(of(50).low).toBeCloseTo(1 - 0.161, 3);
    expect(of(50).high).toBeCloseTo(1, 12);
  });

  it('is never narrower than for lines that are independent', () => {
    const { low, high } = clusteredRate(Array.from({ length: 10 }, () => ({ size: 10, events: 1 })));
    expect(low).toBeCloseTo(0.0552, 3); // Wilson's for 10 of 100
    expect(high).toBeCloseTo(0.1744, 3);
  });

  it('knows nothing from one commit', () => {
    expect(clusteredRate([{ size: 10, events: 5 }])).toEqual({ value: 0.5, low: 0, high: 1 });
  });
});
