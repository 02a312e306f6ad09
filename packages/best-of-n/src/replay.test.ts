import type { CheckResult, Event } from '@lathe/protocol';
import { expect, test } from 'vitest';
import { options, proposal, task } from './__fixtures__/fakes.ts';
import { toRunDocument } from './document.ts';
import { madeEvent } from './provenance.ts';
import { replayRun } from './replay.ts';

const started: Event = {
  type: 'run-started',
  atMs: 1000,
  task: task({ checks: ['one', 'two'] }),
  options: options(),
  baseCommit: 'b',
  headCommit: 'h',
  uncommitted: [],
  isolation: 'none',
  repository: '/repo',
};
const made = (index: number, atMs = 1100) => madeEvent(proposal(index, [], { costUsd: 0.25 }), 'fake:a', atMs);
const check = (index: number, command: string): Event => ({
  type: 'check-finished',
  atMs: 1200,
  index,
  check: { command, status: 'passed', exitCode: 0, durationMs: 5 } satisfies CheckResult,
});
const finished = (atMs: number, totals = { durationMs: 500, makeMs: 300, checkMs: 200 }): Event => ({
  type: 'run-finished',
  atMs,
  outcome: 'cancelled',
  reason: null,
  totals,
});
const resumed = (atMs: number): Event => ({ type: 'run-resumed', atMs });
const recorded = (index: number): Event => ({
  type: 'candidate-recorded',
  atMs: 1150,
  index,
  ref: `refs/lathe/r/${index}`,
  commit: 'c',
  diff: { files: 1, added: 1, deleted: 0 },
  reverted: [],
  fingerprint: `f${index}`,
});

test('no events are no run; events that do not begin with a start are a defect', () => {
  expect(replayRun('r', [])).toBeNull();
  expect(() => replayRun('r', [resumed(1)])).toThrow(/^internal/);
  expect(() => replayRun('r', [started, started])).toThrow(/^internal/);
  expect(() => replayRun('r', [started, recorded(0)])).toThrow(/^internal/);
});

test('a resumed run is not finished, and its time goes on from the totals of before', () => {
  const state = replayRun('r', [started, finished(1500), resumed(9000), made(0, 9100)])!;
  expect(state.finished).toBeNull();
  expect(state.earlier).toEqual({ durationMs: 500, makeMs: 300, checkMs: 200 });
  expect(toRunDocument(state).totals).toMatchObject({ durationMs: 600, makeMs: 300, checkMs: 200 });
});

test('a session that was killed counts up to its last event, the pause after it does not', () => {
  const state = replayRun('r', [started, made(0, 1400), resumed(90_000), made(1, 90_050), resumed(200_000)])!;
  expect(state.earlier).toEqual({ durationMs: 450, makeMs: 0, checkMs: 0 });
  expect(toRunDocument(state).totals.durationMs).toBe(450);
});

test('checks that were cut off are run anew; complete ones stand', () => {
  const events = [
    started,
    made(0),
    recorded(0),
    check(0, 'one'),
    made(1),
    recorded(1),
    check(1, 'one'),
    check(1, 'two'),
  ];
  const state = replayRun('r', [...events, resumed(2000)])!;
  expect(state.candidates.get(0)?.checks).toEqual([]);
  expect(state.candidates.get(1)?.checks.map(({ command }) => command)).toEqual(['one', 'two']);
  expect(state.candidates.get(0)?.recorded).not.toBeNull();
});

test('money and tokens are summed over all candidates, finished or not; the last kept counts', () => {
  const kept = (id: string): Event => ({ type: 'kept', atMs: 5000, id, commit: null, files: [] });
  const document = toRunDocument(replayRun('r', [started, made(0), made(1), kept('c1'), kept('c2')])!);
  expect(document.totals).toMatchObject({ costUsd: 0.5, tokens: { prompt: 20, completion: 10 } });
  expect(document.kept).toBe('c2');
});

test('candidates are shown by their position, whatever order they arrived in', () => {
  const document = toRunDocument(replayRun('r', [started, made(2), made(0)])!);
  expect(document.candidates.map(({ id }) => id)).toEqual(['c1', 'c3']);
});
