import type { MakeRequest } from '@lathe/protocol';
import { type Gate, LatheError, RunDocument, type WorkspaceSource } from '@lathe/protocol';
import { expect, test } from 'vitest';
import { edit, exited, type FakeRun, fakeWorkspaces, options, proposal, scriptedMaker } from './__fixtures__/fakes.ts';
import { parts, passesGood, start, types, writes } from './__fixtures__/run.ts';
import { toRunDocument } from './document.ts';
import { replayRun } from './replay.ts';
import { resumeRun, runBestOfN } from './run.ts';

test('makes, records, checks and ranks; the document follows from the events alone and fits the contract', async () => {
  const { all, store } = parts({
    makers: [
      scriptedMaker(
        'fake:a',
        writes((index) => (index === 0 ? 'bad' : `good ${index}`)),
      ),
    ],
  });
  const state = await runBestOfN(start(), all);
  expect(state.finished?.outcome).toBe('passed');
  expect([...state.candidates.values()].map(({ id, finished }) => [id, finished?.status])).toEqual([
    ['c1', 'failed'],
    ['c2', 'passed'],
    ['c3', 'passed'],
  ]);
  const document = toRunDocument(state);
  expect(RunDocument.parse(document)).toEqual(document);
  expect(document.best).toBe('c2');
  expect(document.statistics).toMatchObject({ n: 3, passed: 2, distinct: 3, duplicates: 0 });
  const replayed = replayRun('r1', store.events);
  expect(replayed).toEqual(state);
  expect(replayed === null ? null : toRunDocument(replayed)).toEqual(document);
});

test('every event is in the store before the observer hears of it', async () => {
  const { all, store } = parts();
  let heard = 0;
  await runBestOfN(start(), {
    ...all,
    observe: (news) => {
      if (news.type !== 'event') return;
      expect(store.events[heard]).toEqual(news.event);
      heard += 1;
    },
  });
  expect(heard).toBe(store.events.length);
});

test('the commit of a candidate comes before its first event', async () => {
  const { all, recorder, store } = parts();
  const append = store.append.bind(store);
  const made: boolean[] = [];
  store.append = async (runId, event) => {
    if (event.type === 'candidate-made') made.push(recorder.recorded.has(`refs/lathe/r1/${event.index}`));
    await append(runId, event);
  };
  await runBestOfN(start(), all);
  expect(made).toEqual([true, true, true]);
});

test('the same code is checked once and stands for all its equals, also while the first is being checked', async () => {
  const slow: FakeRun = async (command, files, context) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return passesGood(command, files, context);
  };
  const workspaces = fakeWorkspaces(slow);
  const same = ['good() // one', 'good()', 'bad', 'good( )\n', 'bad'];
  const { all } = parts({
    makers: [
      scriptedMaker(
        'fake:a',
        writes((index) => same[index]!),
      ),
    ],
    workspaces,
  });
  const state = await runBestOfN(start({ options: options({ n: 5, concurrency: 4 }) }), all);
  const document = toRunDocument(state);
  expect(document.candidates.map(({ status }) => status)).toEqual(['passed', 'passed', 'failed', 'passed', 'failed']);
  expect([...state.candidates.values()].map(({ finished }) => finished?.sameAs)).toEqual([null, 0, null, 0, 2]);
  expect(workspaces.commands.filter(({ id }) => !id.startsWith('base'))).toHaveLength(2);
  expect(document.candidates[1]?.checks).toEqual(document.candidates[0]?.checks);
  expect(document.statistics).toMatchObject({ n: 5, passed: 3, distinct: 2, duplicates: 3 });
  expect(document.ranking.map(({ id }) => id)).toEqual(['c1', 'c3']);
});

test('duplicates are counted, and apart from them those whose answer is the same letter for letter', async () => {
  const answers = ['good()', 'good()', 'good( )', 'bad', 'good()'];
  const script = (index: number) => proposal(index, [edit('a.js', answers[index]!)], { answer: answers[index]! });
  const { all } = parts({ makers: [scriptedMaker('fake:a', script)] });
  const document = toRunDocument(await runBestOfN(start({ options: options({ n: 5 }) }), all));
  expect(document.statistics).toMatchObject({ distinct: 2, duplicates: 3, identical: 2 });
});

test('makers are told the dial and their share of the run; candidates drawn to differ have no pass@k', async () => {
  const asked: MakeRequest[] = [];
  const made = writes((index) => `good ${index}`);
  const maker = (model: string) =>
    scriptedMaker(model, (index, request) => {
      asked.push(request);
      return made(index);
    });
  const { all } = parts({ makers: [maker('fake:a'), maker('fake:b')] });
  const drawn = options({ n: 5, models: ['fake:a', 'fake:b'], distinct: 0.5 });
  const document = toRunDocument(await runBestOfN(start({ options: drawn }), all));
  expect(new Set(asked.map(({ share, distinct }) => JSON.stringify({ share, distinct })))).toEqual(
    new Set(['{"share":[0,2,4],"distinct":0.5}', '{"share":[1,3],"distinct":0.5}']),
  );
  expect(document.statistics).toMatchObject({ n: 5, passed: 5, passAt: {} });
});

