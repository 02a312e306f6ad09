import type { RunDocument } from '@lathe/protocol';
import { type Attempts, countAttempts } from './attempts.ts';
import { type Comparison, compareSurvival } from './matched-survival.ts';
import { FATES, type Fate, type KeptCandidate, type LineHistory, type Outcome, outcomeOf } from './outcomes.ts';
import { commitObservations, keptObservations } from './prediction/observations.ts';
import { type ChurnPrediction, predictChurn } from './prediction/predict-churn.ts';

/** What `lathe ledger --json` prints. */
export interface LedgerReport {
  readonly schemaVersion: 1;
  /** Days within which a line that ends counts as churned. */
  readonly windowDays: number;
  readonly attempts: Attempts;
  readonly kept: {
    /** Newest first. */
    readonly outcomes: readonly Outcome[];
    readonly lines: number;
    readonly fates: Readonly<Record<Fate, number>>;
    /** Kept candidates that are not in the history. */
    readonly notFound: number;
  };
  /** Kept lines against hand-made ones of the same months and directories. */
  readonly comparison: Comparison;
  /** Which signals predicted churn here. */
  readonly prediction: {
    /** Gates and ranking, of what was kept. */
    readonly kept: ChurnPrediction;
    /** The same question asked of past commits that no run made. */
    readonly commits: ChurnPrediction;
  };
  /** What this report does not look at, in words. */
  readonly notLookedFor: readonly { readonly what: string; readonly why: string }[];
}

/**
 * The ledger of a repository: what the runs made, what became of what was kept, and how that compares with lines made by
 * hand, and which signals told beforehand. Hand-made is what no commit says otherwise of and what is in no commit a
 * candidate was found in.
 */
export function reportLedger(
  runs: readonly RunDocument[],
  kept: readonly KeptCandidate[],
  history: LineHistory,
  windowDays: number,
  notLookedFor: LedgerReport['notLookedFor'] = [],
): LedgerReport {
  const outcomes = kept
    .toSorted((a, b) => b.keptAtMs - a.keptAtMs)
    .map((candidate) => outcomeOf(candidate, history, windowDays));
  const fates: Record<Fate, number> = { survived: 0, moved: 0, churned: 0, replaced: 0, reverted: 0 };
  for (const outcome of outcomes) for (const fate of FATES) fates[fate] += outcome.fates[fate];
  const keptLives = kept.flatMap(({ found }) => found?.lives ?? []);
  const keptCommits = new Set(kept.flatMap(({ found }) => (found === null ? [] : [found.commit])));
  const handMade = history.lives.filter(
    ({ commit, written }) => (written ?? history.commits[commit])?.origin === 'hand-made' && !keptCommits.has(commit),
  );
  return {
    schemaVersion: 1,
    windowDays,
    attempts: countAttempts(runs),
    kept: {
      outcomes,
      lines: keptLives.length,
      fates,
      notFound: outcomes.filter(({ status }) => status === 'not-found').length,
    },
    comparison: compareSurvival(keptLives, handMade, history.commits),
    prediction: {
      kept: predictChurn(keptObservations(runs, kept, history, windowDays)),
      commits: predictChurn(commitObservations(history, windowDays, keptCommits)),
    },
    notLookedFor,
  };
}
