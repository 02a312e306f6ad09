import type { TokenCount } from './candidate.ts';
import type { Task } from './task.ts';
import type { FileEdit, Tree } from './tree.ts';
import type { WorkspaceSource } from './workspace.ts';

/** Money set aside before a request is sent. `settle` replaces the reservation by what it really cost. */
export interface Reservation {
  settle(actualUsd: number): void;
}

/** The run's purse, shared by all its makers. */
export interface Budget {
  /** Dollars that are neither spent nor reserved; Infinity where there is no cap. */
  readonly availableUsd: number;
  /** Null where the reservation would overshoot the cap: the request must not be sent. */
  reserve(maximumUsd: number): Reservation | null;
}

export interface MakeRequest {
  readonly task: Task;
  readonly base: Tree;
  /** Positions in the run to make, ascending; the maker answers each exactly once. */
  readonly indices: readonly number[];
  /**
   * All positions of the run that are this maker's, ascending, those that were made before included: a candidate drawn
   * together with others is the draw of its place among them. Absent: `indices`.
   */
  readonly share?: readonly number[];
  /** The run's seed: with an index it fixes a candidate's random numbers. */
  readonly seed: number;
  /** Null: the maker's own default. */
  readonly temperature: number | null;
  /** See `RunOptions`. A maker that cannot draw candidates together ignores it. */
  readonly distinct?: number;
  /** See `RunOptions`. */
  readonly speculate?: boolean;
  /** See `RunOptions`. */
  readonly grammar?: boolean;
  readonly budget: Budget;
  /** For agents, which work in the candidate's own copy. */
  readonly workspaces: WorkspaceSource;
  readonly signal: AbortSignal;
}

/** A candidate as its maker hands it over. */
export interface Proposal {
  readonly index: number;
  readonly outcome: 'made' | 'invalid' | 'timed-out' | 'error';
  /** In words, where the outcome is not `made`. */
  readonly reason: string | null;
  /** Empty unless the outcome is `made`. */
  readonly edits: readonly FileEdit[];
  /** The raw answer. */
  readonly answer: string;
  readonly seed: number;
  readonly tokens: TokenCount;
  readonly costUsd: number;
  readonly durationMs: number;
  readonly meanLogProbability: number | null;
  /** What the maker could reach while it worked, in words, where it ran commands of its own: an agent. */
  readonly reach?: string;
}

/** News from a maker at work. `phase` is one short word for the terminal: `loading`, `reading`, `writing`, `waiting`. */
export type MakerNews =
  | { readonly type: 'phase'; readonly indices: readonly number[]; readonly phase: string; readonly detail?: string }
  | { readonly type: 'tokens'; readonly index: number; readonly completion: number }
  | { readonly type: 'proposal'; readonly proposal: Proposal };

/**
 * Where candidates come from. A failure of one candidate is a `Proposal` with `error`; only a failure that concerns all
 * of them (unknown model, wrong key) throws.
 */
export interface Maker {
  /** Model id as the user gave it: `local:smollm2-135m`. */
  readonly model: string;
  make(request: MakeRequest): AsyncIterable<MakerNews>;
  close(): Promise<void>;
}
