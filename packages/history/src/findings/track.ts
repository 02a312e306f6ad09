import type { Finding } from '@lathe/protocol';

/** A finding through the samples: positions in the list of samples, oldest first. */
export interface TrackedFinding {
  /** As it stood where it was last seen. */
  readonly finding: Finding;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

function evidence(finding: Finding): string {
  return (finding.evidence ?? finding.message).replace(/\s+/g, ' ').trim();
}

/** What makes two findings of neighbouring samples the same: in its file, else moved with its text. */
const KEYS: readonly ((finding: Finding) => string)[] = [
  (finding) => [finding.rule, finding.path, evidence(finding)].join('\0'),
  (finding) => [finding.rule, evidence(finding)].join('\0'),
];

/**
 * Joins the findings of one sample to those of the next. Each accounts for one of the next sample's, so that a copy is
 * new and a move is not; what is gone in a sample and comes back later is a finding of its own.
 */
export function trackFindings(samples: readonly (readonly Finding[])[]): TrackedFinding[] {
  const tracked: { finding: Finding; firstSeen: number; lastSeen: number }[] = [];
  samples.forEach((findings, at) => {
    let fresh = [...findings];
    for (const key of KEYS) {
      const open = new Map<string, (typeof tracked)[number][]>();
      for (const one of tracked) {
        if (one.lastSeen !== at - 1) continue;
        const same = open.get(key(one.finding));
        if (same) same.push(one);
        else open.set(key(one.finding), [one]);
      }
      fresh = fresh.filter((finding) => {
        const before = open.get(key(finding))?.shift();
        if (!before) return true;
        before.finding = finding;
        before.lastSeen = at;
        return false;
      });
    }
    for (const finding of fresh) tracked.push({ finding, firstSeen: at, lastSeen: at });
  });
  return tracked;
}
