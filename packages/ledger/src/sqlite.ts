import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LatheError } from '@lathe/protocol';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { type LedgerStore, runStore } from './run-store.ts';
import { migrate, SCHEMA_VERSION, type Schema, schemaVersion } from './schema.ts';

/** `Lath`: tells a Lathe store from any other SQLite file (PRAGMA application_id). */
const APPLICATION_ID = 0x4c617468;

/** How long a writer waits for another process's transaction unless told otherwise. */
export const BUSY_TIMEOUT_MS = 10_000;

/**
 * Opens the SQLite store at `path`, creating file and folder where missing.
 *
 * Write-ahead log with `synchronous = FULL`: an append that returned is on disk, whatever happens to the process or the
 * power. A file that is not a Lathe store is refused and never written to.
 *
 * @throws LATHE_STORE_CORRUPT, LATHE_STORE_FOREIGN, LATHE_STORE_NEWER, LATHE_STORE_BUSY, LATHE_STORE_UNUSABLE
 */
export async function openSqliteStore(path: string, busyTimeoutMs = BUSY_TIMEOUT_MS): Promise<LedgerStore> {
  const wrap = (error: unknown) => storeProblem(path, busyTimeoutMs, error);
  let raw: Database.Database | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    raw = new Database(path, { timeout: busyTimeoutMs });
    refuseForeign(path, raw);
    await useWriteAheadLog(raw, busyTimeoutMs);
    raw.pragma('synchronous = FULL');
    const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database: raw }) });
    await bringUpToDate(path, db, raw);
    return runStore(db, { wrap, close: () => db.destroy() });
  } catch (error) {
    raw?.close();
    throw wrap(error);
  }
}

function refuseForeign(path: string, raw: Database.Database): void {
  // Both in one read transaction: between two reads another process may have made the store.
  const [id, tables] = raw.transaction(() => [
    raw.pragma('application_id', { simple: true }),
    raw.prepare("select count(*) from sqlite_master where type = 'table'").pluck().get(),
  ])();
  if (id === APPLICATION_ID || (id === 0 && tables === 0)) return;
  throw new LatheError('LATHE_STORE_FOREIGN', `${path} is a SQLite database of another program, not a Lathe store.`, {
    remedy: 'Name another file; this one is left as it is.',
  });
}

/**
 * Switches to the write-ahead log. The switch needs the file for itself and does not wait for it as other statements do,
 * so that processes that open a new store at once would refuse each other: it is tried until the time is up.
 */
async function useWriteAheadLog(raw: Database.Database, busyTimeoutMs: number): Promise<void> {
  const deadline = performance.now() + busyTimeoutMs;
  for (;;) {
    try {
      raw.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      const busy = error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
      if (!busy || performance.now() > deadline) throw error;
      await delay(5 + Math.random() * 20);
    }
  }
}

async function bringUpToDate(path: string, db: Kysely<Schema>, raw: Database.Database): Promise<void> {
  if ((await schemaVersion(db)) === SCHEMA_VERSION) return;
  await db.connection().execute(async (connection) => {
    // IMMEDIATE takes the write lock before reading the version, so that of several processes one migrates.
    await sql`begin immediate`.execute(connection);
    try {
      const version = await schemaVersion(connection);
      if (version > SCHEMA_VERSION) {
        throw new LatheError(
          'LATHE_STORE_NEWER',
          `${path} has schema version ${version}; this Lathe knows versions up to ${SCHEMA_VERSION}.`,
          { remedy: 'Update Lathe, or name another file.' },
        );
      }
      if (version < SCHEMA_VERSION) {
        await migrate(connection, version);
        raw.pragma(`application_id = ${APPLICATION_ID}`);
      }
      await sql`commit`.execute(connection);
    } catch (error) {
      if (raw.inTransaction) await sql`rollback`.execute(connection);
      throw error;
    }
  });
}

function storeProblem(path: string, busyTimeoutMs: number, error: unknown): unknown {
  if (error instanceof LatheError || !(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    return new LatheError('LATHE_STORE_CORRUPT', `${path} is not a readable SQLite database (${error.message}).`, {
      remedy: 'Move it away and keep it; Lathe then starts a new one. Candidates are commits under refs/lathe/.',
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_BUSY')) {
    return new LatheError('LATHE_STORE_BUSY', `${path} stayed locked by another process for ${busyTimeoutMs} ms.`, {
      remedy: 'End the process that holds it, then try again.',
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_') || code.startsWith('E') || error instanceof TypeError) {
    return new LatheError('LATHE_STORE_UNUSABLE', `${path} cannot be used as the run store: ${error.message}.`, {
      remedy: isDirectory(path) ? 'It is a folder: name a file.' : 'Check that the folder is writable and has space.',
      cause: error,
    });
  }
  return error;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
