import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Event } from '@lathe/protocol';
import { expect, test } from 'vitest';
import { listRuns } from './list-runs.ts';
import { openRunStore } from './open.ts';

const started = (atMs: number): Event => ({
  type: 'run-started',
  atMs,
  task: { kind: 'instruction', instruction: 'add a retry', files: [], checks: ['true'], allow: [] },
  options: {
    n: 2,
    models: ['local:a'],
    temperature: null,
    seed: 1,
    maxCostUsd: null,
    maxSeconds: null,
    concurrency: 1,
    keep: 'none',
    unsafeNoSandbox: false,
  },
  baseCommit: 'b',
  headCommit: 'b',
  uncommitted: [],
  isolation: 'none',
  repository: '/r',
});

test('says the same as the store itself, also while the store is open', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'lathe-list-')), 'ledger.sqlite');
  const store = await openRunStore(path);
  await store.append('older', started(1000));
  await store.append('newer', started(2000));
  await store.append('older', { type: 'ranked', atMs: 3000, ranking: [], best: 'c2' });
  await store.append('older', { type: 'kept', atMs: 4000, id: 'c2', commit: null, files: ['a'] });
  const listed = await store.list();
  expect(listed.map((run) => [run.runId, run.best, run.kept])).toEqual([
    ['newer', null, null],
    ['older', 'c2', 'c2'],
  ]);
  expect(await listRuns(path)).toEqual(listed);
  await store.close();
  expect(await listRuns(path)).toEqual(listed);
});

test('without a store there are no runs, and none is made', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lathe-list-'));
  expect(await listRuns(join(directory, 'ledger.sqlite'))).toEqual([]);
  expect(await readdir(directory)).toEqual([]);
});

test('a file that is no store is refused as opening it is', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'lathe-list-')), 'ledger.sqlite');
  await writeFile(path, 'not a database, and long enough to have a header of one'.repeat(20));
  await expect(listRuns(path)).rejects.toMatchObject({ code: 'LATHE_STORE_CORRUPT' });
});
