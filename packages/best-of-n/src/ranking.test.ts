import { type CheckResult, type Finding, HOUSE_SIGNAL } from '@lathe/protocol';
import { expect, test } from 'vitest';
import { type Criterion, criteriaFor, DEFAULT_CRITERIA, rank } from './ranking.ts';
import type { CandidateState } from './replay.ts';

function candidate(
  index: number,
  {
    checks = ['passed'],
    lines = 10,
    sameAs = null,
    status,
    findings = null,
    excess,
  }: {
    checks?: CheckResult['status'][];
    lines?: number;
    sameAs?: number | null;
    status?: 'passed' | 'failed' | 'invalid' | 'timed-out' | 'error';
    /** Null: no gate looked at it. */
    findings?: Pick<Finding, 'kind' | 'severity'>[] | null;
    /** What a house model measured; left out: it did not. */
    excess?: number;
  } = {},
): CandidateState {
  const base = { atMs: 0, index };
  return {
    id: `c${index + 1}`,
    index,
    made: {
      ...base,
      type: 'candidate-made',
      model: 'm',
      seed: 1,
      outcome: 'made',
      reason: null,
      answer: '',
      tokens: { prompt: 0, completion: 0 },
      costUsd: 0,
      durationMs: 0,
      meanLogProbability: null,
    },
    recorded: {
      ...base,
      type: 'candidate-recorded',
      ref: `refs/lathe/r/${index}`,
      commit: 'c',
      diff: { files: 1, added: lines, deleted: 0 },
      reverted: [],
      fingerprint: String(sameAs ?? index),
    },
    gated: [
      ...(excess === undefined
        ? []
        : [
            {
              ...base,
              type: 'candidate-gated' as const,
              gate: 'house',
              findings: [],
              notLookedFor: [],
              signals: { [HOUSE_SIGNAL]: excess },
            },
          ]),
      ...(findings === null
        ? []
        : [
            {
              ...base,
              type: 'candidate-gated' as const,
              gate: 'g',
              notLookedFor: [],
              findings: findings.map((finding) => ({
                ...finding,
                rule: 'r',
                cwe: null,
                confidence: 'high' as const,
                path: 'src/a.js',
                line: 3,
                message: 'unsafe',
              })),
            },
          ]),
    ],
    checks: checks.map((one, i) => ({
      command: `check ${i + 1}`,
      status: one,
      exitCode: one === 'passed' ? 0 : 1,
      durationMs: 1,
      ...(one === 'passed' ? {} : { reason: 'exit 1' }),
    })),
    finished: {
      ...base,
      type: 'candidate-finished',
      status: status ?? (checks.every((one) => one === 'passed') ? 'passed' : 'failed'),
      reason: null,
      sameAs,
      durationMs: 0,
    },
  };
}

const order = (candidates: CandidateState[]) => rank(candidates).ranking.map(({ id }) => id);

test('more checks passed come first, then agreement, then the smaller change, then the earlier', () => {
  const ranked = rank([
    candidate(0, { lines: 1 }),
    candidate(1, { checks: ['passed', 'failed'], lines: 1 }),
    candidate(2, { lines: 90 }),
    candidate(3, { lines: 90, sameAs: 2 }),
    candidate(4, { lines: 5 }),
    candidate(5, { lines: 5 }),
    candidate(6, { checks: ['failed', 'skipped'], lines: 1 }),
  ]);
  expect(ranked.ranking.map(({ id }) => id)).toEqual(['c3', 'c1', 'c5', 'c6', 'c2', 'c7']);
  expect(ranked.best).toBe('c3');
});

test('each place says why, in words and numbers', () => {
  const { ranking } = rank([
    candidate(0, { checks: ['passed', 'passed', 'passed'], lines: 12 }),
    candidate(1, { checks: ['passed', 'failed', 'skipped'], lines: 9 }),
    candidate(2, { checks: ['passed', 'passed', 'passed'], lines: 12, sameAs: 0 }),
    candidate(3, { checks: ['passed', 'passed', 'passed'], lines: 12, sameAs: 0 }),
  ]);
  expect(ranking).toEqual([
    { id: 'c1', reasons: ['passes 3 of 3 checks', 'same code as c3 and c4', '12 lines changed, the smallest change'] },
    {
      id: 'c2',
      reasons: ['passes 1 of 3 checks (check 2: exit 1)', '9 lines changed, the smallest that passed has 12'],
    },
  ]);
});

