import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Estimate } from '../matched-survival.ts';
import { countBy, interval, mean } from '../resampling.ts';
import { fitLogistic, logLoss, predictLeftOut, type Row } from './logistic.ts';

/** Something that was kept or committed, what was known of it on its day, and what came of its lines. */
export interface Observation {
  /** Lines that were watched for the whole window, or that ended in it. */
  readonly watched: number;
  /** Of these, lines that ended within the window. */
  readonly churned: number;
  /** By name; null where it was not measured. */
  readonly signals: Readonly<Record<string, number | null>>;
}

export interface SignalPrediction {
  readonly signal: string;
  /**
   * Odds ratio of churn for one standard deviation more of the signal, the other signals held fixed; above 1: more churn.
   * The penalty draws it towards 1.
   */
  readonly oddsRatio: Estimate;
  /** The same with this signal as the only one. */
  readonly alone: Estimate;
  /** By the interval of `oddsRatio`; `not told` where it holds 1. */
  readonly verdict: 'more churn' | 'less churn' | 'not told';
}

export interface ChurnPrediction {
  readonly observations: number;
  readonly lines: number;
  /** Share of churned lines, each observation counting alike. */
  readonly churnRate: number;
  /** Null: enough to fit. Else what there is too little of, in words; `signals` is then empty. */
  readonly tooFew: string | null;
  /** The ones that predict most first. */
  readonly signals: readonly SignalPrediction[];
  /** Signals that say nothing here because (almost) all observations have the same value, or too few have one. */
  readonly constant: readonly string[];
  /**
   * 1 − log loss with the signals / log loss without, each observation predicted from all the others: above 0 the signals
   * know something about what they have not seen. Null where there are too few.
   */
  readonly skill: Estimate | null;
  readonly penalty: number | null;
}

/** Fewer observations than this are no ground for a fit, nor fewer than this many with and without churn. */
export const FEWEST_OBSERVATIONS = 30;
export const FEWEST_OF_EACH = 8;
const RESAMPLES = 400;
const PENALTIES = [0.3, 1, 3, 10, 30, 100, 300] as const;

/**
 * Which signals predicted churn: a penalised logistic regression of each observation's churned share on its standardised
 * signals. The penalty is the one of a fixed grid with the least leave-one-out log loss. Intervals (95 %) are quantiles
 * over 400 bootstrap resamples of whole observations, since lines of one commit stand or fall together; the penalty is
 * held fixed in them. With m signals that predict nothing, about m in 20 are still told apart by chance.
 */
