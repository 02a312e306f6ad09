import type { Event } from '@lathe/protocol';
import type { RunStart } from '../run.ts';
import type { RunNews, RunParts } from '../session.ts';
import { edit, exited, type FakeRun, fakeWorkspaces, LIMITS, memoryRecorder, memoryStore, options, proposal, scriptedMaker, task } from './fakes.ts';

export const passesGood: FakeRun = (_command, files) => exited(files.get('a.js')?.startsWith('good') ? 0 : 1);
export const writes = (text: (index: number) => string) => (index: number) => proposal(index, [edit('a.js', text(index))]);

export function start(over: Partial<RunStart> = {}): RunStart {
  return {
    runId: 'r1',
    task: task(),
    options: options(),
    baseCommit: 'base',
    headCommit: 'head',
    uncommitted: [],
    repository: '/repo',
    ...over,
  };
}

export function parts(over: Partial<RunParts> = {}) {
  const store = memoryStore();
  const recorder = memoryRecorder();
  const news: RunNews[] = [];
  let now = 1000;
  const all: RunParts = {
    makers: [
      scriptedMaker(
        'fake:a',
        writes((index) => `good ${index}`),
      ),
    ],
    workspaces: fakeWorkspaces(passesGood),
    gates: [],
    recorder,
    store,
    limits: LIMITS,
    clock: () => (now += 1),
    observe: (one) => news.push(one),
    ...over,
  };
  return { all, store, recorder, news };
}

export const types = (events: readonly Event[], index?: number) =>
  events.filter((event) => index === undefined || ('index' in event && event.index === index)).map(({ type }) => type);