test('what a candidate may not touch is taken back and named; with nothing left it is invalid', async () => {
  const scripts = [[edit('a.js', 'good'), edit('a.test.js', 'x'), edit('../x', 'x')], [edit('package.json', '{}')], []];
  const { all, recorder } = parts({ makers: [scriptedMaker('fake:a', (index) => proposal(index, scripts[index]!))] });
  const state = await runBestOfN(start(), all);
  const [first, second, third] = toRunDocument(state).candidates;
  expect(first).toMatchObject({ status: 'passed', reverted: ['a.test.js', '../x'] });
  expect(recorder.recorded.get('refs/lathe/r1/0')?.edits.map(({ path }) => path)).toEqual(['a.js']);
  expect(second).toMatchObject({
    status: 'invalid',
    ref: null,
    reason: expect.stringContaining('package.json: configuration'),
  });
  expect(third).toMatchObject({ status: 'invalid', reason: 'it changes nothing' });
});

test('what a maker could not make keeps its status and reason', async () => {
  const outcomes = ['invalid', 'timed-out', 'error'] as const;
  const maker = scriptedMaker('fake:a', (index) =>
    proposal(index, [], { outcome: outcomes[index]!, reason: `why ${index}` }),
  );
  const state = await runBestOfN(start(), parts({ makers: [maker] }).all);
  expect(toRunDocument(state).candidates.map(({ status, reason }) => [status, reason])).toEqual([
    ['invalid', 'why 0'],
    ['timed-out', 'why 1'],
    ['error', 'why 2'],
  ]);
  expect(state.finished?.outcome).toBe('none-passed');
  expect(toRunDocument(state).statistics).toMatchObject({ n: 2, passed: 0 });
});

test('trouble with one candidate is its own: the others go on', async () => {
  const run: FakeRun = (command, files, context) => {
    if (context.id === 'r1-c2') throw new Error('the copy broke');
    return passesGood(command, files, context);
  };
  const workspaces = fakeWorkspaces(run);
  const { all, recorder } = parts({ workspaces });
  const record = recorder.recordCandidate;
  recorder.recordCandidate = async (request) => {
    if (request.index === 0) throw new Error('cannot be recorded');
    return record(request);
  };
  const state = await runBestOfN(start(), all);
  expect(toRunDocument(state).candidates.map(({ status, reason }) => [status, reason])).toEqual([
    ['error', 'cannot be recorded'],
    ['error', 'the copy broke'],
    ['passed', null],
  ]);
  expect(workspaces.open_.size).toBe(0);
});

test('models take turns, and one that fails as a whole costs only its own candidates', async () => {
  const broken = scriptedMaker('fake:b', () => {
    throw new LatheError('LATHE_MODEL_KEY', 'wrong key');
  });
  const { all } = parts({
    makers: [
      scriptedMaker(
        'fake:a',
        writes((index) => `good ${index}`),
      ),
      broken,
    ],
  });
  const state = await runBestOfN(start({ options: options({ n: 5, models: ['fake:a', 'fake:b'] }) }), all);
  expect(toRunDocument(state).candidates.map(({ model, status, reason }) => [model, status, reason])).toEqual([
    ['fake:a', 'passed', null],
    ['fake:b', 'error', 'wrong key'],
    ['fake:a', 'passed', null],
    ['fake:b', 'error', 'wrong key'],
    ['fake:a', 'passed', null],
  ]);
});

test('where every maker fails as a whole, the run is an error, its cause is thrown, and it can be resumed', async () => {
  const cause = new LatheError('LATHE_MODEL_UNKNOWN', 'no such model', { remedy: 'lathe models list' });
  const broken = scriptedMaker('fake:a', () => {
    throw cause;
  });
  const { all, store } = parts({ makers: [broken] });
  await expect(runBestOfN(start(), all)).rejects.toBe(cause);
  expect(store.events.at(-1)).toMatchObject({ type: 'run-finished', outcome: 'error', reason: 'no such model' });
  const mended = {
    ...all,
    makers: [
      scriptedMaker(
        'fake:a',
        writes(() => 'good'),
      ),
    ],
  };
  expect((await resumeRun('r1', mended)).finished?.outcome).toBe('passed');
});

test('a maker that forgets a candidate, or answers twice, does not upset the run', async () => {
  const maker = scriptedMaker(
    'fake:a',
    writes((index) => `good ${index}`),
  );
  const make = maker.make.bind(maker);
  maker.make = async function* (request) {
    for await (const news of make({ ...request, indices: request.indices.slice(0, 2) })) {
      yield news;
      if (news.type === 'proposal') yield news;
    }
  };
  const { all, store } = parts({ makers: [maker] });
  const state = await runBestOfN(start(), all);
  expect(types(store.events).filter((type) => type === 'candidate-made')).toHaveLength(3);
  expect(toRunDocument(state).candidates[2]).toMatchObject({ status: 'error', reason: 'fake:a gave no answer for it' });
});

