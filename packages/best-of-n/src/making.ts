import type { Maker } from '@lathe/protocol';
import type { RunBudget } from './budget.ts';
import { adoptRecorded } from './candidate.ts';
import { Pipeline } from './pipeline.ts';
import type { Session } from './session.ts';

/**
 * Makes what is missing, each model's share by its maker, and sees every candidate to its verdict. Returns the makers'
 * problem where all of them failed as a whole and made nothing, else null.
 */
export async function makeAndCheck(session: Session, budget: RunBudget): Promise<unknown> {
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
  /** Its positions in the whole run. */
  readonly share: readonly number[];
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
  const all = Array.from({ length: n }, (_, index) => index);
  return [...jobs].map(([model, indices]) => {
    const share = all.filter((index) => models[index % models.length] === model);
    const maker = session.parts.makers.find((one) => one.model === model);
    if (maker === undefined) throw new Error(`internal: no maker for ${model}`);
    return { maker, indices, share };
  });
}

interface MakerFailure {
  readonly model: string;
  readonly missing: readonly number[];
  readonly error: unknown;
}

async function makeWith(
  session: Session,
  { maker, indices, share }: MakerJob,
  budget: RunBudget,
  pipeline: Pipeline,
): Promise<MakerFailure | null> {
  const missing = new Set(indices);
  const { task, options } = session.state.started;
  try {
    await session.making.during(async () => {
      const news = maker.make({
        task,
        base: session.base,
        indices,
        share,
        seed: options.seed,
        temperature: options.temperature,
        ...(options.distinct === undefined ? {} : { distinct: options.distinct }),
        ...(options.speculate === undefined ? {} : { speculate: options.speculate }),
        ...(options.grammar === undefined ? {} : { grammar: options.grammar }),
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
