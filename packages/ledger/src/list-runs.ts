import { existsSync } from 'node:fs';
import type { RunSummary } from '@lathe/protocol';
import { type StoredEvent, SUMMARY_TYPES, summariseAll } from './summary.ts';

/**
 * Summaries of the runs in a store, newest first, as `RunStore.list` gives them; none where there is no store yet. Reads
 * alone, so that what writing needs (the query builder, the migrations) is not loaded: a list has to be there at once.
 *
 * @throws as `openRunStore`, which takes over where the file cannot be read as it is
 */
export async function listRuns(path: string): Promise<readonly RunSummary[]> {
  if (!existsSync(path)) return [];
  const { default: Database } = await import('better-sqlite3');
  let rows: StoredEvent[];
  try {
    const database = new Database(path, { readonly: true, fileMustExist: true });
    try {
      const marks = SUMMARY_TYPES.map(() => '?').join(', ');
      rows = database
        .prepare<string[], StoredEvent>(
          `select run_id, seq, body from event where type in (${marks}) order by run_id, seq`,
        )
        .all(...SUMMARY_TYPES);
    } finally {
      database.close();
    }
  } catch {
    // A store of an older schema, a foreign or a broken file: opening it for good brings it up to date or says why not.
    const { openRunStore } = await import('./open.ts');
    const store = await openRunStore(path);
    try {
      return await store.list();
    } finally {
      await store.close();
    }
  }
  return summariseAll(rows);
}