test('nothing is best where none passed; invalid and broken candidates are not ranked', () => {
  const ranked = rank([
    candidate(0, { checks: ['failed'] }),
    candidate(1, { checks: [], status: 'invalid' }),
    candidate(2, { checks: [], status: 'error' }),
    candidate(3, { checks: ['timed-out'], status: 'timed-out' }),
  ]);
  expect(ranked.best).toBeNull();
  expect(ranked.ranking.map(({ id }) => id)).toEqual(['c1', 'c4']);
});

test('a candidate that passed fewer checks than a failed one still comes first', () => {
  expect(
    order([candidate(0, { checks: ['passed', 'passed', 'failed'] }), candidate(1, { checks: ['passed'] })]),
  ).toEqual(['c2', 'c1']);
});

test('the order does not depend on the order of arrival', () => {
  const candidates = [0, 1, 2, 3].map((index) => candidate(index, { lines: 5 + (index % 2) }));
  expect(order(candidates)).toEqual(order(candidates.toReversed()));
});

test('a further criterion takes its place in order and in the reasons', () => {
  const lucky: Criterion = {
    name: 'lucky',
    compare: (a, b) => Number(b.candidate.index === 1) - Number(a.candidate.index === 1),
    reason: ({ candidate }) => (candidate.index === 1 ? 'is lucky' : null),
  };
  const { ranking } = rank([candidate(0, { lines: 1 }), candidate(1, { lines: 2 })], [lucky, ...DEFAULT_CRITERIA]);
  expect(ranking[0]).toEqual({
    id: 'c2',
    reasons: ['is lucky', 'passes 1 of 1 check', '2 lines changed, the smallest is 1'],
  });
});

test('no candidates, no ranking', () => {
  expect(rank([])).toEqual({ ranking: [], best: null });
});

test('among those that pass, new weaknesses weigh more than agreement, the worst first, and are named', () => {
  const { ranking, best } = rank([
    candidate(0, { findings: [{ kind: 'security', severity: 'high' }] }),
    candidate(1, { findings: [], sameAs: 0 }),
    candidate(2, {
      findings: [
        { kind: 'secret', severity: 'low' },
        { kind: 'security', severity: 'low' },
      ],
    }),
    candidate(3, { findings: [], lines: 90 }),
  ]);
  expect(ranking.map(({ id }) => id)).toEqual(['c4', 'c3', 'c1']);
  expect(best).toBe('c4');
  expect(ranking[0]!.reasons).toContain('no new weakness found');
  expect(ranking[1]!.reasons).toContain('2 new low (unsafe, src/a.js:3)');
  expect(ranking[2]!.reasons).toContain('1 new high (unsafe, src/a.js:3)');
});

test('dirt decides between candidates that are equal so far, and never outweighs a failed check', () => {
  const { ranking } = rank([
    candidate(0, { findings: [{ kind: 'quality', severity: 'medium' }], lines: 5 }),
    candidate(1, { findings: [], lines: 50 }),
    candidate(2, { findings: [], checks: ['failed'] }),
  ]);
  expect(ranking.map(({ id }) => id)).toEqual(['c2', 'c1', 'c3']);
});

test('nothing is said of weaknesses where no gate looked', () => {
  const { ranking } = rank([candidate(0)]);
  expect(ranking[0]!.reasons.join()).not.toMatch(/weakness/);
});

test('what a house model measured is always said, and moves a candidate only where it may', () => {
  const candidates = [
    candidate(0, { excess: 0.5, lines: 2 }),
    candidate(1, { excess: -0.25, lines: 9 }),
    candidate(2, { lines: 5 }),
  ];
  const ranked = (house: { ranks: boolean; why: string }) =>
    rank(candidates, criteriaFor({ house: { model: 'm', ...house } }));
  const without = ranked({ ranks: false, why: 'the ledger has no evidence yet' });
  expect(without.ranking.map(({ id }) => id)).toEqual(['c1', 'c3', 'c2']);
  expect(without.ranking[0]!.reasons).toContain(
    '0.50 bits a token above the code around it, to the house model (not used for ranking: the ledger has no evidence yet)',
  );
  expect(without.ranking[2]!.reasons.join()).toContain('0.25 bits a token below the code around it');
  expect(without.ranking[1]!.reasons.join()).not.toContain('house');
  const withEvidence = ranked({ ranks: true, why: 'it predicts' });
  // One that was not measured counts as one that reads like its surroundings.
  expect(withEvidence.ranking.map(({ id }) => id)).toEqual(['c2', 'c3', 'c1']);
  expect(rank(candidates, criteriaFor({})).ranking[0]!.id).toBe('c1');
});
