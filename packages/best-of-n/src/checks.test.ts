import { expect, test } from 'vitest';
import { exited, type FakeRun, fakeWorkspaces, options, task } from './__fixtures__/fakes.ts';
import { parts, start } from './__fixtures__/run.ts';
import { runBestOfN } from './run.ts';

test('the base is checked twice; its failure, or its flakiness, is said beside a candidate that fails too', async () => {
  const results: Record<string, number[]> = { broken: [1, 1], fine: [0, 0], flaky: [0, 1] };
  const run: FakeRun = (command, _files, { id }) => {
    if (id === 'base-1') return exited(results[command]?.[0] ?? 0);
    if (id === 'base-2') return exited(results[command]?.[1] ?? 0);
    return exited(command === 'fine' ? 0 : 3);
  };
  for (const [check, outcome, reason] of [
    ['broken', 'failed', 'exit 3 (the base fails this check too)'],
    ['flaky', 'flaky', 'exit 3 (this check is flaky: two runs on the base disagreed)'],
    ['fine', 'passed', undefined],
  ] as const) {
    const { all } = parts({ workspaces: fakeWorkspaces(run) });
    const state = await runBestOfN(start({ task: task({ checks: [check] }), options: options({ n: 1 }) }), all);
    expect(state.baseChecks).toMatchObject([{ command: check, outcome }]);
    expect(state.candidates.get(0)?.checks[0]?.reason).toBe(reason);
  }
});

test('of a function to fill it is not said that the base fails: it has no body there', async () => {
  const { all } = parts({ workspaces: fakeWorkspaces(() => exited(1)) });
  const hole = task({ kind: 'hole', at: { file: 'a.js', name: 'a' } });
  const state = await runBestOfN(start({ task: hole, options: options({ n: 1 }) }), all);
  expect(state.baseChecks).toMatchObject([{ outcome: 'failed' }]);
  expect(state.candidates.get(0)?.checks[0]?.reason).toBe('exit 1');
});

test('checks stop at the first that does not pass, and the rest are skipped', async () => {
  const run: FakeRun = (command, _files, { id }) => exited(id.startsWith('base') || command !== 'two' ? 0 : 1);
  const workspaces = fakeWorkspaces(run);
  const { all } = parts({ workspaces });
  const state = await runBestOfN(
    start({ task: task({ checks: ['one', 'two', 'three'] }), options: options({ n: 1 }) }),
    all,
  );
  expect(state.candidates.get(0)?.checks.map(({ command, status }) => [command, status])).toEqual([
    ['one', 'passed'],
    ['two', 'failed'],
    ['three', 'skipped'],
  ]);
  expect(workspaces.commands.filter(({ id }) => id === 'r1-c1').map(({ command }) => command)).toEqual(['one', 'two']);
});

test.each([
  ['timed-out', 'timed-out', 'time limit of 10 s exceeded'],
  ['memory', 'failed', 'memory limit of 1024 MiB exceeded'],
  ['processes', 'failed', 'limit of 64 processes exceeded'],
  ['output', 'failed', 'output limit of 1 MiB exceeded'],
  ['disk', 'failed', 'disk limit of 256 MiB exceeded'],
] as const)('a check ended for %s makes the candidate %s and names the limit', async (ending, status, reason) => {
  const run: FakeRun = (_command, _files, { id }) =>
    id.startsWith('base') ? exited(0) : { ...exited(0), ending, exitCode: null };
  const { all } = parts({ workspaces: fakeWorkspaces(run) });
  const state = await runBestOfN(start({ options: options({ n: 1 }) }), all);
  expect(state.candidates.get(0)?.finished).toMatchObject({ status, reason: `check: ${reason}` });
});
