import { Event, LatheError, type RunStore } from '@lathe/protocol';
import { type Kysely, sql } from 'kysely';
import { decode } from './decode.ts';
import type { Schema } from './schema.ts';
import { SUMMARY_TYPES, summariseAll } from './summary.ts';

/** A run with all its events in order. */
export interface StoredRun {
  readonly runId: string;
  readonly events: readonly Event[];
}

export interface LedgerStore extends RunStore {
  /**
   * Takes runs in, all of them or none, and returns how many events were new. A run that is there already is gone on
   * with where it is the beginning of the one given, and left alone where it is as long or longer.
   *
   * @throws LATHE_LEDGER_CONFLICT where a run of that id is there with other events
   */
  merge(runs: readonly StoredRun[]): Promise<number>;
}

/**
 * A run store over any database Kysely speaks to whose schema is up to date.
 *
 * `append` is one statement, behind `lock` where there is one, so that two processes writing the same run cannot take the
 * same position; it returns once the database has committed. `wrap` turns the driver's errors into problems a user can act on.
 */
export function runStore(
  db: Kysely<Schema>,
  hooks: {
    wrap: (error: unknown) => unknown;
    close: () => Promise<void>;
    /** Holds other writers of a run back until the transaction ends; left out where a statement does that already. */
    lock?: (transaction: Kysely<Schema>, runId: string) => Promise<void>;
  },
): LedgerStore {
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
        const insert = sql`
          insert into event (run_id, seq, type, at_ms, body)
          select ${runId}, coalesce(max(seq) + 1, 0), ${event.type}, cast(${Math.round(event.atMs)} as bigint), ${body}
          from event where run_id = ${runId}`;
        const { lock } = hooks;
        if (lock === undefined) await insert.execute(db);
        else {
          await db.transaction().execute(async (transaction) => {
            await lock(transaction, runId);
            await insert.execute(transaction);
          });
        }
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

    merge: (runs) =>
      guarded(() =>
        db.transaction().execute(async (transaction) => {
          // In one order everywhere, so that two merges cannot wait for each other.
          for (const runId of runs.map((run) => run.runId).sort()) await hooks.lock?.(transaction, runId);
          return mergeAll(transaction, runs);
        }),
      ),

    close: hooks.close,
  };
}

async function mergeAll(db: Kysely<Schema>, runs: readonly StoredRun[]): Promise<number> {
  let fresh = 0;
  for (const { runId, events } of runs) {
    const bodies = events.map((event) => JSON.stringify(Event.parse(event)));
    const there = await db.selectFrom('event').select('body').where('run_id', '=', runId).orderBy('seq').execute();
    const different = there.findIndex(({ body }, seq) => seq < bodies.length && body !== bodies[seq]);
    if (different >= 0) {
      throw new LatheError(
        'LATHE_LEDGER_CONFLICT',
        `run ${runId} is there already with another event ${different}. Nothing was imported.`,
        { remedy: 'The two are different runs with one id: import into another repository or database.' },
      );
    }
    for (const [seq, event] of events.entries()) {
      if (seq < there.length) continue;
      const row = { run_id: runId, seq, type: event.type, at_ms: Math.round(event.atMs), body: bodies[seq]! };
      await db.insertInto('event').values(row).execute();
      fresh += 1;
    }
  }
  return fresh;
}
