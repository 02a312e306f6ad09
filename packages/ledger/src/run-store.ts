import { Event, LatheError, type RunStore, type RunSummary } from '@lathe/protocol';
import { type Kysely, sql } from 'kysely';
import type { Schema } from './schema.ts';

/** Events a summary is made of. */
const SUMMARY_TYPES: Event['type'][] = ['run-started', 'run-resumed', 'ranked', 'run-finished', 'kept'];

/**
 * A run store over any database Kysely speaks to whose schema is up to date.
 *
 * `append` is one statement, so that two processes writing the same run cannot take the same position; it returns
 * once the database has committed. `wrap` turns the driver's errors into problems a user can act on.
 */
export function runStore(
  db: Kysely<Schema>,
  hooks: { wrap: (error: unknown) => unknown; close: () => Promise<void> },
): RunStore {
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw hooks.wrap(error);
    }
  };

  return {
    append: (runId, event) =>
      guarded(async () => {
        const body = JSON.stringify(Event.parse(event));
        await sql`
          insert into event (run_id, seq, type, at_ms, body)
          select ${runId}, coalesce(max(seq) + 1, 0), ${event.type}, ${Math.round(event.atMs)}, ${body}
          from event where run_id = ${runId}`.execute(db);
      }),

    read: (runId) =>
      guarded(async () => {
        const rows = await db
          .selectFrom('event')
          .select(['seq', 'body'])
          .where('run_id', '=', runId)
          .orderBy('seq')
          .execute();
        return rows.map((row) => decode(runId, row));
      }),

    list: () =>
      guarded(async () => {
        const rows = await db
          .selectFrom('event')
          .select(['run_id', 'seq', 'body'])
          .where('type', 'in', SUMMARY_TYPES)
          .orderBy('run_id')
          .orderBy('seq')
          .execute();
        const events = new Map<string, Event[]>();
        for (const row of rows) {
          const of = events.get(row.run_id) ?? [];
          of.push(decode(row.run_id, row));
          events.set(row.run_id, of);
        }
        const summaries = [...events].flatMap(([runId, of]) => summarise(runId, of) ?? []);
        return summaries.sort((a, b) => b.startedAtMs - a.startedAtMs || (a.runId < b.runId ? 1 : -1));
      }),

    remove: (runId) =>
      guarded(async () => {
        await db.deleteFrom('event').where('run_id', '=', runId).execute();
      }),

    close: hooks.close,
  };
}

function decode(runId: string, row: { seq: number; body: string }): Event {
  const parsed = Event.safeParse(parseJson(row.body));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new LatheError(
    'LATHE_STORE_CORRUPT',
    `Event ${row.seq} of run ${runId} cannot be read: ${issue === undefined ? 'unknown shape' : `${issue.path.join('.') || 'event'}: ${issue.message}`}.`,
    { remedy: 'If a newer Lathe wrote it, use that version. The candidates themselves are commits under refs/lathe/.' },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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
