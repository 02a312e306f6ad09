import type { Event } from '@lathe/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LedgerStore } from '../run-store.ts';
import { exportRuns, readExport } from '../transfer.ts';

export function started(over: Partial<Extract<Event, { type: 'run-started' }>> = {}): Event {
  return {
    type: 'run-started',
    atMs: 1000,
    task: { kind: 'instruction', instruction: 'add a retry', files: [], checks: ['npm test'], allow: [] },
    options: {
      n: 3,
      models: ['local:a'],
      temperature: null,
      seed: 7,
      maxCostUsd: null,
      maxSeconds: null,
      concurrency: 2,
      keep: 'none',
      unsafeNoSandbox: false,
    },
    baseCommit: 'b',
    headCommit: 'h',
    uncommitted: [],
    isolation: 'none',
    repository: '/repo',
    ...over,
  };
}

export function made(index: number, answer = ''): Event {
  return {
    type: 'candidate-made',
    atMs: 1001.25,
    index,
    model: 'local:a',
    seed: index,
    outcome: 'made',
    reason: null,
    answer,
    tokens: { prompt: 1, completion: 2 },
    costUsd: 0.000125,
    durationMs: 1.5,
    meanLogProbability: -0.25,
  };
}

const finished = (outcome: 'passed' | 'cancelled'): Event => ({
  type: 'run-finished',
  atMs: 3000,
  outcome,
  reason: null,
  totals: { durationMs: 1, makeMs: 1, checkMs: 1 },
});

/** What every run store must do, whatever it keeps its rows in. `open` opens the same, at first empty, store each time. */
export function runStoreContract(name: string, prepare: () => { open: () => Promise<LedgerStore>; clear: () => void }): void {
  describe(`${name} keeps the contract of run stores`, () => {
    let place: ReturnType<typeof prepare>;
    let store: LedgerStore;

    beforeEach(async () => {
      place = prepare();
      store = await place.open();
    });

    afterEach(async () => {
      await store.close();
      place.clear();
    });

    test('gives events back as they were, in order, run by run', async () => {
      const hostile = '"quotes" \'; drop table event; -- \u0000 \u2028 \ud83d\ude00 ünï\r\n';
      await store.append('r1', started());
      await store.append('r2', started({ atMs: 2000 }));
      await store.append('r1', made(0, hostile));
      await store.append('r1', made(1, 'x'.repeat(1_000_000)));
      expect(await store.read('r1')).toEqual([started(), made(0, hostile), made(1, 'x'.repeat(1_000_000))]);
      expect(await store.read('r2')).toEqual([started({ atMs: 2000 })]);
    });

    test('knows nothing of a run that is not there', async () => {
      expect(await store.read('none')).toEqual([]);
      expect(await store.list()).toEqual([]);
      await store.remove('none');
    });

    test('what was appended is there for another opening, at once', async () => {
      await store.append('r1', started());
      const other = await place.open();
      expect(await other.read('r1')).toEqual([started()]);
      await other.append('r1', made(0));
      expect(await store.read('r1')).toHaveLength(2);
      await other.close();
    });

    test('many appending at once through several openings lose and mix up nothing', async () => {
      const others = await Promise.all([place.open(), place.open()]);
      const all = [store, ...others];
      await Promise.all(
        Array.from({ length: 90 }, (_, i) => all[i % 3]?.append(i % 2 === 0 ? 'even' : 'odd', made(i))),
      );
      const indices = async (runId: string) =>
        (await store.read(runId)).map((event) => (event.type === 'candidate-made' ? event.index : -1));
      expect((await indices('even')).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 45 }, (_, i) => 2 * i));
      expect((await indices('odd')).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 45 }, (_, i) => 2 * i + 1));
      await Promise.all(others.map((other) => other.close()));
    });

    test('lists runs newest first, each as its last events left it', async () => {
      await store.append('old', started({ atMs: 1 }));
      await store.append('old', finished('cancelled'));
      await store.append('old', { type: 'run-resumed', atMs: 2 });
      await store.append('new', started({ atMs: 10, repository: '/other' }));
      await store.append('new', { type: 'ranked', atMs: 11, ranking: [{ id: 'c2', reasons: [] }], best: 'c2' });
      await store.append('new', finished('passed'));
      await store.append('new', { type: 'kept', atMs: 12, id: 'c1', commit: null, files: [] });
      await store.append('new', { type: 'kept', atMs: 13, id: 'c2', commit: null, files: [] });
      expect(await store.list()).toEqual([
        { runId: 'new', startedAtMs: 10, repository: '/other', instruction: 'add a retry', n: 3, outcome: 'passed', best: 'c2', kept: 'c2' },
        { runId: 'old', startedAtMs: 1, repository: '/repo', instruction: 'add a retry', n: 3, outcome: null, best: null, kept: null },
      ]);
    });

    test('a hole is listed by its name', async () => {
      const at = { file: 'src/slug.js', name: 'slugify' };
      await store.append('r1', started({ task: { kind: 'hole', instruction: '', at, files: [], checks: [], allow: [] } }));
      expect((await store.list())[0]?.instruction).toBe('src/slug.js:slugify');
    });

    test('removes one run and leaves the others', async () => {
      await store.append('r1', started());
      await store.append('r2', started());
      await store.remove('r1');
      expect(await store.read('r1')).toEqual([]);
      expect(await store.read('r2')).toHaveLength(1);
      await store.append('r1', started());
      expect(await store.read('r1')).toHaveLength(1);
    });

    test('refuses what is not an event, and stores nothing of it', async () => {
      const wrong = { type: 'kept', atMs: 1 } as unknown as Event;
      await expect(store.append('r1', wrong)).rejects.toThrow();
      expect(await store.read('r1')).toEqual([]);
    });

    test('what is exported can be merged into an empty store, which then says the same; again it changes nothing', async () => {
      await store.append('r1', started());
      await store.append('r2', started({ atMs: 2000 }));
      await store.append('r1', made(0, 'line\u2028 end\r\n'));
      const runs = await readExport(exportRuns(store));
      expect(await store.merge(runs)).toBe(0);
      const [before, list] = [await store.read('r1'), await store.list()];
      await store.remove('r1');
      await store.remove('r2');
      expect(await store.merge(runs)).toBe(3);
      expect(await store.read('r1')).toEqual(before);
      expect(await store.list()).toEqual(list);
      expect(await store.merge(runs)).toBe(0);
    });

    test('a run that went on elsewhere goes on here, and one that is longer here is left alone', async () => {
      await store.append('r1', started());
      expect(await store.merge([{ runId: 'r1', events: [started(), made(0)] }])).toBe(1);
      expect(await store.merge([{ runId: 'r1', events: [started()] }])).toBe(0);
      expect(await store.read('r1')).toEqual([started(), made(0)]);
      await store.append('r1', made(1));
      expect(await store.read('r1')).toHaveLength(3);
    });

    test('a run of the same id with other events stops the whole merge', async () => {
      await store.append('r2', started());
      const other = started({ baseCommit: 'other' });
      const runs = [
        { runId: 'r1', events: [started(), made(0)] },
        { runId: 'r2', events: [other] },
      ];
      await expect(store.merge(runs)).rejects.toMatchObject({ code: 'LATHE_LEDGER_CONFLICT', remedy: expect.any(String) });
      expect(await store.read('r1')).toEqual([]);
      expect(await store.read('r2')).toEqual([started()]);
    });
  });
}
