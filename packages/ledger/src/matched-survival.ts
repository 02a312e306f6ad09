import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { HistoryCommit, LineLife } from './outcomes.ts';
import { countBy, interval } from './resampling.ts';

/** A difference of two estimates from the same resamples, or why there is none. */
export interface MatchedSurvival {
  readonly days: number;
  readonly kept: Estimate;
  readonly handMade: Estimate;
  /** Kept minus hand-made. */
  readonly difference: Estimate;
}

export interface Estimate {
  readonly value: number;
  /** 95 %; null where there are too few commits to tell. */
  readonly low: number | null;
  readonly high: number | null;
}

export interface Comparison {
  /** Kept lines that have hand-made ones of the same month and directory beside them. */
  readonly keptLines: number;
  readonly keptCommits: number;
  readonly handMadeLines: number;
  readonly handMadeCommits: number;
  /** Kept lines without any: left out of the comparison. */
  readonly unmatchedLines: number;
  /** Null: enough for an interval. Else what there is too little of, in words. */
  readonly tooFew: string | null;
  readonly survival: readonly MatchedSurvival[];
}

/** Fewer commits than this on either side give no interval: lines of one commit stand or fall together. */
export const FEWEST_COMMITS = 8;
export const HORIZON_DAYS: readonly number[] = [7, 14, 30, 90];
const RESAMPLES = 400;

/** One commit's lines that were watched equally long and ended alike. */
interface Entry {
  readonly cluster: number;
  readonly days: number;
  readonly ended: boolean;
  weight: number;
}

interface Sample {
  readonly entries: readonly Entry[];
  readonly clusters: number;
}

/**
 * Survival of kept lines against hand-made ones of the same months and directories.
 *
 * Lines are matched by stratum (month in which they were written, directory): a hand-made line of stratum s weighs kept(s)/made(s), so
 * that both sides have the same months and places; a stratum that only one side has is left out. Weighted Kaplan–Meier
 * on both, right-censored at the day last seen:
 *
 *     S(t) = Π_{tᵢ ≤ t} (1 − Σ w of deaths on tᵢ / Σ w at risk on tᵢ)
 *
 * Intervals are the 2.5 % and 97.5 % quantiles over 400 bootstrap resamples of whole commits (Davison and Hinkley,
 * *Bootstrap Methods and their Application*, §3.8), the weights held fixed. A horizon is told only where both sides have
 * a line watched that long.
 */
export function compareSurvival(
  kept: readonly LineLife[],
  handMade: readonly LineLife[],
  commits: readonly HistoryCommit[],
  seed = 1,
): Comparison {
  const stratum = ({ commit, written, directory }: LineLife) =>
    `${new Date((written ?? commits[commit])?.timeMs ?? 0).toISOString().slice(0, 7)}\0${directory}`;
  const keptIn = countBy(kept, stratum);
  const madeIn = countBy(handMade, stratum);
  const matchedKept = kept.filter((life) => madeIn.has(stratum(life)));
  const matchedMade = handMade.filter((life) => keptIn.has(stratum(life)));
  const one = sample(matchedKept, () => 1);
  const other = sample(matchedMade, (life) => {
    const key = stratum(life);
    return (keptIn.get(key) ?? 0) / (madeIn.get(key) ?? 1);
  });
  const tooFew = lacking(one.clusters, other.clusters);
  const horizons = HORIZON_DAYS.filter((days) => watched(one, days) && watched(other, days));
  return {
    keptLines: matchedKept.length,
    keptCommits: one.clusters,
    handMadeLines: matchedMade.length,
    handMadeCommits: other.clusters,
    unmatchedLines: kept.length - matchedKept.length,
    tooFew,
    survival: estimate(one, other, horizons, tooFew === null ? RESAMPLES : 0, seed),
  };
}

function lacking(kept: number, handMade: number): string | null {
  if (kept >= FEWEST_COMMITS && handMade >= FEWEST_COMMITS) return null;
  return `${kept} kept and ${handMade} hand-made commits share months and directories; at least ${FEWEST_COMMITS} of each are needed to tell more than chance`;
}

function watched({ entries }: Sample, days: number): boolean {
  return entries.some((entry) => entry.days >= days);
}

function estimate(one: Sample, other: Sample, horizons: readonly number[], resamples: number, seed: number) {
  const points = [kaplanMeier(one, horizons), kaplanMeier(other, horizons)] as const;
  const random = xoroshiro128plus(seed);
  const drawn = Array.from({ length: resamples }, () => {
    const draw = ({ clusters }: Sample) => {
      const times = new Float64Array(clusters);
      for (let i = 0; i < clusters; i += 1) times[uniformInt(random, 0, clusters - 1)]! += 1;
      return times;
    };
    return [kaplanMeier(one, horizons, draw(one)), kaplanMeier(other, horizons, draw(other))] as const;
  });
  return horizons.map((days, h): MatchedSurvival => {
    const withInterval = (of: (pair: readonly [number[], number[]]) => number): Estimate => ({
      value: of(points as readonly [number[], number[]]),
      ...(drawn.length === 0 ? { low: null, high: null } : interval(drawn.map(of))),
    });
    return {
      days,
      kept: withInterval(([a]) => a[h]!),
      handMade: withInterval(([, b]) => b[h]!),
      difference: withInterval(([a, b]) => a[h]! - b[h]!),
    };
  });
}

/** Surviving share at each horizon (ascending); `times` says how often each cluster was drawn. */
function kaplanMeier({ entries }: Sample, horizons: readonly number[], times?: Float64Array): number[] {
  const weightOf = (entry: Entry) => entry.weight * (times?.[entry.cluster] ?? 1);
  let atRisk = entries.reduce((sum, entry) => sum + weightOf(entry), 0);
  let surviving = 1;
  let i = 0;
  return horizons.map((horizon) => {
    while (i < entries.length && entries[i]!.days <= horizon) {
      const day = entries[i]!.days;
      let deaths = 0;
      let leaving = 0;
      for (; i < entries.length && entries[i]!.days === day; i += 1) {
        const weight = weightOf(entries[i]!);
        leaving += weight;
        if (entries[i]!.ended) deaths += weight;
      }
      if (deaths > 0) surviving *= Math.max(0, 1 - deaths / atRisk);
      atRisk -= leaving;
    }
    return surviving;
  });
}

function sample(lives: readonly LineLife[], weight: (life: LineLife) => number): Sample {
  const clusters = new Map<number, number>();
  const entries = new Map<string, Entry>();
  for (const life of lives) {
    let cluster = clusters.get(life.commit);
    if (cluster === undefined) {
      cluster = clusters.size;
      clusters.set(life.commit, cluster);
    }
    const ended = life.endedBy !== null;
    const key = `${cluster} ${life.days} ${ended}`;
    const entry = entries.get(key);
    if (entry === undefined) entries.set(key, { cluster, days: life.days, ended, weight: weight(life) });
    else entry.weight += weight(life);
  }
  return { entries: [...entries.values()].sort((a, b) => a.days - b.days), clusters: clusters.size };
}
