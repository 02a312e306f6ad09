import { Event, type RunStore } from '@lathe/protocol';
import { type Kysely, sql } from 'kysely';
import { decode } from './decode.ts';
import type { Schema } from './schema.ts';
import { SUMMARY_TYPES, summariseAll } from './summary.ts';

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
        return summariseAll(rows, decode);
      }),

    remove: (runId) =>
      guarded(async () => {
        await db.deleteFrom('event').where('run_id', '=', runId).execute();
      }),

    close: hooks.close,
  };
}
