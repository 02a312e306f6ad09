import type { BaseCheck, CheckResult, Event } from '@lathe/protocol';

type EventOf<Type extends Event['type']> = Extract<Event, { type: Type }>;

export interface CandidateState {
  readonly id: string;
  readonly index: number;
  readonly made: EventOf<'candidate-made'>;
  recorded: EventOf<'candidate-recorded'> | null;
  readonly gated: EventOf<'candidate-gated'>[];
  checks: CheckResult[];
  finished: EventOf<'candidate-finished'> | null;
}

/** Everything known of a run, worked out from its events alone. */
export interface RunState {
  readonly runId: string;
  readonly started: EventOf<'run-started'>;
  baseChecks: readonly BaseCheck[] | null;
  /** Candidates that have been made, by index. */
  readonly candidates: Map<number, CandidateState>;
  ranked: EventOf<'ranked'> | null;
  /** Null while it runs, after it was cut off, and once it has been resumed. */
  finished: EventOf<'run-finished'> | null;
  /** The candidate kept last. */
  kept: EventOf<'kept'> | null;
  /**
   * Times of the sessions before the current one. A session that was killed counts up to its last event; how much of it
   * was making and checking is not known and not counted.
   */
  earlier: { durationMs: number; makeMs: number; checkMs: number };
  sessionStartedMs: number;
  lastEventMs: number;
}

export function candidateId(index: number): string {
  return `c${index + 1}`;
}

/**
 * The state after these events, or null where there are none.
 *
 * @throws Error `internal: …` where the first event does not start a run
 */
export function replayRun(runId: string, events: Iterable<Event>): RunState | null {
  let state: RunState | null = null;
  for (const event of events) {
    if (state === null) state = startOf(runId, event);
    else applyEvent(state, event);
  }
  return state;
}

export function startOf(runId: string, event: Event): RunState {
  if (event.type !== 'run-started') throw new Error(`internal: run ${runId} begins with ${event.type}`);
  return {
    runId,
    started: event,
    baseChecks: null,
    candidates: new Map(),
    ranked: null,
    finished: null,
    kept: null,
    earlier: { durationMs: 0, makeMs: 0, checkMs: 0 },
    sessionStartedMs: event.atMs,
    lastEventMs: event.atMs,
  };
}

/** Brings the state forward by one event. */
export function applyEvent(state: RunState, event: Event): void {
  switch (event.type) {
    case 'run-started':
      throw new Error(`internal: run ${state.runId} starts twice`);
    case 'base-checked':
      state.baseChecks = event.checks;
      break;
    case 'candidate-made':
      state.candidates.set(event.index, {
        id: candidateId(event.index),
        index: event.index,
        made: event,
        recorded: null,
        gated: [],
        checks: [],
        finished: null,
      });
      break;
    case 'candidate-recorded':
      candidateAt(state, event.index).recorded = event;
      break;
    case 'candidate-gated':
      candidateAt(state, event.index).gated.push(event);
      break;
    case 'check-finished':
      candidateAt(state, event.index).checks.push(event.check);
      break;
    case 'candidate-finished':
      candidateAt(state, event.index).finished = event;
      break;
    case 'run-resumed':
      resume(state, event.atMs);
      break;
    case 'ranked':
      state.ranked = event;
      break;
    case 'run-finished':
      state.finished = event;
      break;
    case 'kept':
      state.kept = event;
      break;
  }
  state.lastEventMs = event.atMs;
}

function candidateAt(state: RunState, index: number): CandidateState {
  const candidate = state.candidates.get(index);
  if (candidate === undefined) throw new Error(`internal: run ${state.runId} has no candidate ${index} yet`);
  return candidate;
}

function resume(state: RunState, atMs: number): void {
  const totals = state.finished?.totals;
  state.earlier = totals ?? {
    ...state.earlier,
    durationMs: state.earlier.durationMs + Math.max(0, state.lastEventMs - state.sessionStartedMs),
  };
  state.finished = null;
  state.sessionStartedMs = atMs;
  // The copy in which the first checks ran is gone, and a later check may need what an earlier one built.
  for (const candidate of state.candidates.values()) {
    if (candidate.finished === null && !checksComplete(candidate.checks, state.started.task.checks.length)) {
      candidate.checks = [];
    }
  }
}

/** Whether nothing is left to run: all checks have a result, the ones after a failure that of being skipped. */
export function checksComplete(results: readonly CheckResult[], commands: number): boolean {
  return results.length === commands;
}
