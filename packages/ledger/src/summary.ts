import type { Event, RunSummary } from '@lathe/protocol';

/** Events a summary is made of. */
export const SUMMARY_TYPES: Event['type'][] = ['run-started', 'run-resumed', 'ranked', 'run-finished', 'kept'];

export interface StoredEvent {
  readonly run_id: string;
  readonly seq: number;
  readonly body: string;
}

/** Summaries of all runs, newest first, from their events of `SUMMARY_TYPES` ordered by run and position. */
export function summariseAll(
  rows: readonly StoredEvent[],
  decode: (runId: string, row: StoredEvent) => Event,
): RunSummary[] {
  const events = new Map<string, Event[]>();
  for (const row of rows) {
    const of = events.get(row.run_id) ?? [];
    of.push(decode(row.run_id, row));
    events.set(row.run_id, of);
  }
  const summaries = [...events].flatMap(([runId, of]) => summarise(runId, of) ?? []);
  return summaries.sort((a, b) => b.startedAtMs - a.startedAtMs || (a.runId < b.runId ? 1 : -1));
}

function summarise(runId: string, events: readonly Event[]): RunSummary | null {
  const [first] = events;
  if (first?.type !== 'run-started') return null;
  let outcome: string | null = null;
  let best: string | null = null;
  let kept: string | null = null;
  for (const event of events) {
    if (event.type === 'run-finished') outcome = event.outcome;
    if (event.type === 'run-resumed') outcome = null;
    if (event.type === 'ranked') best = event.best;
    if (event.type === 'kept') kept = event.id;
  }
  const { task, options, repository, atMs } = first;
  const at = task.at === undefined ? '' : `${task.at.file}:${task.at.name}`;
  return {
    runId,
    startedAtMs: atMs,
    repository,
    instruction: [at, task.instruction].filter((part) => part !== '').join(' '),
    n: options.n,
    outcome,
    best,
    kept,
  };
}
