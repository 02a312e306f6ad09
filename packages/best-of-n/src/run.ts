import { type Event, LatheError, type Maker, type RunOptions, type Task } from '@lathe/protocol';
import { RunBudget } from './budget.ts';
import { adoptRecorded } from './candidate.ts';
import { Pipeline } from './pipeline.ts';
import { rank } from './ranking.ts';
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
    await close(session, { budget, outOfTime: deadline.passed(), problem });
    if (problem !== null) throw problem;
    return session.state;
  } catch (error) {
    // Best effort: a store that fails cannot take this event either. The error itself is what the caller gets.
    if (session.state.finished === null)
      await close(session, { budget, outOfTime: false, problem: error }).catch(() => undefined);
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

/** Returns the makers' problem where all of them failed as a whole and made nothing, else null. */
async function makeAndCheck(session: Session, budget: RunBudget): Promise<unknown> {
  await adoptAll(session);
  const jobs = byMaker(session);
  const pipeline = new Pipeline(session);
  pipeline.goOn();
  const made = await Promise.all(jobs.map((job) => makeWith(session, job, budget, pipeline)));
  const failures = made.filter((one) => one !== null);
  const [failure] = failures;
  if (failure !== undefined && failures.length === jobs.length && pipeline.taken === 0) {
    session.stop(failure.error);
    await pipeline.drained();
    return failure.error;
  }
  for (const one of failures) giveUp(session, one, pipeline);
  await pipeline.drained();
  return null;
}

/** After a crash: candidates whose ref is there and whose events are not. */
async function adoptAll(session: Session): Promise<void> {
  const { n } = session.state.started.options;
  for (let index = 0; index < n; index += 1) {
    const known = session.state.candidates.get(index);
    if (known === undefined || (known.recorded === null && known.made.outcome === 'made')) {
      await adoptRecorded(session, index);
    }
  }
}

interface MakerJob {
  readonly maker: Maker;
  readonly indices: readonly number[];
}

/** Candidate i is made by model i mod the number of models; indices that are made already are left out. */
function byMaker(session: Session): MakerJob[] {
  const { n, models } = session.state.started.options;
  const jobs = new Map<string, number[]>();
  for (let index = 0; index < n; index += 1) {
    if (session.state.candidates.has(index)) continue;
    const model = models[index % models.length]!;
    const indices = jobs.get(model) ?? [];
    indices.push(index);
    jobs.set(model, indices);
  }
  return [...jobs].map(([model, indices]) => {
    const maker = session.parts.makers.find((one) => one.model === model);
    if (maker === undefined) throw new Error(`internal: no maker for ${model}`);
    return { maker, indices };
  });
}

interface MakerFailure {
  readonly model: string;
  readonly missing: readonly number[];
  readonly error: unknown;
}

async function makeWith(
  session: Session,
  { maker, indices }: MakerJob,
  budget: RunBudget,
  pipeline: Pipeline,
): Promise<MakerFailure | null> {
  const missing = new Set(indices);
  const { task, options } = session.state.started;
  try {
    await session.making.during(async () => {
      const news = maker.make({
        task,
        base: session.parts.recorder.treeAt(session.baseCommit),
        indices,
        seed: options.seed,
        temperature: options.temperature,
        budget,
        workspaces: session.parts.workspaces,
        signal: session.signal,
      });
      for await (const one of news) {
        if (one.type !== 'proposal') {
          session.tell({ type: 'maker', model: maker.model, news: one });
          continue;
        }
        const { proposal } = one;
        // Of an answer cut off by the stop nothing can be said; the index is made anew on resume.
        if (session.signal.aborted && proposal.outcome !== 'made') continue;
        if (!missing.delete(proposal.index)) continue;
        pipeline.take(proposal, maker.model);
      }
    });
  } catch (error) {
    if (session.signal.aborted) return null;
    return { model: maker.model, missing: [...missing], error };
  }
  if (missing.size === 0 || session.signal.aborted) return null;
  return { model: maker.model, missing: [...missing], error: new Error(`${maker.model} gave no answer for it`) };
}

/** The candidates a failing maker left open are `error`; the run goes on with the others. */
function giveUp(session: Session, { model, missing, error }: MakerFailure, pipeline: Pipeline): void {
  for (const index of missing) {
    pipeline.take(
      {
        index,
        outcome: 'error',
        reason: error instanceof Error ? error.message : String(error),
        edits: [],
        answer: '',
        seed: session.state.started.options.seed,
        tokens: { prompt: 0, completion: 0 },
        costUsd: 0,
        durationMs: 0,
        meanLogProbability: null,
      },
      model,
    );
  }
}

type Finished = Extract<Event, { type: 'run-finished' }>;

async function close(
  session: Session,
  end: { budget: RunBudget; outOfTime: boolean; problem: unknown },
): Promise<void> {
  const { state } = session;
  const ranked = rank(state.candidates.values(), session.parts.criteria);
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
