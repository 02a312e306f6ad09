import type { Rate, RunDocument } from '@lathe/protocol';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { interval, mean } from './resampling.ts';

/** What making several candidates gained over making one. */
export interface Attempts {
  readonly runs: number;
  readonly candidates: number;
  /** Candidates by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Runs in which at least one candidate passed. */
  readonly runsPassed: number;
  readonly runsKept: number;
  /** Runs the figures below are taken over: those with at least `size` candidates. */
  readonly comparedRuns: number;
  /** Ten, or the most any run has where no run has ten. */
  readonly size: number;
  /** Mean of the runs' unbiased pass@k, for every k from 1 to `size`. */
  readonly passAt: Readonly<Record<string, number>>;
  /** pass@size − pass@1: what all the others added to the first. Null where there is one candidate at most. */
  readonly gainOverOne: Rate | Uncertain | null;
  /** pass@size − pass@(size − 1): what the last one added. */
  readonly gainOfLast: Rate | Uncertain | null;
  /** Null: enough runs for an interval. Else what there is too little of, in words. */
  readonly tooFew: string | null;
}

export interface Uncertain {
  readonly value: number;
  readonly low: null;
  readonly high: null;
}

const SIZE = 10;
/** Fewer runs than this give no interval. */
export const FEWEST_RUNS = 8;
const RESAMPLES = 1000;

/**
 * Counts runs and candidates and averages the runs' pass@k (Chen et al. 2021, arXiv 2107.03374, §2.1), every run
 * counting alike. Intervals are the 2.5 % and 97.5 % quantiles over 1000 bootstrap resamples of runs. They tell of tasks
 * like the ones there were, with the models they were given to.
 */
export function countAttempts(runs: readonly RunDocument[], seed = 1): Attempts {
  const candidates = runs.flatMap((run) => run.candidates);
  const statuses: Record<string, number> = {};
  for (const { status } of candidates) statuses[status] = (statuses[status] ?? 0) + 1;
  // Runs whose candidates were drawn to differ have no pass@k.
  const independent = runs.filter((run) => run.statistics.n === 0 || run.statistics.passAt['1'] !== undefined);
  const size = Math.min(SIZE, Math.max(0, ...independent.map((run) => run.statistics.n)));
  const compared = size === 0 ? [] : independent.filter((run) => run.statistics.n >= size);
  const at = (run: RunDocument, k: number) => run.statistics.passAt[String(k)]?.value ?? 0;
  const passAt: Record<string, number> = {};
  for (let k = 1; k <= size; k += 1) passAt[k] = mean(compared.map((run) => at(run, k)));
  const gain = (from: number) =>
    size < 2
      ? null
      : withInterval(
          compared.map((run) => at(run, size) - at(run, from)),
          seed,
        );
  return {
    runs: runs.length,
    candidates: candidates.length,
    statuses,
    runsPassed: runs.filter((run) => run.statistics.passed > 0).length,
    runsKept: runs.filter((run) => run.kept !== null).length,
    comparedRuns: compared.length,
    size,
    passAt,
    gainOverOne: gain(1),
    gainOfLast: gain(size - 1),
    tooFew:
      compared.length >= FEWEST_RUNS
        ? null
        : `${compared.length} runs of ${size} candidates; at least ${FEWEST_RUNS} are needed to tell more than chance`,
  };
}

function withInterval(values: readonly number[], seed: number): Rate | Uncertain {
  const value = mean(values);
  if (values.length < FEWEST_RUNS) return { value, low: null, high: null };
  const random = xoroshiro128plus(seed);
  const means = Array.from({ length: RESAMPLES }, () =>
    mean(values.map(() => values[uniformInt(random, 0, values.length - 1)]!)),
  );
  return { value, ...interval(means) };
}
