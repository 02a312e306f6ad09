import { levenbergMarquardt } from 'ml-levenberg-marquardt';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export interface Observation {
  readonly x: number;
  readonly y: number;
}

export interface Interval {
  readonly value: number;
  /** 2.5 and 97.5 %. */
  readonly low: number;
  readonly high: number;
}

/** y = floor + a · x^(−b), by least squares. */
export interface PowerLaw {
  /** 0 where it was not fitted. */
  readonly floor: Interval;
  readonly a: number;
  readonly b: Interval;
  /** Root of the mean squared residual, over the degrees of freedom. */
  readonly residual: number;
  /** Root of the mean squared error where all observations at one x between the ends are left out of the fit and predicted by it. Stone 1974 */
  readonly leftOut: number;
  at(x: number): number;
}

const MOST_B = 4;

/**
 * Fits y = a · x^(−b), or with `floor` y = floor + a · x^(−b) where all three are at least 0. Intervals by the bootstrap
 * over residuals: the fit's residuals, enlarged by √(n / (n − p)), are dealt out anew `resamples` times. They hold the scatter of
 * seeds and what the curve misses alike. Efron & Tibshirani 1993, §9.4. Throws `RangeError` with fewer than p + 2
 * observations.
 */
export function fitPowerLaw(
  observations: readonly Observation[],
  { floor, resamples }: { floor: boolean; resamples: number },
): PowerLaw {
  const p = floor ? 3 : 2;
  const n = observations.length;
  if (n < p + 2) throw new RangeError(`expected at least ${p + 2} observations, got ${n}`);
  const x = observations.map((observation) => observation.x);
  const y = observations.map((observation) => observation.y);
  const best = solve(x, y, floor);
  const fitted = x.map((value) => evaluate(best, value));
  const residuals = y.map((value, i) => value - fitted[i]!);
  const squares = residuals.reduce((sum, residual) => sum + residual * residual, 0);

  const random = xoroshiro128plus(1);
  const enlarged = residuals.map((residual) => residual * Math.sqrt(n / (n - p)));
  const resampled = Array.from({ length: resamples }, () =>
    solve(
      x,
      fitted.map((value) => value + enlarged[uniformInt(random, 0, n - 1)]!),
      floor,
      best,
    ),
  );
  const interval = (of: (solution: Solution) => number): Interval => {
    const sorted = resampled.map(of).sort((a, b) => a - b);
    const quantile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
    return { value: of(best), low: quantile(0.025), high: quantile(0.975) };
  };
  return {
    floor: floor ? interval((solution) => solution.floor) : { value: 0, low: 0, high: 0 },
    a: best.height * best.middle ** best.b,
    b: interval((solution) => solution.b),
    residual: Math.sqrt(squares / (n - p)),
    leftOut: leftOutError(x, y, floor),
    at: (value) => evaluate(best, value),
  };
}

function leftOutError(x: readonly number[], y: readonly number[], floor: boolean): number {
  const inner = new Set(x.filter((value) => value > Math.min(...x) && value < Math.max(...x)));
  const errors: number[] = [];
  for (const left of inner) {
    const rest = x.flatMap((value, i) => (value === left ? [] : [i]));
    const solution = solve(
      rest.map((i) => x[i]!),
      rest.map((i) => y[i]!),
      floor,
    );
    const predicted = evaluate(solution, left);
    for (const [i, value] of x.entries()) if (value === left) errors.push(y[i]! - predicted);
  }
  return Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
}

interface Solution {
  readonly floor: number;
  /** Of the curve above the floor where x is `middle`: hardly correlated with b, unlike a. */
  readonly height: number;
  readonly b: number;
  /** Geometric mean of x. */
  readonly middle: number;
}

function evaluate({ floor, height, b, middle }: Solution, x: number): number {
  return floor + height * (x / middle) ** -b;
}

function solve(x: readonly number[], y: readonly number[], floor: boolean, near?: Solution): Solution {
  const middle = Math.exp(x.reduce((sum, value) => sum + Math.log(value), 0) / x.length);
  const scaled = x.map((value) => value / middle);
  const mean = y.reduce((a, b) => a + b, 0) / y.length;
  const lowest = Math.min(...y);
  const starts = near
    ? [[near.height, near.b, near.floor]]
    : (floor ? [0, 0.5, 0.9] : [0]).map((share) => [mean - share * lowest, 0.1 + share, share * lowest]);
  const fits = starts.map((initialValues) =>
    levenbergMarquardt(
      { x: scaled, y: [...y] },
      ([height, b, base = 0]) =>
        (value: number) =>
          base + height! * value ** -b!,
      {
        initialValues: initialValues.slice(0, floor ? 3 : 2),
        minValues: floor ? [0, 0, 0] : [0, 0],
        maxValues: floor ? [10 * mean, MOST_B, mean] : [10 * mean, MOST_B],
        damping: 1e-3,
        gradientDifference: 1e-6,
        centralDifference: true,
        maxIterations: 100,
        errorTolerance: 0,
      },
    ),
  );
  const { parameterValues } = fits.reduce((a, b) => (b.parameterError < a.parameterError ? b : a));
  const [height, b, base = 0] = parameterValues;
  return { floor: base, height: height!, b: b!, middle };
}
