import { expect, test, vi } from 'vitest';
import {
  edit,
  fakeWorkspaces,
  memoryRecorder,
  memoryStore,
  options,
  proposal,
  scriptedMaker,
  task,
} from './__fixtures__/fakes.ts';
import { parts, passesGood, start, types } from './__fixtures__/run.ts';
import { toRunDocument } from './document.ts';
import { replayRun } from './replay.ts';
import { resumeRun, runBestOfN } from './run.ts';

test('Ctrl-C ends the run as cancelled with what is finished; resuming does only the rest', async () => {
  const controller = new AbortController();
  const asked: number[] = [];
  const maker = scriptedMaker('fake:a', async (index, { signal }) => {
    asked.push(index);
    if (index === 2 && !controller.signal.aborted) {
      await vi.waitFor(() => expect(store.events.some((event) => event.type === 'candidate-finished')).toBe(true));
      controller.abort();
      return proposal(index, [], { outcome: 'error', reason: String(signal.reason) });
    }
    return proposal(index, [edit('a.js', `good ${index}`)]);
  });
  const workspaces = fakeWorkspaces(passesGood);
  const { all, store } = parts({ makers: [maker], workspaces, signal: controller.signal });
  const cancelled = await runBestOfN(start({ options: options({ n: 5 }) }), all);
  expect(cancelled.finished).toMatchObject({ outcome: 'cancelled', reason: expect.stringMatching(/of 5 candidates/) });
  expect(workspaces.open_.size).toBe(0);
  const before = store.events.length;
  const checkedBefore = workspaces.commands.length;

  const resumed = await resumeRun('r1', { ...all, signal: new AbortController().signal });
  expect(resumed.finished?.outcome).toBe('passed');
  expect([...resumed.candidates.values()].map(({ finished }) => finished?.status)).toEqual(Array(5).fill('passed'));
  expect(asked.filter((index) => index < 2)).toEqual([0, 1]);
  expect(types(store.events.slice(before))[0]).toBe('run-resumed');
  expect(workspaces.commands.slice(checkedBefore).map(({ id }) => id)).not.toContain('base-1');
  expect(replayRun('r1', store.events)).toEqual(resumed);
});

test('cut off after any event, resuming completes the run and does again only what was not finished', async () => {
  const script = (index: number) =>
    index === 1
      ? proposal(index, [], { outcome: 'invalid', reason: 'no edit' })
      : proposal(index, [edit('a.js', index === 3 ? 'good 0' : `good ${index}`)]);
  const run = () => ({ task: task({ checks: ['one', 'two'] }), options: options({ n: 4, concurrency: 1 }) });
  const whole = parts({ makers: [scriptedMaker('fake:a', script)] });
  const expected = toRunDocument(await runBestOfN(start(run()), whole.all));

  for (let cut = 1; cut < whole.store.events.length; cut += 1) {
    const maker = scriptedMaker('fake:a', script);
    const workspaces = fakeWorkspaces(passesGood);
    const { all, store, recorder } = parts({ makers: [maker], workspaces });
    store.events.push(...whole.store.events.slice(0, cut));
    // Refs are ahead of the events by one step at most.
    const recordedSoFar = store.events.flatMap((event) => (event.type === 'candidate-made' ? [event.index] : []));
    const nextEvent = whole.store.events[cut];
    if (nextEvent?.type === 'candidate-made') recordedSoFar.push(nextEvent.index);
    for (const index of recordedSoFar) {
      const key = `refs/lathe/r1/${index}`;
      const one = whole.recorder.recorded.get(key);
      if (one !== undefined) recorder.recorded.set(key, one);
    }
    const before = structuredClone(store.events);
    const document = toRunDocument(await resumeRun('r1', all));

    const finishedBefore = before.flatMap((event) => (event.type === 'candidate-finished' ? [event.index] : []));
    const madeBefore = before.flatMap((event) => (event.type === 'candidate-made' ? [event.index] : []));
    for (const index of [...madeBefore, ...recordedSoFar.filter((one) => one !== 1)])
      expect(maker.asked).not.toContain(index);
    for (const index of finishedBefore)
      expect(workspaces.commands.map(({ id }) => id)).not.toContain(`r1-c${index + 1}`);
    if (before.some(({ type }) => type === 'base-checked')) {
      expect(workspaces.commands.map(({ id }) => id)).not.toContain('base-1');
    }
    expect(store.events.slice(0, cut)).toEqual(before);
    const comparable = ({ candidates, best, ranking, statistics }: typeof document) => ({
      best,
      ranking,
      statistics,
      candidates: candidates.map(({ durationMs: _, ...rest }) => rest),
    });
    expect(comparable(document)).toEqual(comparable(expected));
  }
});

test('a run that came to its end is returned as it is; one that does not exist is not found', async () => {
  const { all, store } = parts();
  const state = await runBestOfN(start(), all);
  const events = store.events.length;
  expect(await resumeRun('r1', all)).toEqual(state);
  expect(store.events).toHaveLength(events);
  await expect(resumeRun('r2', { ...all, store: memoryStore() })).rejects.toMatchObject({
    code: 'LATHE_NOT_FOUND_RUN',
  });
});

test('a candidate whose commit is gone on resume is an error, not a crash', async () => {
  const { all, store } = parts();
  await runBestOfN(start({ options: options({ n: 1 }) }), all);
  const upTo = store.events.findIndex(({ type }) => type === 'check-finished');
  store.events.length = upTo;
  const state = await resumeRun('r1', { ...all, recorder: memoryRecorder() });
  expect(toRunDocument(state).candidates[0]).toMatchObject({
    status: 'error',
    reason: expect.stringContaining('no longer'),
  });
});
