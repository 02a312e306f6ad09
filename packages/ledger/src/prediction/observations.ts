import type { Candidate, RunDocument } from '@lathe/protocol';
import type { KeptCandidate, LineHistory, LineLife } from '../outcomes.ts';
import type { Observation } from './predict-churn.ts';

const DAY_MS = 86_400_000;

/** Commits with fewer lines than this say little, and there are many of them: they are not asked what came of them. */
export const FEWEST_LINES = 3;

/**
 * What was known of each kept candidate on the day it was kept, and what came of its lines. Candidates kept less than the
 * window ago are left out: of their lines only those that fell already would be seen.
 */
export function keptObservations(
  runs: readonly RunDocument[],
  kept: readonly KeptCandidate[],
  history: LineHistory,
  windowDays: number,
): Observation[] {
  const byId = new Map(runs.map((run) => [run.runId, run]));
  return kept.flatMap(({ runId, candidate: id, found }) => {
    const run = byId.get(runId);
    const candidate = run?.candidates.find((one) => one.id === id);
    if (run === undefined || candidate === undefined || found === null) return [];
    if (!isWatched(found.commit, history, windowDays)) return [];
    return [{ ...outcome(found.lives, windowDays), signals: signalsOf(candidate, run) }];
  });
}

/** The gates' and the ranking's evidence on a candidate, as numbers; sizes are log₂(1 + n). */
function signalsOf(candidate: Candidate, run: RunDocument): Record<string, number | null> {
  const { findings, diff, behaviour, meanLogProbability } = candidate;
  const dirt = findings.filter(({ kind }) => kind === 'quality').length;
  const usable = run.candidates.filter((one) => one.behaviour !== null);
  const same = usable.filter((one) => one.behaviour === behaviour);
  const place = run.ranking.findIndex(({ id }) => id === candidate.id);
  return {
    'weaknesses added': findings.length - dirt,
    'dirt added': dirt,
    'lines changed': Math.log2(1 + diff.added + diff.deleted),
    'files changed': Math.log2(1 + diff.files),
    'share with the same code': behaviour === null ? null : same.length / usable.length,
    'share that passed': run.statistics.passed / run.statistics.n,
    'mean log-probability': meanLogProbability,
    'place in the ranking': place < 0 ? null : place + 1,
    ...candidate.signals,
  };
}

/**
 * Every commit of the history whose signals are known, the same question asked of it: what was known on its day, and what
 * came of its lines. Left out are the given commits, those with fewer than three lines, and those made less than the
 * window ago.
 */
export function commitObservations(
  history: LineHistory,
  windowDays: number,
  without: ReadonlySet<number> = new Set(),
): Observation[] {
  const byCommit = new Map<number, LineLife[]>();
  for (const life of history.lives) {
    const lives = byCommit.get(life.commit);
    if (lives === undefined) byCommit.set(life.commit, [life]);
    else lives.push(life);
  }
  return [...byCommit]
    .sort(([a], [b]) => a - b)
    .flatMap(([commit, lives]) => {
      const signals = history.commits[commit]?.signals;
      if (signals === undefined || without.has(commit) || !isWatched(commit, history, windowDays)) return [];
      const seen = outcome(lives, windowDays);
      return seen.watched < FEWEST_LINES ? [] : [{ ...seen, signals }];
    });
}

function isWatched(commit: number, { commits, lastSeenMs }: LineHistory, windowDays: number): boolean {
  return (commits[commit]?.timeMs ?? Number.POSITIVE_INFINITY) <= lastSeenMs - windowDays * DAY_MS;
}

function outcome(lives: readonly LineLife[], windowDays: number): { watched: number; churned: number } {
  const churned = lives.filter(({ endedBy, days }) => endedBy !== null && days <= windowDays).length;
  const stood = lives.filter(({ days }) => days > windowDays).length;
  return { watched: churned + stood, churned };
}
