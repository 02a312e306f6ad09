import type { Candidate, RunDocument, RunStatistics } from '@lathe/protocol';
import type { CandidateState, RunState } from './replay.ts';
import { passAtKRate } from './statistics.ts';

/**
 * The contract's JSON of a run at any moment. Candidates that have not been made yet are not in it; one that has been
 * made and not finished has status `error` and says so.
 */
export function toRunDocument(state: RunState): RunDocument {
  const candidates = [...state.candidates.values()].toSorted((a, b) => a.index - b.index);
  const shown = candidates.map((candidate) => toCandidate(state, candidate));
  return {
    schemaVersion: 1,
    runId: state.runId,
    baseCommit: state.started.baseCommit,
    baseChecks: [...(state.baseChecks ?? [])],
    candidates: shown,
    ranking: [...(state.ranked?.ranking ?? [])],
    best: state.ranked?.best ?? null,
    kept: state.kept?.id ?? null,
    statistics: statistics(candidates, state.started.options.distinct ?? 0),
    totals: {
      tokens: {
        prompt: sum(shown.map(({ tokens }) => tokens.prompt)),
        completion: sum(shown.map(({ tokens }) => tokens.completion)),
      },
      costUsd: sum(shown.map(({ costUsd }) => costUsd)),
      ...(state.finished?.totals ?? {
        ...state.earlier,
        durationMs: state.earlier.durationMs + state.lastEventMs - state.sessionStartedMs,
      }),
    },
  };
}

function toCandidate(state: RunState, candidate: CandidateState): Candidate {
  const { made, recorded, finished } = candidate;
  const original = finished?.sameAs == null ? candidate : (state.candidates.get(finished.sameAs) ?? candidate);
  return {
    id: candidate.id,
    index: candidate.index,
    model: made.model,
    status: finished?.status ?? 'error',
    reason: finished === null ? 'it has not been finished: the run was stopped' : finished.reason,
    checks: original.checks,
    behaviour: recorded === null ? null : recorded.fingerprint,
    findings: original.gated.flatMap(({ findings }) => findings),
    notLookedFor: original.gated.flatMap(({ notLookedFor }) => notLookedFor),
    ...signalsOf(original),
    diff: recorded?.diff ?? { files: 0, added: 0, deleted: 0 },
    reverted: recorded?.reverted ?? [],
    tokens: made.tokens,
    costUsd: made.costUsd,
    durationMs: made.durationMs + (finished?.durationMs ?? 0),
    seed: made.seed,
    meanLogProbability: made.meanLogProbability,
    ref: recorded?.ref ?? null,
  };
}

function signalsOf({ gated }: CandidateState): Pick<Candidate, 'signals'> {
  const measured = gated.flatMap(({ signals }) => (signals === undefined ? [] : [signals]));
  return measured.length === 0 ? {} : { signals: Object.assign({}, ...measured) };
}

/** Tries are the candidates a maker answered; one that could not be made says nothing about the task. */
function statistics(candidates: readonly CandidateState[], dial: number): RunStatistics {
  const tries = candidates.filter(({ finished }) => finished !== null && finished.status !== 'error');
  const n = tries.length;
  const passed = tries.filter(({ finished }) => finished?.status === 'passed').length;
  const usable = tries.filter(({ recorded }) => recorded !== null);
  const distinct = new Set(usable.map(({ recorded }) => recorded?.fingerprint)).size;
  // pass@k is about independent tries.
  const ks = dial > 0 ? [] : Array.from({ length: n }, (_, i) => i + 1);
  return {
    n,
    passed,
    distinct,
    duplicates: usable.length - distinct,
    identical: usable.length - differentAnswers(usable),
    passAt: Object.fromEntries(ks.map((k) => [String(k), passAtKRate(n, passed, k)])),
  };
}

/** An agent gives no answer in words: its candidates count as different. */
function differentAnswers(candidates: readonly CandidateState[]): number {
  return new Set(
    candidates.map(({ made, recorded, id }) => (made.answer === '' ? id : `${recorded?.fingerprint} ${made.answer}`)),
  ).size;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
