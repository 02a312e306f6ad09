import { existsSync } from 'node:fs';
import type { RunSummary } from '@lathe/protocol';
import { isPostgresUrl, openRunStore } from './open.ts';
import { type StoredEvent, SUMMARY_TYPES, summariseAll } from './summary.ts';

/**
 * Summaries of the runs in a store, newest first, as `RunStore.list` gives them; none where there is no store yet. A
 * list has to be there at once, so what only writing needs (the query builder, the migrations) is not loaded, nor are
 * events checked again that were checked when they were written.
 *
 * @throws as `openRunStore`, which takes over where the file cannot be read as it is
 */
export async function listRuns(location: string): Promise<readonly RunSummary[]> {
  if (isPostgresUrl(location)) return listOpened(location);
  if (!existsSync(location)) return [];
  try {
    return summariseAll(await readEvents(location), (_runId, { body }) => JSON.parse(body));
  } catch {
    // A store of another schema, a foreign or a broken file: opening it for good brings it up to date or says why not.
    return listOpened(location);
  }
}

async function listOpened(location: string): Promise<readonly RunSummary[]> {
  const store = await openRunStore(location);
  try {
    return await store.list();
  } finally {
    await store.close();
  }
}

async function readEvents(path: string): Promise<StoredEvent[]> {
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    const marks = SUMMARY_TYPES.map(() => '?').join(', ');
    const query = `select run_id, seq, body from event where type in (${marks}) order by run_id, seq`;
    return database.prepare<string[], StoredEvent>(query).all(...SUMMARY_TYPES);
  } finally {
    database.close();
  }
}
