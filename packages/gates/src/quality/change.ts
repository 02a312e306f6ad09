import type { Tree } from '@lathe/protocol';
import { type GateConfig, severityUnder } from '../config.ts';
import type { PlacedFinding, RawFinding, SourceFile } from '../finding.ts';
import { repeatingComments } from './comments.ts';
import { deadExports } from './exports.ts';
import { weakenedTests } from './tests.ts';

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

/** What only a comparison of the two sides shows: comments that repeat code, exports nobody uses, tests made weaker. */
export async function changeFindings(change: Change): Promise<PlacedFinding[]> {
  const found = [...repeatingComments(change), ...weakenedTests(change), ...(await deadExports(change))];
  return found.flatMap((finding): PlacedFinding[] => {
    const severity = severityUnder(change.config, finding.rule, finding.severity);
    if (severity === null) return [];
    return [
      { ...finding, severity, kind: 'quality', cwe: null, endLine: finding.line, symbol: null, scanner: 'change' },
    ];
  });
}
