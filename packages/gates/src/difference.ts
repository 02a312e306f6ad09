import type { PlacedFinding } from './finding.ts';

type Identified = Pick<PlacedFinding, 'rule' | 'path' | 'symbol' | 'evidence' | 'message'>;

/** Text that stays the same when code is moved or indented: white space collapsed, numbers of lines left out. */
export function normalisedEvidence(finding: Identified): string {
  return (finding.evidence ?? finding.message).replace(/\s+/g, ' ').trim();
}

/**
 * Keys from strict to loose: same place in the same symbol; same file; moved with its symbol to another file; moved
 * anywhere.
 */
const KEYS: readonly ((finding: Identified) => string)[] = [
  (finding) => [finding.rule, finding.path, finding.symbol ?? '', normalisedEvidence(finding)].join('\0'),
  (finding) => [finding.rule, finding.path, normalisedEvidence(finding)].join('\0'),
  (finding) => [finding.rule, finding.symbol ?? '', normalisedEvidence(finding)].join('\0'),
  (finding) => [finding.rule, normalisedEvidence(finding)].join('\0'),
];

export interface Difference<T extends Identified> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
}

/**
 * Findings the candidate has and the base has not, as multisets: each finding of the base accounts for one of the
 * candidate, so that a copy is new and a move is not.
 */
export function differenceOfFindings<T extends Identified>(base: readonly T[], candidate: readonly T[]): Difference<T> {
  let old = [...base];
  let fresh = [...candidate];
  for (const key of KEYS) {
    const unmatched = new Map<string, T[]>();
    for (const finding of old) unmatched.set(key(finding), [...(unmatched.get(key(finding)) ?? []), finding]);
    const matched = new Set<T>();
    fresh = fresh.filter((finding) => {
      const partner = unmatched.get(key(finding))?.pop();
      if (partner) matched.add(partner);
      return !partner;
    });
    old = old.filter((finding) => !matched.has(finding));
  }
  return { added: fresh, removed: old };
}
