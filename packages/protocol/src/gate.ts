import type { Finding, NotLookedFor } from './finding.ts';
import type { FileEdit, Tree } from './tree.ts';

export interface GateRequest {
  readonly base: Tree;
  readonly candidate: Tree;
  readonly edits: readonly FileEdit[];
  readonly signal: AbortSignal;
}

export interface GateResult {
  /** Findings of the candidate that the base does not have. */
  readonly findings: readonly Finding[];
  readonly notLookedFor: readonly NotLookedFor[];
  /** What the gate measured, by name. Evidence, recorded with the candidate; it rejects nothing. */
  readonly signals?: Readonly<Record<string, number>>;
  /** A reason to leave the checks out (the code does not parse, for one), or null. */
  readonly reject: string | null;
}

/** Looks at a candidate without running it. */
export interface Gate {
  readonly name: string;
  inspect(request: GateRequest): Promise<GateResult>;
}

/** Name of the signal that a model of the repository's own code gives: see `houseExcess` in the package house. */
export const HOUSE_SIGNAL = 'house excess bits a token';
