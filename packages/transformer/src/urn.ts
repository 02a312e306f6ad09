import { laterLogTime, logAddExp, logInclusion, logSubExp } from './race.ts';
import type { PathRandom } from './random.ts';

/** A whole sequence and when it crosses the line for the first time. */
export interface Leaf {
  readonly text: string;
  /** log of its probability under the distribution that is sampled. */
  readonly logProbability: number;
  readonly logTime: number;
  readonly random: PathRandom;
}

export interface Arrival<L extends Leaf> {
  readonly leaf: L;
  readonly logTime: number;
}

/**
 * The first `most` draws before `logLimit`, in order, where each draw of a text takes the share `distinct` of the text's
 * probability away: 1 is without replacement, and near 0 the draws become independent.
 *
 * Every sequence is a Poisson process of rate p, whose events in order are independent draws; once a text has been drawn,
 * all that is to come of it comes at 1 − distinct times the rate: what is left of a waiting time, which has no memory,
 * becomes 1 / (1 − distinct) times as long. `leaves` must hold every sequence whose first time is before the limit.
 */
export function drawFrom<L extends Leaf>(
  leaves: readonly L[],
  { distinct, most, logLimit }: { distinct: number; most: number; logLimit: number },
): Arrival<L>[] {
  const logKept = Math.log1p(-distinct);
  const runners = leaves.map((leaf) => ({ leaf, logTime: leaf.logTime }));
  const randoms = new Map<L, PathRandom>();
  const drawn = new Map<string, number>();
  const arrivals: Arrival<L>[] = [];
  while (arrivals.length < most && runners.length > 0) {
    const first = runners.reduce((best, runner) => (runner.logTime < best.logTime ? runner : best));
    const { leaf, logTime } = first;
    if (!(logTime < logLimit)) break;
    arrivals.push({ leaf, logTime });
    const times = (drawn.get(leaf.text) ?? 0) + 1;
    drawn.set(leaf.text, times);
    for (const runner of runners)
      if (runner !== first && runner.leaf.text === leaf.text)
        runner.logTime = logAddExp(logTime, logSubExp(runner.logTime, logTime) - logKept);
    const random = randoms.get(leaf) ?? leaf.random.child(0);
    randoms.set(leaf, random);
    first.logTime = laterLogTime(logTime, leaf.logProbability + times * logKept, random.next());
  }
  return arrivals;
}

/**
 * log of the weight of each text in a sample without replacement, such that Σ weight · f(text) is an unbiased estimate of
 * E[f] under the distribution that is sampled, for every f:
 *
 *   weight = Σ p / P(before τ) = Σ p / (1 − e^(−p τ))   over the text's sequences that came before τ,
 *
 * τ the time of the first text that is not in the sample. Given all the others, a sequence came before τ with just that
 * probability. Kool et al. 2019 §4.1, after Duffield, Lund & Thorup 2007, https://doi.org/10.1145/1314690.1314696
 */
export function logWeights(leaves: readonly Leaf[], logThreshold: number): Map<string, number> {
  const weights = new Map<string, number>();
  for (const { text, logProbability, logTime } of leaves) {
    if (!(logTime < logThreshold)) continue;
    const weight =
      logThreshold === Number.POSITIVE_INFINITY
        ? logProbability
        : logProbability - logInclusion(logProbability, logThreshold);
    weights.set(text, logAddExp(weights.get(text) ?? Number.NEGATIVE_INFINITY, weight));
  }
  return weights;
}
