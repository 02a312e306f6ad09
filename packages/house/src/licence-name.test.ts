import { describe, expect, it } from 'vitest';
import { checkExcluded, isExcluded, licenceName } from './licence-name.ts';

describe('isExcluded', () => {
  it.each([
    ['GPL-3.0-only', ['GPL-3.0-only'], true],
    ['GPL-3.0-only', ['GPL-3.0-or-later'], false],
    ['GPL-3.0-or-later', ['GPL-3.0'], true],
    ['GPL-3.0', ['GPL-3.0-only'], true],
    ['GPL-2.0+', ['GPL-2.0'], true],
    ['LGPL-2.1-only', ['GPL-*'], false],
    ['GPL-2.0-only WITH Classpath-exception-2.0', ['GPL-2.0-only'], true],
    ['MIT OR GPL-3.0-only', ['GPL-3.0-only'], false],
    ['MIT OR GPL-3.0-only', ['GPL-3.0-only', 'MIT'], true],
    ['MIT AND GPL-3.0-only', ['GPL-3.0-only'], true],
    ['(MIT OR Apache-2.0) AND AGPL-3.0', ['AGPL-*'], true],
    ['Some words of their own', ['MIT'], false],
    ['NOASSERTION', ['NOASSERTION'], true],
    ['MIT', [], false],
  ])('%s without %j: %s', (name, excluded, expected) => {
    expect(isExcluded(name, excluded)).toBe(expected);
  });
});

describe('checkExcluded', () => {
  it('takes names of the list, what they begin with, and names of one’s own', () => {
    expect(() => checkExcluded(['MIT', 'GPL-3.0', 'GPL-*', 'NOASSERTION', 'LicenseRef-ours'])).not.toThrow();
  });

  it.each([
    ['GPL3', 'Did you mean GPL-3.0?'],
    ['FOO-*', "'GPL-*' means all"],
    ['', "'GPL-*' means all"],
  ])('refuses %j, which would exclude nothing', (name, remedy) => {
    expect(() => checkExcluded([name])).toThrow(
      expect.objectContaining({ code: 'LATHE_USAGE_LICENCE', remedy: expect.stringContaining(remedy) }),
    );
  });
});

describe('licenceName', () => {
  it.each([
    ['MIT', 'MIT'],
    ['(MIT OR Apache-2.0)', '(MIT OR Apache-2.0)'],
    ['Apache 2', 'Apache-2.0'],
    ['GPLv3', 'GPL-3.0'],
    ['Proprietary, all rights reserved', 'Proprietary, all rights reserved'],
  ])('%s is %s', (written, name) => {
    expect(licenceName(written)).toBe(name);
  });
});
