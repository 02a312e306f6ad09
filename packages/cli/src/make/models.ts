import { defaultModel, listModels, openMaker, type PullProgress, RequestLimiter, resolveModel } from '@lathe/makers';
import type { Maker, RunOptions } from '@lathe/protocol';
import prettyBytes from 'pretty-bytes';
import type { Session } from './session.ts';

/** The model where none was named; says which it is and how to get a stronger one. */
export async function chooseModels(session: Session): Promise<readonly string[]> {
  const { env } = session.terminal;
  const { name, cached } = await defaultModel(env);
  const all = await listModels(env);
  const chosen = all.findIndex((model) => model.name === name);
  const stronger = all.slice(chosen + 1).map((model) => model.name);
  const which = cached
    ? 'the strongest on this machine'
    : `the smallest download, ${prettyBytes(all[chosen]!.sizeBytes)}`;
  session.fact('model', `local:${name}, ${which}`);
  if (stronger.length > 0) session.fact('', session.colors.dim(`stronger: lathe models pull ${stronger.at(-1)}`));
  return [`local:${name}`];
}

/** One maker for each model; all requests of a run share one limiter. What was opened is closed again on a failure. */
export async function openMakers(
  { models, device }: Pick<RunOptions, 'models' | 'device'>,
  session: Session,
): Promise<readonly Maker[]> {
  const limiter = new RequestLimiter();
  const opened: Maker[] = [];
  try {
    for (const model of new Set(models)) {
      session.throwIfStopped();
      const local = /^local:(.+)$/s.exec(model)?.[1];
      if (local !== undefined) await pullInSight(local, session);
      opened.push(await openMaker(model, { environment: session.terminal.env, limiter, device }));
    }
    return opened;
  } catch (error) {
    await Promise.all(opened.map((maker) => maker.close()));
    throw error;
  }
}

/** A model's file, fetched where it is missing, with what has arrived shown. */
export async function pullInSight(nameOrPath: string, session: Session): Promise<string> {
  try {
    return await resolveModel(nameOrPath, {
      env: session.terminal.env,
      signal: session.signal,
      onProgress: (progress) => session.display.doing(`${nameOrPath}: ${inWords(progress)}`),
    });
  } catch (error) {
    session.throwIfStopped();
    throw error;
  }
}

function inWords({ phase, source, receivedBytes, totalBytes }: PullProgress): string {
  if (phase === 'waiting') return source;
  if (phase !== 'downloading') return `${phase} (${source})`;
  const percent = Math.floor((100 * receivedBytes) / totalBytes);
  return `${percent} % of ${prettyBytes(totalBytes)} from ${source}`;
}
