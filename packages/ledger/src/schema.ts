import { type Kysely, sql } from 'kysely';

/**
 * One row an event. Columns beside `body` repeat what queries select by; `body` is the event itself, as JSON. Types
 * and statements keep to what SQLite and PostgreSQL both understand (`bigint` arrives as a string from PostgreSQL).
 */
export interface Schema {
  event: EventTable;
  schema_version: { version: number };
}

export interface EventTable {
  run_id: string;
  /** Position in the run, from 0, without gaps. */
  seq: number;
  type: string;
  at_ms: number;
  body: string;
}

/** Migration i brings a store of version i to version i + 1. Never edited once released: a change is a new one. */
export const MIGRATIONS: readonly ((db: Kysely<Schema>) => Promise<void>)[] = [
  async (db) => {
    await db.schema
      .createTable('event')
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('seq', 'integer', (column) => column.notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('event_pk', ['run_id', 'seq'])
      .execute();
    await db.schema.createIndex('event_by_type').on('event').columns(['type', 'at_ms']).execute();
  },
];

/** Version this code writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Version of the store, 0 where it is new. `schema` is the one its tables are in, where the database knows schemas. */
export async function schemaVersion(db: Kysely<Schema>, schema?: string): Promise<number> {
  const tables = await db.introspection.getTables();
  if (!tables.some((table) => table.name === 'schema_version' && table.schema === schema)) return 0;
  const row = await db.selectFrom('schema_version').select('version').executeTakeFirst();
  return row === undefined ? 0 : Number(row.version);
}

/** Runs the missing migrations. The caller holds a transaction that keeps other writers out. */
export async function migrate(db: Kysely<Schema>, from: number): Promise<void> {
  for (const migration of MIGRATIONS.slice(from)) await migration(db);
  if (from === 0) {
    await db.schema
      .createTable('schema_version')
      .addColumn('version', 'integer', (column) => column.notNull())
      .execute();
    await sql`insert into schema_version (version) values (${SCHEMA_VERSION})`.execute(db);
  } else {
    await db.updateTable('schema_version').set({ version: SCHEMA_VERSION }).execute();
  }
}
