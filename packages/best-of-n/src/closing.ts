import type { Event } from '@lathe/protocol';
import type { RunBudget } from './budget.ts';
import { criteriaFor, rank } from './ranking.ts';
import type { Session } from './session.ts';

type Finished = Extract<Event, { type: 'run-finished' }>;

/** Ranks what is finished and stores how the run ended. */
export async function closeRun(
  session: Session,
  end: { budget: RunBudget; outOfTime: boolean; problem: unknown },
): Promise<void> {
  const { state } = session;
  const ranked = rank(state.candidates.values(), session.parts.criteria ?? criteriaFor(state.started.options));
  const { outcome, reason } = outcomeOf(session, end, ranked.best !== null);
  await session.append({ type: 'ranked', atMs: session.now(), ranking: [...ranked.ranking], best: ranked.best });
  const atMs = session.now();
  const totals = {
    durationMs: state.earlier.durationMs + atMs - state.sessionStartedMs,
    makeMs: state.earlier.makeMs + session.making.totalMs,
    checkMs: state.earlier.checkMs + session.checking.totalMs,
  };
  await session.append({ type: 'run-finished', atMs, outcome, reason, totals });
}

function outcomeOf(
  { state, parts }: Session,
  { budget, outOfTime, problem }: { budget: RunBudget; outOfTime: boolean; problem: unknown },
  passed: boolean,
): Pick<Finished, 'outcome' | 'reason'> {
  const { n, maxSeconds, maxCostUsd } = state.started.options;
  if (problem !== null)
    return { outcome: 'error', reason: problem instanceof Error ? problem.message : String(problem) };
  const finished = [...state.candidates.values()].filter((candidate) => candidate.finished !== null).length;
  const progress = `${finished} of ${n} candidates are finished`;
  if (finished < n && parts.signal?.aborted) return { outcome: 'cancelled', reason: progress };
  if (passed) return { outcome: 'passed', reason: null };
  if (finished < n && outOfTime) return { outcome: 'budget', reason: `the ${maxSeconds} s are up; ${progress}` };
  if (budget.refused) return { outcome: 'budget', reason: `the next request could exceed the ${maxCostUsd} dollars` };
  return { outcome: 'none-passed', reason: null };
}
