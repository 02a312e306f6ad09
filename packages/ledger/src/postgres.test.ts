import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres, withoutPostgres } from './__fixtures__/postgres-server.ts';
import { made, runStoreContract, started } from './__fixtures__/run-store-contract.ts';
import { listRuns } from './list-runs.ts';
import { openRunStore } from './open.ts';
import { SCHEMA_VERSION } from './schema.ts';

describe.skipIf(withoutPostgres !== null)(`PostgreSQL${withoutPostgres ?? ''}`, () => {
  let server: PostgresServer;
  let databases = 0;

  beforeAll(async () => {
    server = await startPostgres();
  });

  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  async function query(database: string, text: string): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: server.url(database) });
    await client.connect();
    try {
      return await client.query(text);
    } finally {
      await client.end();
    }
  }

  async function newDatabase(): Promise<string> {
    databases += 1;
    const name = `lathe${databases}`;
    await query('postgres', `create database ${name}`);
    return name;
  }

  runStoreContract('PostgreSQL', () => {
    const database = newDatabase();
    return { open: async () => openRunStore(server.url(await database)), clear: () => {} };
  });

  test('several opening a new database at once make its schema once', async () => {
    const url = server.url(await newDatabase());
    const stores = await Promise.all([1, 2, 3, 4].map(() => openRunStore(url)));
    await Promise.all(stores.map((store) => store.append('r1', started())));
    expect(await stores[0]?.read('r1')).toHaveLength(4);
    await Promise.all(stores.map((store) => store.close()));
  });

  test("tables of the same names that are someone else's are left alone", async () => {
    const name = await newDatabase();
    await query(name, 'create table event (mine text); create table schema_version (version integer)');
    const store = await openRunStore(server.url(name));
    await store.append('r1', started());
    await store.append('r1', made(0));
    expect(await store.read('r1')).toHaveLength(2);
    await store.close();
    expect((await query(name, 'select * from public.event')).rowCount).toBe(0);
    expect((await listRuns(server.url(name))).map(({ runId }) => runId)).toEqual(['r1']);
  });

  test('a schema of a newer version is refused and left as it is', async () => {
    const name = await newDatabase();
    await (await openRunStore(server.url(name))).close();
    await query(name, `update lathe.schema_version set version = ${SCHEMA_VERSION + 1}`);
    await expect(openRunStore(server.url(name))).rejects.toMatchObject({ code: 'LATHE_STORE_NEWER' });
    expect((await query(name, 'select version from lathe.schema_version')).rows).toEqual([
      { version: SCHEMA_VERSION + 1 },
    ]);
  });

  test('a database that is not there, and a user without rights, are problems with a remedy', async () => {
    await expect(openRunStore(server.url('nothing'))).rejects.toMatchObject({
      code: 'LATHE_STORE_UNUSABLE',
      message: expect.stringContaining('"nothing" does not exist'),
      remedy: expect.any(String),
    });
    const name = await newDatabase();
    await query(name, 'create role guest login');
    await expect(openRunStore(server.url(name).replace('postgres@', 'guest@'))).rejects.toMatchObject({
      code: 'LATHE_STORE_UNUSABLE',
      message: expect.stringContaining('permission denied'),
    });
  });

  test('a server that goes away is a problem, and the store works again when it answers again', async () => {
    const name = await newDatabase();
    const store = await openRunStore(server.url(name));
    await store.append('r1', started());
    await query('postgres', `alter database ${name} allow_connections false`);
    // lathe-ignore sql-text -- the name is this test's own, and no place for a parameter
    await query('postgres', `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    await expect(store.append('r1', made(0))).rejects.toMatchObject({ code: 'LATHE_STORE_UNUSABLE' });
    await query('postgres', `alter database ${name} allow_connections true`);
    await store.append('r1', made(1));
    expect(await store.read('r1')).toEqual([started(), made(1)]);
    await store.close();
  });
});

test('a server that is not there is said without the password', async () => {
  const opening = openRunStore('postgres://me:secret@127.0.0.1:1/lathe');
  await expect(opening).rejects.toMatchObject({
    code: 'LATHE_STORE_UNREACHABLE',
    message: expect.stringContaining('127.0.0.1:1/lathe'),
    remedy: expect.any(String),
  });
  await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining('secret') });
});

test('an address that is no URL is refused in words', async () => {
  await expect(openRunStore('postgres://me:se/cret@host:99999/x')).rejects.toMatchObject({ code: 'LATHE_USAGE_STORE' });
});
