import type { RawFinding, SuppressedFinding } from './finding.ts';

interface Suppression {
  readonly by: SuppressedFinding['by'];
  /** Rules it names; empty: all. */
  readonly rules: readonly string[];
  readonly reason: string | null;
}

/** Comments by the line they speak about. */
export type Suppressions = ReadonlyMap<number, readonly Suppression[]>;

const COMMENT_ONLY = /^\s*(\/\/|#|\/\*|<!--|--|\*)/;

/**
 * `lathe-ignore RULE[, RULE] -- REASON` on the line itself or on a line of its own above it; the reason is part of it,
 * a comment without one is not honoured. `# noqa: CODES` speaks to ruff, `# nosec` to every Python security rule.
 * (ESLint reads its own comments.)
 */
export function suppressionsIn(text: string): Suppressions {
  const byLine = new Map<number, Suppression[]>();
  if (!/lathe-ignore|noqa|nosec/i.test(text)) return byLine;
  const add = (line: number, suppression: Suppression): void => {
    byLine.set(line, [...(byLine.get(line) ?? []), suppression]);
  };
  text.split('\n').forEach((source, index) => {
    const comment = /(?:\/\/|#|\/\*|<!--|\*)[ \t]*lathe-ignore[ \t](.+)$/.exec(source)?.[1];
    const [names, reason] = comment?.replace(/(\*\/|-->)\s*$/, '').split(' -- ', 2) ?? [];
    if (names && reason?.trim()) {
      const rules = names.split(',').map((rule) => rule.trim());
      add(COMMENT_ONLY.test(source) ? index + 2 : index + 1, { by: 'lathe-ignore', rules, reason: reason.trim() });
    }
    const noqa = /#\s*noqa(?:\s*:\s*([A-Z]+\d+(?:[\s,]+[A-Z]+\d+)*))?/i.exec(source);
    if (noqa) add(index + 1, { by: 'noqa', rules: noqa[1]?.split(/[\s,]+/) ?? [], reason: null });
    if (/#\s*nosec\b/i.test(source)) add(index + 1, { by: 'nosec', rules: [], reason: null });
  });
  return byLine;
}

/** The comment that speaks to this finding, or null. */
export function suppressionOf(finding: RawFinding, scanner: string, suppressions: Suppressions): Suppression | null {
  for (const one of suppressions.get(finding.line) ?? []) {
    if (one.by === 'noqa') {
      if (
        scanner === 'ruff' &&
        (one.rules.length === 0 || one.rules.some((code) => finding.rule === `ruff/${code.toUpperCase()}`))
      )
        return one;
    } else if (one.by === 'nosec') {
      if (finding.kind === 'security') return one;
    } else if (one.rules.some((rule) => finding.rule === rule || finding.rule.endsWith(`/${rule}`))) return one;
  }
  return null;
}

/** The text with `noqa` made unreadable at the same length, so that suppressed findings are still found and counted. */
export function withNoqaHidden(text: string): string {
  return text.replace(/(#\s*)noqa/gi, '$1n-qa');
}
