import { expect, it } from 'vitest';
import type { RawFinding } from './finding.ts';
import { suppressionOf, suppressionsIn, withNoqaHidden } from './suppressions.ts';

const at = (line: number, rule: string): RawFinding => ({
  kind: 'security',
  rule,
  cwe: null,
  severity: 'high',
  confidence: 'high',
  line,
  endLine: line,
  message: 'm',
});

it('honours lathe-ignore on the line, and above it on a line of its own', () => {
  const text =
    'eval(a); // lathe-ignore code-from-data -- a fixed table\n# lathe-ignore lathe/ssrf -- an internal host\nget(url)\n';
  const comments = suppressionsIn(text);
  expect(suppressionOf(at(1, 'lathe/code-from-data'), 'rules', comments)).toMatchObject({ reason: 'a fixed table' });
  expect(suppressionOf(at(3, 'lathe/ssrf'), 'rules', comments)).toMatchObject({ reason: 'an internal host' });
  expect(suppressionOf(at(3, 'lathe/tls-off'), 'rules', comments)).toBeNull();
});

it('does not honour lathe-ignore without a reason', () => {
  const comments = suppressionsIn(
    'eval(a); // lathe-ignore code-from-data\neval(b); // lathe-ignore code-from-data -- \n',
  );
  expect(suppressionOf(at(1, 'lathe/code-from-data'), 'rules', comments)).toBeNull();
  expect(suppressionOf(at(2, 'lathe/code-from-data'), 'rules', comments)).toBeNull();
});

it('takes noqa for ruff alone, by code where it names one', () => {
  const comments = suppressionsIn('eval(a)  # noqa: S307, E501\nexec(b)  # noqa\n');
  expect(suppressionOf(at(1, 'ruff/S307'), 'ruff', comments)).not.toBeNull();
  expect(suppressionOf(at(1, 'ruff/S102'), 'ruff', comments)).toBeNull();
  expect(suppressionOf(at(2, 'ruff/S102'), 'ruff', comments)).not.toBeNull();
  expect(suppressionOf(at(2, 'lathe/code-from-data'), 'rules', comments)).toBeNull();
});

it('hides noqa without moving anything', () => {
  const text = 'x = 1  # noqa: S1\ny = "noqa"\n';
  expect(withNoqaHidden(text)).toHaveLength(text.length);
  expect(withNoqaHidden(text)).not.toContain('# noqa');
});
