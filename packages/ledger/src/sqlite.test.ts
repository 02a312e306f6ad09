import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { made, runStoreContract, started } from './__fixtures__/run-store-contract.ts';
import { openRunStore } from './open.ts';
import { SCHEMA_VERSION } from './schema.ts';

const folder = () => realpathSync(mkdtempSync(join(tmpdir(), 'lathe-ledger-')));

runStoreContract('SQLite', () => {
  const directory = folder();
  return {
    open: () => openRunStore(join(directory, 'a folder ü/ledger.sqlite')),
    clear: () => rmSync(directory, { recursive: true, force: true }),
  };
});

function place(): string {
  const directory = folder();
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'ledger.sqlite');
}

test('an append is on disk before it returns: write-ahead log, synchronous = FULL', async () => {
  const path = place();
  const store = await openRunStore(path);
  await store.append('r1', started());
  // The log is not truncated while the store is open, so that the row must be in one of the two files now.
  const bytes = Buffer.concat([readFileSync(path), readFileSync(`${path}-wal`)]).toString('latin1');
  expect(bytes).toContain('run-started');
  await store.close();
  const raw = new Database(path);
  expect(raw.pragma('journal_mode', { simple: true })).toBe('wal');
  raw.close();
});

test('a process killed at any moment loses no event it was told is stored', async () => {
  const path = place();
  const program = join(path, '../append.ts');
  writeFileSync(
    program,
    `import { writeSync } from 'node:fs';
     import { openRunStore } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
     const store = await openRunStore(${JSON.stringify(path)});
     const first = (await store.read('r1')).length;
     for (let i = first; ; i += 1) {
       await store.append('r1', { type: 'run-resumed', atMs: i });
       writeSync(1, i + '\\n');
     }`,
  );
  let acknowledged = -1;
  for (let round = 0; round < 8; round += 1) {
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(child, 'close');
    const killAfter = acknowledged + 1 + Math.floor(Math.random() * 40);
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Math.max(acknowledged, Number(line));
      if (Number(line) >= killAfter) child.kill('SIGKILL');
    }
    expect((await closed)[1]).toBe('SIGKILL');
    const store = await openRunStore(path);
    const events = await store.read('r1');
    expect(events.length).toBeGreaterThan(acknowledged);
    expect(events.map(({ atMs }) => atMs)).toEqual(events.map((_, i) => i));
    await store.close();
  }
  expect(acknowledged).toBeGreaterThan(7);
});

test('several processes opening a new store at once make it once, and all write to it', async () => {
  const path = place();
  const program = join(path, '../open.ts');
  writeFileSync(
    program,
    `import { openRunStore } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
     const store = await openRunStore(${JSON.stringify(path)});
     for (let i = 0; i < 20; i += 1) await store.append('r1', { type: 'run-resumed', atMs: i });
     await store.close();`,
  );
  const codes = await Promise.all(
    [0, 1, 2, 3].map(async () => (await once(spawn(process.execPath, [program], { stdio: 'inherit' }), 'close'))[0]),
  );
  expect(codes).toEqual([0, 0, 0, 0]);
  const store = await openRunStore(path);
  expect(await store.read('r1')).toHaveLength(80);
  await store.close();
});

test('a store of a newer version is refused and left as it is', async () => {
  const path = place();
  await (await openRunStore(path)).close();
  const raw = new Database(path);
  raw.prepare('update schema_version set version = ?').run(SCHEMA_VERSION + 1);
  raw.close();
  const before = readFileSync(path);
  await expect(openRunStore(path)).rejects.toMatchObject({
    code: 'LATHE_STORE_NEWER',
    message: expect.stringContaining(`version ${SCHEMA_VERSION + 1}`),
    remedy: expect.stringContaining('Update'),
  });
  expect(readFileSync(path)).toEqual(before);
});

test("another program's database is refused and left as it is", async () => {
  const path = place();
  const raw = new Database(path);
  raw.exec('create table event (mine text); insert into event values (1)');
  raw.close();
  const before = readFileSync(path);
  await expect(openRunStore(path)).rejects.toMatchObject({ code: 'LATHE_STORE_FOREIGN', remedy: expect.any(String) });
  expect(readFileSync(path)).toEqual(before);
});

test.each([
  ['text', Buffer.from('this is not a database, but long enough to look like something\n'.repeat(20))],
  ['a truncated header', Buffer.from('SQLite format 3\0\u0010\0')],
])('a file of %s is refused and never overwritten', async (_title, content) => {
  const path = place();
  writeFileSync(path, content);
  await expect(openRunStore(path)).rejects.toMatchObject({ code: 'LATHE_STORE_CORRUPT', remedy: expect.any(String) });
  expect(readFileSync(path)).toEqual(content);
});

test('a damaged page is an error that says so, not a wrong answer', async () => {
  const path = place();
  const store = await openRunStore(path);
  for (let i = 0; i < 200; i += 1) await store.append('r1', made(i, 'x'.repeat(500)));
  await store.close();
  const content = readFileSync(path);
  content.fill(0xee, 8192, content.length);
  writeFileSync(path, content);
  await expect(openRunStore(path).then((damaged) => damaged.read('r1'))).rejects.toMatchObject({
    code: 'LATHE_STORE_CORRUPT',
  });
});

test('an event this version cannot read is named', async () => {
  const path = place();
  const store = await openRunStore(path);
  await store.append('r1', started());
  const raw = new Database(path);
  raw.prepare(`insert into event values ('r1', 1, 'made-later', 5, '{"type":"made-later","atMs":5}')`).run();
  raw.close();
  await expect(store.read('r1')).rejects.toMatchObject({
    code: 'LATHE_STORE_CORRUPT',
    message: expect.stringMatching(/Event 1 of run r1/),
  });
  await store.close();
});

test('a folder in the place of the file, and a place that cannot be written, are problems with a remedy', async () => {
  const path = place();
  mkdirSync(path);
  await expect(openRunStore(path)).rejects.toMatchObject({
    code: 'LATHE_STORE_UNUSABLE',
    remedy: expect.stringContaining('folder'),
  });
  await expect(openRunStore(`${fileURLToPath(import.meta.url)}/x/ledger.sqlite`)).rejects.toMatchObject({
    code: 'LATHE_STORE_UNUSABLE',
  });
});

test('a store that another process keeps locked is a problem with a remedy, and works afterwards', async () => {
  const path = place();
  const store = await openRunStore(path, { busyTimeoutMs: 50 });
  const raw = new Database(path);
  raw.exec('begin immediate');
  await expect(store.append('r1', started())).rejects.toMatchObject({
    code: 'LATHE_STORE_BUSY',
    remedy: expect.any(String),
  });
  raw.exec('rollback');
  raw.close();
  await store.append('r1', started());
  expect(await store.read('r1')).toHaveLength(1);
  await store.close();
});
