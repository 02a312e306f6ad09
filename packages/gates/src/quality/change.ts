import { severityUnder } from '../config.ts';
import type { PlacedFinding } from '../finding.ts';
import { repeatingComments } from './comments.ts';
import { deadExports } from './exports.ts';
import type { Change } from './quality-finding.ts';
import { weakenedTests } from './tests.ts';

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
