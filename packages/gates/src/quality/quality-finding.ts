import type { Tree } from '@lathe/protocol';
import type { GateConfig } from '../config.ts';
import type { RawFinding, SourceFile } from '../finding.ts';

/** A change as the checks of this folder see it: the changed files before and after. */
export interface Change {
  readonly base: Tree;
  readonly candidate: Tree;
  readonly before: readonly SourceFile[];
  readonly after: readonly SourceFile[];
  readonly config: GateConfig;
}

export type QualityFinding = Pick<RawFinding, 'rule' | 'severity' | 'confidence' | 'line' | 'message'> & {
  readonly path: string;
  readonly evidence: string;
  readonly help: string;
};
