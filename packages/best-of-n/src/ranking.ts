import { type Finding, HOUSE_SIGNAL, type RankingEntry, type RunOptions, type Severity } from '@lathe/protocol';
import type { CandidateState } from './replay.ts';

/** What is compared: a usable candidate and the ones with the same code. */
export interface Contender {
  readonly candidate: CandidateState;
  /** Ids of the other candidates with the same code. */
  readonly same: readonly string[];
}

/** One ground for preferring a candidate. A ranking is a list of them, the most important first. */
export interface Criterion {
  readonly name: string;
  /** Below 0 where `a` is the better one. */
  compare(a: Contender, b: Contender): number;
  /** What it says of a contender, in words and numbers; null where that would tell nothing. */
  reason(contender: Contender, all: readonly Contender[]): string | null;
}

const checksPassed: Criterion = {
  name: 'checks',
  compare: (a, b) => passed(b) - passed(a),
  reason: (contender) => {
    const { checks } = contender.candidate;
    const failing = checks.find((check) => check.status !== 'passed');
    const rate = `passes ${passed(contender)} of ${count(checks.length, 'check')}`;
    return failing === undefined ? rate : `${rate} (${failing.command}: ${failing.reason ?? failing.status})`;
  },
};

const SEVERITIES: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'info'];

/** Weaknesses, secrets and doubtful dependencies that the base does not have: the worst decide first, then how many. */
const weaknesses: Criterion = {
  name: 'weaknesses',
  compare: (a, b) => byWorst(weaknessesOf(a), weaknessesOf(b)),
  reason: (contender) =>
    contender.candidate.gated.length === 0 ? null : summary(weaknessesOf(contender), 'no new weakness found'),
};

/** Dirt that the base does not have: duplicates, complexity, weakened tests. */
const cleanliness: Criterion = {
  name: 'cleanliness',
  compare: (a, b) => byWorst(dirtOf(a), dirtOf(b)),
  reason: (contender) => (dirtOf(contender).length === 0 ? null : summary(dirtOf(contender), '')),
};

const agreement: Criterion = {
  name: 'agreement',
  compare: (a, b) => b.same.length - a.same.length,
  reason: ({ same }) => (same.length === 0 ? null : `same code as ${list(same)}`),
};

/** The measure is the smallest change that passed: what fails is often small because it does nothing. */
const smallerChange: Criterion = {
  name: 'size',
  compare: (a, b) => lines(a) - lines(b),
  reason: (contender, all) => {
    const changed = `${count(lines(contender), 'line')} changed`;
    if (all.length < 2) return changed;
    const passing = all.filter(hasPassed);
    const smallest = Math.min(...(passing.length === 0 ? all : passing).map(lines));
    if (passing.length > 0 && !hasPassed(contender)) return `${changed}, the smallest that passed has ${smallest}`;
    return lines(contender) === smallest
      ? `${changed}, the smallest change`
      : `${changed}, the smallest is ${smallest}`;
  },
};

/**
 * How far a change reads unlike the code around it, to a model of the repository's own code. Always said where it was
 * measured; it decides only where the ledger has shown that it predicts churn.
 */
function houseFit({ ranks, why }: { ranks: boolean; why: string }): Criterion {
  return {
    name: 'house',
    // One that was not measured counts as one that reads like its surroundings.
    compare: (a, b) => (ranks ? (houseExcess(a) ?? 0) - (houseExcess(b) ?? 0) : 0),
    reason: (contender) => {
      const excess = houseExcess(contender);
      if (excess === null) return null;
      const which = excess < 0 ? 'below' : 'above';
      const note = ranks ? why : `not used for ranking: ${why}`;
      return `${Math.abs(excess).toFixed(2)} bits a token ${which} the code around it, to the house model (${note})`;
    },
  };
}

function houseExcess({ candidate }: Contender): number | null {
  return (
    candidate.gated.find(({ signals }) => signals !== undefined && HOUSE_SIGNAL in signals)?.signals?.[HOUSE_SIGNAL] ??
    null
  );
}

/** The default criteria, with fit to the house before the size where a run has a model of the house. */
export function criteriaFor({ house }: Pick<RunOptions, 'house'>): readonly Criterion[] {
  return house === undefined ? DEFAULT_CRITERIA : [...DEFAULT_CRITERIA.slice(0, -1), houseFit(house), smallerChange];
}

