import { describe, expect, it } from 'vitest';
import { fitPowerLaw, type Observation } from './power-law.ts';

const XS = [1e4, 3e4, 1e5, 3e5, 1e6];
/** Two observations at each x; noise that is fixed and has no trend. */
const NOISE = [0.004, -0.006, 0.002, 0.005, -0.003, -0.004, 0.006, 0.001, -0.005, 0.003];

function observed(of: (x: number) => number, noise = 0): Observation[] {
  return XS.flatMap((x, i) => [0, 1].map((j) => ({ x, y: of(x) + noise * NOISE[2 * i + j]! })));
}

describe('fitPowerLaw', () => {
  it('finds a curve it is given, floor and all', () => {
    const fit = fitPowerLaw(
      observed((x) => 1.5 + 40 * x ** -0.4),
      { floor: true, resamples: 200 },
    );
    expect(fit.floor.value).toBeCloseTo(1.5, 3);
    expect(fit.b.value).toBeCloseTo(0.4, 3);
    expect(fit.a).toBeCloseTo(40, 0);
    expect(fit.at(2e5)).toBeCloseTo(1.5 + 40 * 2e5 ** -0.4, 4);
    expect(fit.residual).toBeLessThan(1e-4);
  });

  it('without a floor it is a straight line in logarithms', () => {
    const fit = fitPowerLaw(
      observed((x) => 7 * x ** -0.08),
      { floor: false, resamples: 200 },
    );
    expect(fit).toMatchObject({ floor: { value: 0, low: 0, high: 0 } });
    expect(fit.b.value).toBeCloseTo(0.08, 5);
    expect(fit.a).toBeCloseTo(7, 3);
  });

  it('gives intervals that hold the truth, wider where there is more noise', () => {
    const of = (x: number) => 1.5 + 40 * x ** -0.4;
    const quiet = fitPowerLaw(observed(of, 1), { floor: true, resamples: 200 });
    const loud = fitPowerLaw(observed(of, 5), { floor: true, resamples: 200 });
    for (const fit of [quiet, loud]) {
      expect(fit.b.low).toBeLessThan(0.4);
      expect(fit.b.high).toBeGreaterThan(0.4);
      expect(fit.floor.low).toBeLessThan(1.5);
      expect(fit.floor.high).toBeGreaterThan(1.5);
    }
    expect(loud.b.high - loud.b.low).toBeGreaterThan(2 * (quiet.b.high - quiet.b.low));
  });

  it('prefers a floor where there is one, and none where there is none', () => {
    const withFloor = observed((x) => 1.5 + 40 * x ** -0.4, 1);
    const without = observed((x) => 7 * x ** -0.08, 1);
    const error = (data: readonly Observation[], floor: boolean) => fitPowerLaw(data, { floor, resamples: 1 }).leftOut;
    expect(error(withFloor, true)).toBeLessThan(error(withFloor, false));
    expect(error(without, false)).toBeLessThan(error(without, true));
  });

  it('gives the same intervals every time', () => {
    const data = observed((x) => 7 * x ** -0.08, 1);
    expect(fitPowerLaw(data, { floor: false, resamples: 200 }).b).toEqual(
      fitPowerLaw(data, { floor: false, resamples: 200 }).b,
    );
  });

  it('refuses too few observations', () => {
    const few = observed((x) => x ** -0.1).slice(0, 4);
    expect(() => fitPowerLaw(few, { floor: true, resamples: 200 })).toThrow('expected at least 5 observations, got 4');
  });
});
