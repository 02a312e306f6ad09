import { LatheError } from '@lathe/protocol';
import correct from 'spdx-correct';
import parse from 'spdx-expression-parse';
import names from 'spdx-license-list/simple.js';

/** SPDX's word for: nothing is said. */
export const NOT_SAID = 'NOASSERTION';
/** A licence file that is like no text of SPDX's list. */
export const NOT_RECOGNISED = 'LicenseRef-not-recognised';

/**
 * A licence as an SPDX expression (https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/), common
 * misspellings corrected: `Apache 2` is `Apache-2.0`. What is none stays as it was written.
 */
export function licenceName(written: string): string {
  const trimmed = written.trim();
  if (expression(trimmed) !== null) return trimmed;
  return correct(trimmed, { upgrade: false }) ?? trimmed;
}

type Expression = ReturnType<typeof parse>;

function expression(text: string): Expression | null {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

/** Single licences of an expression; the whole text where it is none. */
export function licencesIn(name: string): string[] {
  const leaves = (part: Expression): string[] =>
    'license' in part ? [withPlus(part)] : [...leaves(part.left), ...leaves(part.right)];
  const parsed = expression(name);
  return parsed === null ? [name] : leaves(parsed);
}

function withPlus({ license, plus }: { license: string; plus?: true | undefined }): string {
  return plus ? `${license}+` : license;
}

/**
 * Whether a file under this licence is left out. With `A AND B` both must be kept to, so either takes it out; of `A OR B`
 * one may be chosen, so both must be excluded. A name without `-only` and `-or-later` stands for both (the text of the GPL
 * does not say which is meant), a name that ends in `*` for all that begin so.
 */
export function isExcluded(name: string, excluded: readonly string[]): boolean {
  const leaf = (licence: string) => excluded.some((pattern) => matches(licence, pattern));
  const decide = (part: Expression): boolean => {
    if ('license' in part) return leaf(withPlus(part));
    return part.conjunction === 'and'
      ? decide(part.left) || decide(part.right)
      : decide(part.left) && decide(part.right);
  };
  const parsed = expression(name);
  return parsed === null ? leaf(name) : decide(parsed);
}

function matches(licence: string, pattern: string): boolean {
  if (pattern.endsWith('*')) return licence.startsWith(pattern.slice(0, -1));
  return licence === pattern || stem(licence) === pattern || licence === stem(pattern);
}

export function stem(licence: string): string {
  return licence.replace(/(?:-only|-or-later|\+)$/, '');
}

/** Throws `LATHE_USAGE_LICENCE` for a name that SPDX's list does not have: it would exclude nothing, unnoticed. */
export function checkExcluded(patterns: readonly string[]): void {
  const known = [...names];
  for (const pattern of patterns) {
    if (pattern === NOT_SAID || pattern.startsWith('LicenseRef-')) continue;
    if (pattern.endsWith('*') ? known.some((name) => matches(name, pattern)) : names.has(pattern)) continue;
    // It throws for no text at all.
    const meant = pattern.trim() === '' ? null : correct(pattern, { upgrade: false });
    throw new LatheError('LATHE_USAGE_LICENCE', `expected the SPDX name of a licence, got ${JSON.stringify(pattern)}`, {
      remedy: `${meant === null ? '' : `Did you mean ${meant}? `}The names are at https://spdx.org/licenses; 'GPL-*' means all that begin so, ${NOT_SAID} files of which nothing is known.`,
    });
  }
}
