import { LatheError, type RunOptions, type Task } from '@lathe/protocol';
import { RunBudget } from './budget.ts';
import { closeRun } from './closing.ts';
import { makeAndCheck } from './making.ts';
import { type RunState, replayRun, startOf } from './replay.ts';
import { type RunParts, Session } from './session.ts';

/** What a run is about; stored as its first event. */
export interface RunStart {
  readonly runId: string;
  readonly task: Task;
  readonly options: RunOptions;
  readonly baseCommit: string;
  readonly headCommit: string;
  readonly uncommitted: readonly string[];
  /** Directory of the checkout. */
  readonly repository: string;
}

/**
 * Makes N candidates, checks them while others are still being made, and ranks them.
 *
 * Order on disk, per candidate: ref (with the answer and its cost in the commit message), `candidate-made`,
 * `candidate-recorded`, gates, checks, `candidate-finished`. Each event is stored before it is shown. A process that
 * dies anywhere leaves a prefix of that order, from which `resumeRun` goes on.
 *
 * A failure of one candidate is its status. Where every maker fails as a whole (unknown model, wrong key) the run ends
 * as `error` and the makers' problem is thrown; so is an error of the store or of the repository.
 */
export async function runBestOfN(start: RunStart, parts: RunParts): Promise<RunState> {
  const { runId, task, options, baseCommit, headCommit, uncommitted, repository } = start;
  const event = {
    type: 'run-started' as const,
    atMs: parts.clock(),
    task,
    options,
    baseCommit,
    headCommit,
    uncommitted: [...uncommitted],
    isolation: parts.workspaces.isolation,
    repository,
  };
  await parts.store.append(runId, event);
  const session = new Session(startOf(runId, event), parts);
  session.tell({ type: 'event', event, state: session.state });
  return drive(session);
}

/**
 * Goes on with a run that was cut off, cancelled or out of budget. What is finished is not done again; a candidate
 * whose checks were cut off has them all run anew, since the copy they ran in is gone. A run that came to its end is
 * returned as it is.
 *
 * @throws LATHE_NOT_FOUND_RUN
 */
export async function resumeRun(runId: string, parts: RunParts): Promise<RunState> {
  const state = replayRun(runId, await parts.store.read(runId));
  if (state === null) {
    throw new LatheError('LATHE_NOT_FOUND_RUN', `There is no run ${runId}.`, { remedy: 'lathe list shows the runs.' });
  }
  if (isComplete(state)) return state;
  const session = new Session(state, parts);
  await session.append({ type: 'run-resumed', atMs: parts.clock() });
  return drive(session);
}

/** Whether there is nothing left to do: every candidate is finished and the run was closed. */
export function isComplete(state: RunState): boolean {
  if (state.finished === null || state.candidates.size < state.started.options.n) return false;
  return [...state.candidates.values()].every(({ finished }) => finished !== null);
}

async function drive(session: Session): Promise<RunState> {
  const { options } = session.state.started;
  const budget = new RunBudget(options.maxCostUsd, spentUsd(session.state));
  const deadline = startDeadline(session);
  try {
    const problem = await makeAndCheck(session, budget);
    await closeRun(session, { budget, outOfTime: deadline.passed(), problem });
    if (problem !== null) throw problem;
    return session.state;
  } catch (error) {
    // Best effort: a store that fails cannot take this event either. The error itself is what the caller gets.
    if (session.state.finished === null)
      await closeRun(session, { budget, outOfTime: false, problem: error }).catch(() => undefined);
    throw error;
  } finally {
    deadline.clear();
  }
}

function spentUsd(state: RunState): number {
  return [...state.candidates.values()].reduce((sum, { made }) => sum + made.costUsd, 0);
}

/** Timers beyond this fire at once; nobody waits 24 days for a run. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function startDeadline(session: Session): { passed: () => boolean; clear: () => void } {
  const { maxSeconds } = session.state.started.options;
  let passed = false;
  if (maxSeconds === null) return { passed: () => false, clear: () => undefined };
  const leftMs = Math.max(0, maxSeconds * 1000 - session.state.earlier.durationMs);
  if (leftMs > LONGEST_TIMER_MS) return { passed: () => false, clear: () => undefined };
  const timer = setTimeout(() => {
    passed = true;
    session.stop(new Error('the time of the run is up'));
  }, leftMs);
  return { passed: () => passed, clear: () => clearTimeout(timer) };
}
