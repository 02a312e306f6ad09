import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;

/** A statistic of groups with its 95 % percentile interval over resampled groups (Efron and Tibshirani 1993, §13.3). */
export function bootstrap<T>(groups: readonly T[], statistic: (groups: readonly T[]) => number): Estimate {
  const random = xoroshiro128plus(1);
  const values = Array.from({ length: RESAMPLES }, () =>
    statistic(groups.map(() => groups[uniformInt(random, 0, groups.length - 1)]!)),
  )
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const at = (share: number) => values[Math.round(share * (values.length - 1))] ?? Number.NaN;
  return { value: statistic(groups), low: at(0.025), high: at(0.975) };
}

/** Of all pairs of one from each list, the share in which the first is larger; half for equal ones. Mann and Whitney 1947 */
export function pairsWon(first: readonly number[], second: readonly number[]): { won: number; pairs: number } {
  const sorted = [...second].sort((a, b) => a - b);
  let won = 0;
  for (const value of first) {
    const below = places(sorted, (other) => other < value);
    const upTo = places(sorted, (other) => other <= value);
    won += below + (upTo - below) / 2;
  }
  return { won, pairs: first.length * second.length };
}

function places(sorted: readonly number[], isBefore: (value: number) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(sorted[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const inWords = ({ value, low, high }: Estimate, digits = 3): string =>
  `${value.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
