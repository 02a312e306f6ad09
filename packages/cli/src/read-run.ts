import { replayRun, toRunDocument } from '@lathe/best-of-n';
import { type Event, LatheError, type RunDocument, type RunStore } from '@lathe/protocol';

export interface ReadRun {
  readonly document: RunDocument;
  readonly started: Extract<Event, { type: 'run-started' }>;
  /** Null while it runs or after it was cut off. */
  readonly outcome: string | null;
  readonly events: readonly Event[];
}

/** A run worked out from its record. */
export async function readRun(runId: string, store: RunStore): Promise<ReadRun> {
  const events = await store.read(runId);
  const state = replayRun(runId, events);
  if (state === null) {
    throw new LatheError('LATHE_NOT_FOUND_RUN', `the record holds nothing of run ${runId}`, {
      remedy: 'see the others: lathe list',
    });
  }
  return { document: toRunDocument(state), started: state.started, outcome: state.finished?.outcome ?? null, events };
}
