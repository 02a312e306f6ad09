import { expect, test } from 'vitest';
import { fateOf, type HistoryCommit, type LineLife, outcomeOf } from './outcomes.ts';

const DAY_MS = 86_400_000;
const commit = (id: string, day: number, reverts: string[] = []): HistoryCommit => ({
  id,
  timeMs: Date.UTC(2026, 0, 1) + day * DAY_MS,
  origin: 'hand-made',
  reverts,
});
const commits = [commit('kept', 0), commit('rewrite', 3), commit('undo', 5, ['kept']), commit('late', 40)];
const life = (over: Partial<LineLife>): LineLife => ({
  commit: 0,
  directory: 'src',
  days: 60,
  endedBy: null,
  moved: false,
  ...over,
});

test.each([
  ['survived', life({})],
  ['moved', life({ moved: true })],
  ['churned', life({ days: 3, endedBy: 1 })],
  ['churned', life({ days: 14, endedBy: 1, moved: true })],
  ['replaced', life({ days: 15, endedBy: 3 })],
  ['reverted', life({ days: 5, endedBy: 2 })],
  // The same commit reverts something else as far as this line is concerned.
  ['churned', life({ commit: 1, days: 2, endedBy: 2 })],
] as const)('%s', (fate, line) => {
  expect(fateOf(line, commits, 14)).toBe(fate);
});

test('every followed line counts under one fate, and the time at risk runs to the last commit', () => {
  const lives = [life({}), life({ days: 3, endedBy: 1 }), life({ days: 5, endedBy: 2 })];
  const kept = { runId: 'r1', candidate: 'c2', keptAtMs: 0, reason: null };
  const history = { commits, lives, lastSeenMs: Date.UTC(2026, 0, 1) + 60 * DAY_MS };
  const found = { by: 'commit', commit: 0, lives, notFollowed: 2 } as const;
  expect(outcomeOf({ ...kept, found }, history, 14)).toEqual({
    runId: 'r1',
    candidate: 'c2',
    keptAt: '1970-01-01T00:00:00.000Z',
    status: 'followed',
    reason: null,
    commit: 'kept',
    by: 'commit',
    daysAtRisk: 60,
    lines: 3,
    fates: { survived: 1, moved: 0, churned: 1, replaced: 0, reverted: 1 },
    notFollowed: 2,
  });
});

test('what is in no commit has no outcome, and says why', () => {
  const history = { commits, lives: [], lastSeenMs: 0 };
  const kept = { runId: 'r1', candidate: 'c2', keptAtMs: 0, found: null, reason: 'not committed yet' };
  expect(outcomeOf(kept, history, 14)).toMatchObject({
    status: 'not-found',
    reason: 'not committed yet',
    commit: null,
    daysAtRisk: null,
    lines: 0,
  });
});
