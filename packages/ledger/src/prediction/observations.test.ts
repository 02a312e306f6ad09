import { expect, test } from 'vitest';
import type { KeptCandidate, LineHistory, LineLife } from '../outcomes.ts';
import { commitObservations, keptObservations } from './observations.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 5, 1);

/** Commits made so many days before the newest; every one has the signal `size`. */
function historyOf(ages: readonly number[], lives: readonly LineLife[]): LineHistory {
  return {
    commits: ages.map((days, i) => ({
      id: `commit${i}`,
      timeMs: NOW_MS - days * DAY_MS,
      origin: 'hand-made',
      reverts: [],
      signals: { size: i },
    })),
    lives,
    lastSeenMs: NOW_MS,
  };
}

function lives(commit: number, days: readonly number[], ended: boolean): LineLife[] {
  return days.map((one) => ({ commit, directory: 'src', days: one, endedBy: ended ? 9 : null, moved: false }));
}

test('a line counts where it fell within the window or was watched past it', () => {
  const history = historyOf([100], [...lives(0, [0, 14], true), ...lives(0, [15], true), ...lives(0, [100, 3], false)]);
  // The one seen for three days only (it was moved) says neither.
  expect(commitObservations(history, 14)).toEqual([{ watched: 4, churned: 2, signals: { size: 0 } }]);
});

test('commits younger than the window, tiny ones, the given ones and those without signals are left out', () => {
  const old = [20, 20, 20];
  const all = [0, 1, 2, 3, 4].flatMap((commit) => lives(commit, commit === 2 ? [20, 20] : old, false));
  const history = historyOf([14, 13, 40, 40, 40], all);
  const without = { ...history.commits[4]!, signals: undefined };
  const commits = [...history.commits.slice(0, 4), without];
  expect(commitObservations({ ...history, commits }, 14, new Set([3])).map(({ signals }) => signals.size)).toEqual([0]);
});

test('a kept candidate is asked what its gates and its ranking said', () => {
  const history = historyOf([30, 30, 3], [...lives(0, [2, 30], true), ...lives(1, [30], false)]);
  const finding = {
    rule: 'r',
    cwe: null,
    severity: 'low' as const,
    confidence: 'high' as const,
    path: 'a',
    line: 1,
    message: 'm',
  };
  const candidate = (index: number, behaviour: string | null) => ({
    id: `c${index + 1}`,
    index,
    model: 'm',
    status: 'passed' as const,
    reason: null,
    checks: [],
    behaviour,
    findings:
      index === 0
        ? [
            { ...finding, kind: 'security' as const },
            { ...finding, kind: 'quality' as const },
          ]
        : [],
    notLookedFor: [],
    diff: { files: 1, added: 2, deleted: 1 },
    reverted: [],
    tokens: { prompt: 1, completion: 1 },
    costUsd: 0,
    durationMs: 1,
    seed: 1,
    meanLogProbability: -0.5,
    ref: null,
  });
  const run = {
    schemaVersion: 1 as const,
    runId: 'r1',
    baseCommit: 'b',
    baseChecks: [],
    candidates: [candidate(0, 'x'), candidate(1, 'x'), candidate(2, 'y'), candidate(3, null)],
    ranking: [
      { id: 'c3', reasons: [] },
      { id: 'c1', reasons: [] },
    ],
    best: 'c3',
    kept: 'c1',
    statistics: { n: 4, passed: 3, distinct: 2, duplicates: 1, identical: 1, passAt: {} },
    totals: { tokens: { prompt: 1, completion: 1 }, costUsd: 0, durationMs: 1, makeMs: 1, checkMs: 1 },
  };
  const keptIn = (commit: number): KeptCandidate => ({
    runId: 'r1',
    candidate: 'c1',
    keptAtMs: NOW_MS,
    found: { by: 'commit', commit, lives: history.lives.filter((life) => life.commit === commit), notFollowed: 0 },
    reason: null,
  });
  expect(keptObservations([run], [keptIn(0), keptIn(2), { ...keptIn(0), found: null }], history, 14)).toEqual([
    {
      watched: 2,
      churned: 1,
      signals: {
        'weaknesses added': 1,
        'dirt added': 1,
        'lines changed': 2,
        'files changed': 1,
        'share with the same code': 2 / 3,
        'share that passed': 0.75,
        'mean log-probability': -0.5,
        'place in the ranking': 2,
      },
    },
  ]);
});
