import { LatheError } from '@lathe/protocol';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { type LedgerStore, runStore } from './run-store.ts';
import { migrate, SCHEMA_VERSION, type Schema, schemaVersion } from './schema.ts';

/** Lathe's own schema in the database, so that its tables meet nobody else's. */
const SCHEMA = 'lathe';
/** `Lath`, first half of every advisory lock: keeps Lathe's apart from another program's in the same database. */
const LOCK = 0x4c617468;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Opens the store in a PostgreSQL database, making its schema (`lathe`) and tables where they are missing.
 *
 * `synchronous_commit` is on whatever the server's default: an append that returned is in the server's write-ahead log.
 * Writers of one run take an advisory lock for the transaction, since two that read the same last position would
 * otherwise both write the next.
 *
 * @throws LATHE_USAGE_STORE, LATHE_STORE_UNREACHABLE, LATHE_STORE_NEWER, LATHE_STORE_UNUSABLE; none holds the password
 */
export async function openPostgresStore(url: string): Promise<LedgerStore> {
  const place = nameOf(url);
  const wrap = (error: unknown) => storeProblem(place, error);
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, max: 4 });
  // A connection that breaks while idle is replaced by the next query; without a listener it would end the process.
  pool.on('error', () => {});
  // Queries of a connection run in order: these come before its first. What is wrong with it that first one says too.
  pool.on('connect', (client) => {
    client.query(`set search_path to ${SCHEMA}; set synchronous_commit to on`).catch(() => {});
  });
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  try {
    await bringUpToDate(place, db);
  } catch (error) {
    await db.destroy();
    throw wrap(error);
  }
  return runStore(db, {
    wrap,
    close: () => db.destroy(),
    lock: async (transaction, runId) => {
      await sql`select pg_advisory_xact_lock(${LOCK}, hashtext(${runId}))`.execute(transaction);
    },
  });
}

async function bringUpToDate(place: string, db: Kysely<Schema>): Promise<void> {
  const { rows } = await sql<{ there: string | null }>`select to_regnamespace(${SCHEMA})::text as there`.execute(db);
  const version = rows[0]?.there === null ? 0 : await schemaVersion(db, SCHEMA);
  if (version === SCHEMA_VERSION) return;
  await db.transaction().execute(async (transaction) => {
    // Of several processes that find it missing one makes it; the others wait here and find it made.
    await sql`select pg_advisory_xact_lock(${LOCK}, 0)`.execute(transaction);
    await sql`create schema if not exists ${sql.ref(SCHEMA)}`.execute(transaction);
    const now = await schemaVersion(transaction, SCHEMA);
    if (now > SCHEMA_VERSION) {
      throw new LatheError(
        'LATHE_STORE_NEWER',
        `${place} has schema version ${now}; this Lathe knows versions up to ${SCHEMA_VERSION}.`,
        { remedy: 'Update Lathe, or name another database.' },
      );
    }
    if (now < SCHEMA_VERSION) await migrate(transaction, now);
  });
}

/** The database without user and password. */
function nameOf(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return `the database ${host}${pathname}`;
  } catch (cause) {
    throw new LatheError('LATHE_USAGE_STORE', 'The address of the PostgreSQL database is not a URL.', {
      remedy: 'LATHE_DATABASE_URL=postgres://USER:PASSWORD@HOST:PORT/DATABASE; encode @, : and / in the password.',
      cause,
    });
  }
}

const UNREACHABLE = /^(?:ECONN|EHOST|ENET|ENOTFOUND|EAI_|ETIMEDOUT|EPIPE|08|57P)/;

function storeProblem(place: string, error: unknown): unknown {
  if (error instanceof LatheError || !(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (UNREACHABLE.test(code) || /^(?:Connection terminated|timeout exceeded)/i.test(error.message)) {
    return new LatheError('LATHE_STORE_UNREACHABLE', `${place} cannot be reached: ${error.message || code}.`, {
      remedy: 'Check that the server runs and LATHE_DATABASE_URL names it; without the variable a file is used.',
      cause: error,
    });
  }
  if (error instanceof pg.DatabaseError) {
    return new LatheError('LATHE_STORE_UNUSABLE', `${place} cannot be used as the run store: ${error.message}.`, {
      remedy: 'Check the user, its password and its rights: Lathe makes a schema named lathe and writes to it.',
      cause: error,
    });
  }
  return error;
}