test('without a sandbox nothing is checked: the run fails with its cause', async () => {
  const cause = new LatheError('LATHE_SANDBOX_MISSING', 'no bubblewrap');
  const workspaces: WorkspaceSource = {
    isolation: 'none',
    open: () => Promise.reject(cause),
    withAccess: () => workspaces,
  };
  await expect(runBestOfN(start(), parts({ workspaces }).all)).rejects.toBe(cause);
});

test('a store that fails ends the run with its error, and nothing later is shown', async () => {
  const { all, store, news } = parts();
  const append = store.append.bind(store);
  const full = new Error('disk full');
  store.append = async (runId, event) => {
    if (event.type === 'candidate-recorded') throw full;
    await append(runId, event);
  };
  await expect(runBestOfN(start(), all)).rejects.toBe(full);
  expect(news.filter((one) => one.type === 'event' && one.event.type === 'candidate-recorded')).toEqual([]);
});

test('gates look before the checks: findings are stored, a rejected candidate is invalid and never run', async () => {
  const finding = {
    kind: 'security' as const,
    rule: 'r',
    cwe: null,
    severity: 'high' as const,
    confidence: 'high' as const,
    path: 'a.js',
    line: 1,
    message: 'm',
  };
  const gate: Gate = {
    name: 'syntax',
    inspect: async ({ edits }) => ({
      findings: [finding],
      notLookedFor: [{ what: 'w', why: 'y' }],
      reject: new TextDecoder().decode(edits[0]?.content ?? undefined) === 'good 1' ? 'does not parse' : null,
    }),
  };
  const workspaces = fakeWorkspaces(passesGood);
  const { all } = parts({ gates: [gate], workspaces });
  const document = toRunDocument(await runBestOfN(start(), all));
  expect(document.candidates.map(({ status }) => status)).toEqual(['passed', 'invalid', 'passed']);
  expect(document.candidates[1]).toMatchObject({ reason: 'syntax: does not parse', findings: [finding] });
  expect(workspaces.commands.map(({ id }) => id)).not.toContain('r1-c2');
});

test('no more candidates than allowed are checked at once, and checking starts while others are being made', async () => {
  let running = 0;
  let most = 0;
  const log: string[] = [];
  const run: FakeRun = async (_command, _files, { id }) => {
    if (id.startsWith('base')) return exited(0);
    running += 1;
    most = Math.max(most, running);
    log.push(`check ${id}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running -= 1;
    return exited(0);
  };
  let firstChecked: () => void = () => undefined;
  const checked = new Promise<void>((resolve) => {
    firstChecked = resolve;
  });
  const maker = scriptedMaker('fake:a', async (index) => {
    // The last is made only after another has been checked: a pipeline, not two phases.
    if (index === 7) await checked;
    return proposal(index, [edit('a.js', `good ${index}`)]);
  });
  const { all } = parts({ makers: [maker], workspaces: fakeWorkspaces(run) });
  const state = await runBestOfN(start({ options: options({ n: 8, concurrency: 3 }) }), {
    ...all,
    observe: (news) => {
      if (news.type === 'event' && news.event.type === 'check-finished') firstChecked();
    },
  });
  expect(most).toBe(3);
  expect(log).toHaveLength(8);
  expect(state.finished?.outcome).toBe('passed');
});

test('when the time is up the run ends as budget where none has passed, and what runs is stopped', async () => {
  const run: FakeRun = async (_command, _files, { id, signal }) => {
    if (id.startsWith('base')) return exited(0);
    await new Promise((resolve) => signal?.addEventListener('abort', resolve));
    return { ...exited(0), ending: 'cancelled', exitCode: null };
  };
  const workspaces = fakeWorkspaces(run);
  const { all } = parts({ workspaces, clock: Date.now });
  const state = await runBestOfN(start({ options: options({ maxSeconds: 0.05 }) }), all);
  expect(state.finished).toMatchObject({ outcome: 'budget', reason: expect.stringContaining('0.05 s') });
  expect(toRunDocument(state).candidates[0]).toMatchObject({
    status: 'error',
    reason: expect.stringContaining('not been finished'),
  });
  expect(RunDocument.safeParse(toRunDocument(state)).success).toBe(true);
});

test('when the money is up the run ends as budget, unless a candidate passed, and never spends more', async () => {
  const buys = (text: string) =>
    scriptedMaker('fake:a', async (index, { budget }) => {
      const reservation = budget.reserve(0.4);
      if (reservation === null) return proposal(index, [], { outcome: 'error', reason: 'out of money' });
      reservation.settle(0.4);
      return proposal(index, [edit('a.js', text)], { costUsd: 0.4 });
    });
  for (const [text, outcome] of [
    ['bad', 'budget'],
    ['good', 'passed'],
  ] as const) {
    const state = await runBestOfN(start({ options: options({ maxCostUsd: 1 }) }), parts({ makers: [buys(text)] }).all);
    expect(state.finished?.outcome).toBe(outcome);
    expect(toRunDocument(state).totals.costUsd).toBeCloseTo(0.8);
  }
});
