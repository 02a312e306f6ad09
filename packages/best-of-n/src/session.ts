import type { Event, Gate, Limits, Maker, MakerNews, RunStore, Tree, WorkspaceSource } from '@lathe/protocol';
import type { Normalise } from './fingerprint.ts';
import type { Criterion } from './ranking.ts';
import type { Recorder } from './recorder.ts';
import { applyEvent, type RunState } from './replay.ts';
import { Stopwatch } from './stopwatch.ts';

/** What an observer is told: events once they are on disk, and passing news that is not recorded. */
export type RunNews =
  | { readonly type: 'event'; readonly event: Event; readonly state: RunState }
  | { readonly type: 'maker'; readonly model: string; readonly news: Exclude<MakerNews, { type: 'proposal' }> }
  | { readonly type: 'checking-base'; readonly checks: readonly string[] }
  | { readonly type: 'checking'; readonly index: number; readonly command: string };

/** What the loop is given to work with. */
export interface RunParts {
  /** One for every model of the run's options. */
  readonly makers: readonly Maker[];
  /** Copies of the run's base commit. */
  readonly workspaces: WorkspaceSource;
  readonly gates: readonly Gate[];
  readonly recorder: Recorder;
  readonly store: RunStore;
  /** Of one check command. */
  readonly limits: Limits;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly observe?: (news: RunNews) => void;
  /** Stops the run: it ends as `cancelled` and can be resumed. */
  readonly signal?: AbortSignal;
  /** Default: `normaliseCode`. */
  readonly normalise?: Normalise;
  /** Default: `DEFAULT_CRITERIA`. */
  readonly criteria?: readonly Criterion[];
}

/** One stretch of work on a run, from start or resume to its end. */
export class Session {
  readonly state: RunState;
  readonly parts: RunParts;
  /** Fires when the run is cancelled, its time is up, or the loop itself fails. */
  readonly signal: AbortSignal;
  readonly making: Stopwatch;
  readonly checking: Stopwatch;
  /** One object for the whole session: gates remember what they know of a base by it. */
  readonly base: Tree;
  readonly #abort = new AbortController();
  #appended: Promise<void> = Promise.resolve();

  constructor(state: RunState, parts: RunParts) {
    this.state = state;
    this.parts = parts;
    this.base = parts.recorder.treeAt(state.started.baseCommit);
    this.making = new Stopwatch(parts.clock);
    this.checking = new Stopwatch(parts.clock);
    this.signal = parts.signal === undefined ? this.#abort.signal : AbortSignal.any([parts.signal, this.#abort.signal]);
  }

  get runId(): string {
    return this.state.runId;
  }

  get baseCommit(): string {
    return this.state.started.baseCommit;
  }

  now(): number {
    return this.parts.clock();
  }

  tell(news: RunNews): void {
    this.parts.observe?.(news);
  }

  /** Stores the event, then brings the state forward, then tells the observer: nothing is shown that is not on disk. */
  append(event: Event): Promise<void> {
    const mine = this.#appended.then(async () => {
      await this.parts.store.append(this.runId, event);
      applyEvent(this.state, event);
      this.tell({ type: 'event', event, state: this.state });
    });
    // A failed append fails everything after it: the record may have no holes.
    this.#appended = mine;
    mine.catch(() => undefined);
    return mine;
  }

  stop(reason: unknown): void {
    this.#abort.abort(reason);
  }
}
