import { openMaker, RequestLimiter } from '@lathe/makers';
import { LatheError, type Maker } from '@lathe/protocol';
import type { Session } from './session.ts';

/** The model where none was named. */
export async function chooseModels(_session: Session): Promise<readonly string[]> {
  throw new LatheError('LATHE_USAGE_NO_MODEL', 'no model was named', { remedy: 'lathe make … --model openai:NAME' });
}

/** One maker for each model; all requests of a run share one limiter. What was opened is closed again on a failure. */
export async function openMakers(models: readonly string[], session: Session): Promise<readonly Maker[]> {
  const limiter = new RequestLimiter();
  const opened: Maker[] = [];
  try {
    for (const model of new Set(models)) {
      session.throwIfStopped();
      opened.push(await openMaker(model, { environment: session.terminal.env, limiter }));
    }
    return opened;
  } catch (error) {
    await Promise.all(opened.map((maker) => maker.close()));
    throw error;
  }
}