/** Checks passed, then no new weaknesses, then how many candidates agree, then no new dirt, then the smaller change. */
export const DEFAULT_CRITERIA: readonly Criterion[] = [checksPassed, weaknesses, agreement, cleanliness, smallerChange];

export interface Ranking {
  readonly ranking: readonly RankingEntry[];
  /** Id of the first that passed, or null. */
  readonly best: string | null;
}

/**
 * Ranks what is usable: finished candidates with a commit, one for each group of equal code. Passed ones come before
 * all others; then the criteria decide in order, and last the position in the run, so that the same events always give
 * the same ranking.
 */
export function rank(candidates: Iterable<CandidateState>, criteria: readonly Criterion[] = DEFAULT_CRITERIA): Ranking {
  const contenders = contendersOf([...candidates]);
  const ordered = contenders.toSorted((a, b) => {
    const byStatus = Number(hasPassed(b)) - Number(hasPassed(a));
    if (byStatus !== 0) return byStatus;
    for (const criterion of criteria) {
      const order = criterion.compare(a, b);
      if (order !== 0) return order;
    }
    return a.candidate.index - b.candidate.index;
  });
  const ranking = ordered.map((contender) => ({
    id: contender.candidate.id,
    reasons: criteria.map((criterion) => criterion.reason(contender, contenders)).filter((reason) => reason !== null),
  }));
  const [first] = ordered;
  return { ranking, best: first !== undefined && hasPassed(first) ? first.candidate.id : null };
}

function contendersOf(candidates: readonly CandidateState[]): Contender[] {
  const usable = candidates.filter(
    ({ recorded, finished }) =>
      recorded !== null && finished !== null && finished.status !== 'invalid' && finished.status !== 'error',
  );
  const heads = usable.filter(({ finished }) => finished?.sameAs == null);
  return heads.map((candidate) => ({
    candidate,
    same: usable.filter(({ finished }) => finished?.sameAs === candidate.index).map(({ id }) => id),
  }));
}

function findingsOf({ candidate }: Contender): readonly Finding[] {
  return candidate.gated.flatMap(({ findings }) => findings);
}

function weaknessesOf(contender: Contender): readonly Finding[] {
  return findingsOf(contender).filter(({ kind }) => kind !== 'quality');
}

function dirtOf(contender: Contender): readonly Finding[] {
  return findingsOf(contender).filter(({ kind }) => kind === 'quality');
}

/** Below 0 where `a` has fewer of the worst severity in which the two differ. */
function byWorst(a: readonly Finding[], b: readonly Finding[]): number {
  for (const severity of SEVERITIES) {
    const order = ofSeverity(a, severity).length - ofSeverity(b, severity).length;
    if (order !== 0) return order;
  }
  return 0;
}

function ofSeverity(findings: readonly Finding[], severity: Severity): readonly Finding[] {
  return findings.filter((finding) => finding.severity === severity);
}

/** `2 high (eval of request data at src/a.js:3), 1 low`: the first of the worst by name. */
function summary(findings: readonly Finding[], none: string): string {
  if (findings.length === 0) return none;
  const present = SEVERITIES.filter((severity) => ofSeverity(findings, severity).length > 0);
  return present
    .map((severity, i) => {
      const [first, ...others] = ofSeverity(findings, severity);
      const named = i === 0 ? ` (${first!.message}, ${first!.path}:${first!.line})` : '';
      return `${others.length + 1} new ${severity}${named}`;
    })
    .join(', ');
}

function hasPassed({ candidate }: Contender): boolean {
  return candidate.finished?.status === 'passed';
}

function passed({ candidate }: Contender): number {
  return candidate.checks.filter((check) => check.status === 'passed').length;
}

function lines({ candidate }: Contender): number {
  const { added, deleted } = candidate.recorded?.diff ?? { added: 0, deleted: 0 };
  return added + deleted;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

function list(ids: readonly string[]): string {
  return ids.length < 2 ? ids.join('') : `${ids.slice(0, -1).join(', ')} and ${ids.at(-1)}`;
}