export function predictChurn(observations: readonly Observation[], seed = 1): ChurnPrediction {
  const usable = observations.filter(({ watched }) => watched > 0);
  const shares = usable.map(({ churned, watched }) => churned / watched);
  const { names, constant, rows } = standardised(usable, shares);
  const about = {
    observations: usable.length,
    lines: usable.reduce((sum, { watched }) => sum + watched, 0),
    churnRate: mean(shares),
    constant,
  };
  const tooFew = lacking(usable.length, shares.filter((share) => share > 0).length, names.length);
  if (tooFew !== null) return { ...about, tooFew, signals: [], skill: null, penalty: null };

  const lossesWith = (penalty: number) => {
    const leftOut = predictLeftOut(rows, penalty, fitLogistic(rows, penalty));
    return rows.map(({ y }, i) => logLoss(y, leftOut[i]!));
  };
  const penalty = leastBy(PENALTIES, (one) => mean(lossesWith(one)));
  const whole = fitLogistic(rows, penalty);
  const aloneRows = names.map((_, j) => rows.map(({ x, y }): Row => ({ x: x.subarray(j, j + 1), y })));
  const alone = aloneRows.map((one) => fitLogistic(one, penalty));

  const losses = lossesWith(penalty);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const without = shares.map((share) => logLoss(share, (total - share) / (shares.length - 1)));
  const skillOf = (times: (i: number) => number) => {
    let one = 0;
    let other = 0;
    for (const [i, loss] of losses.entries()) {
      one += times(i) * loss;
      other += times(i) * without[i]!;
    }
    return 1 - one / other;
  };

  const random = xoroshiro128plus(seed);
  const drawn = Array.from({ length: RESAMPLES }, () => {
    const times = new Float64Array(rows.length);
    for (let i = 0; i < rows.length; i += 1) times[uniformInt(random, 0, rows.length - 1)]! += 1;
    return {
      together: fitLogistic(rows, penalty, times, whole),
      alone: aloneRows.map((one, j) => fitLogistic(one, penalty, times, alone[j])[1]!),
      skill: skillOf((i) => times[i]!),
    };
  });
  const signals = names.map((signal, j): SignalPrediction => {
    const oddsRatio = ratio(
      whole[j + 1]!,
      drawn.map(({ together }) => together[j + 1]!),
    );
    return {
      signal,
      oddsRatio,
      alone: ratio(
        alone[j]![1]!,
        drawn.map((one) => one.alone[j]!),
      ),
      verdict: oddsRatio.low! > 1 ? 'more churn' : oddsRatio.high! < 1 ? 'less churn' : 'not told',
    };
  });
  const strength = ({ verdict, oddsRatio }: SignalPrediction) =>
    (verdict === 'not told' ? 0 : 1000) + Math.abs(Math.log(oddsRatio.value));
  return {
    ...about,
    tooFew: null,
    signals: signals.toSorted((a, b) => strength(b) - strength(a)),
    skill: {
      value: skillOf(() => 1),
      ...interval(drawn.map(({ skill }) => skill)),
    },
    penalty,
  };
}

function lacking(observations: number, withChurn: number, signals: number): string | null {
  const least = Math.max(FEWEST_OBSERVATIONS, 5 * signals);
  const withoutChurn = observations - withChurn;
  if (signals === 0) return `no signal takes different values in the ${observations} there are`;
  if (observations < least)
    return `${observations} whose lines were watched long enough; at least ${least} are needed for ${signals} signals`;
  if (withChurn < FEWEST_OF_EACH || withoutChurn < FEWEST_OF_EACH)
    return `${withChurn} with and ${withoutChurn} without a churned line; at least ${FEWEST_OF_EACH} of each are needed`;
  return null;
}

/** Signals with mean 0 and standard deviation 1; what was not measured becomes the mean, 0. */
function standardised(observations: readonly Observation[], shares: readonly number[]) {
  const all = [...new Set(observations.flatMap(({ signals }) => Object.keys(signals)))];
  const constant: string[] = [];
  const columns: { name: string; values: number[] }[] = [];
  for (const name of all) {
    const raw = observations.map(({ signals }) => signals[name] ?? null);
    const known = raw.filter((value) => value !== null);
    const middle = mean(known);
    const deviation = Math.sqrt(mean(known.map((value) => (value - middle) ** 2)));
    const commonest = Math.max(0, ...countBy(known, (value) => value).values());
    // A signal that only a handful of observations have says more about these than about itself.
    if (known.length * 2 < observations.length || known.length - commonest < FEWEST_OF_EACH || !(deviation > 1e-12))
      constant.push(name);
    else columns.push({ name, values: raw.map((value) => (value === null ? 0 : (value - middle) / deviation)) });
  }
  return {
    names: columns.map(({ name }) => name),
    constant,
    rows: observations.map(
      (_, i): Row => ({ x: Float64Array.from(columns, ({ values }) => values[i]!), y: shares[i]! }),
    ),
  };
}

function ratio(coefficient: number, resampled: readonly number[]): Estimate {
  const { low, high } = interval(resampled);
  return { value: Math.exp(coefficient), low: Math.exp(low), high: Math.exp(high) };
}

function leastBy(items: readonly number[], measure: (item: number) => number): number {
  const measured = items.map((item) => ({ item, value: measure(item) }));
  return measured.reduce((least, one) => (one.value < least.value ? one : least)).item;
}
