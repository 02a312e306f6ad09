import full from 'spdx-license-list/full.js';
import { describe, expect, it } from 'vitest';
import { licenceOfHead, licenceOfText } from './licence-text.ts';

/** The list's text as people put it into a repository: their name in it, lines broken elsewhere, a word of their own above. */
function asUsed(name: string): string {
  const text = full[name]!.licenseText.replace(/<year>|<dates>/g, '2019-2024')
    .replace(/<copyright holders?>|<owner>|<name of author>/g, 'Example Works Ltd')
    .replace(/<organization>/g, 'Example Works');
  return `# Licence of this project\n\n${text.replace(/\s+/g, ' ').replace(/(.{60,75}) /g, '$1\n')}`;
}

describe('licenceOfText', () => {
  it.each([
    ['MIT', 'MIT'],
    ['ISC', 'ISC'],
    ['Apache-2.0', 'Apache-2.0'],
    ['BSD-2-Clause', 'BSD-2-Clause'],
    ['BSD-3-Clause', 'BSD-3-Clause'],
    ['GPL-2.0-only', 'GPL-2.0'],
    ['GPL-3.0-or-later', 'GPL-3.0'],
    ['LGPL-2.1-only', 'LGPL-2.1'],
    ['AGPL-3.0-only', 'AGPL-3.0'],
    ['MPL-2.0', 'MPL-2.0'],
    ['Unlicense', 'Unlicense'],
    ['Zlib', 'Zlib'],
  ])('knows %s as people use it', async (name, expected) => {
    expect(await licenceOfText(asUsed(name))).toBe(expected);
  });

  it('knows Apache-2.0 without how to apply it', async () => {
    const text = asUsed('Apache-2.0');
    expect(await licenceOfText(text.slice(0, text.search(/END\s+OF\s+TERMS/)))).toBe('Apache-2.0');
  });

  it('takes neither terms of somebody’s own nor words about a licence for one', async () => {
    expect(await licenceOfText('All rights reserved. This software is confidential and may not be copied.')).toBeNull();
    expect(await licenceOfText('This project is under the MIT license, see the file of that name.')).toBeNull();
    expect(await licenceOfText('')).toBeNull();
  });
});

describe('licenceOfHead', () => {
  it.each([
    ['// SPDX-License-Identifier: MIT\n', 'MIT'],
    ['/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */\n', '(GPL-2.0-only OR MIT)'],
    ['<!-- SPDX-License-Identifier: CC0-1.0 -->\n', 'CC0-1.0'],
    ['# Licensed under the Apache License, Version 2.0 (the "License");\n# you may not', 'Apache-2.0'],
    [
      ' * This program is free software: you can redistribute it under the terms of the GNU General\n * Public License as published by the FSF, either version 3 of the License, or\n * (at your option) any later version.',
      'GPL-3.0-or-later',
    ],
    ['# under the terms of the GNU Lesser General Public License, version 2.1, as published', 'LGPL-2.1-only'],
    ['// This Source Code Form is subject to the terms of the Mozilla Public\n// License, v. 2.0.', 'MPL-2.0'],
    [
      '# Redistribution and use in source and binary forms, with or without\n# modification, are permitted. Neither the name of X nor',
      'BSD-3-Clause',
    ],
    ['# Redistribution and use in source and binary forms, with or without\n# modification', 'BSD-2-Clause'],
    ['// Released under the MIT License.\n', 'MIT'],
    ['// See LICENSE for terms.\nexport const license = "MIT";\n', null],
    ['export const a = 1;\n', null],
  ])('%j says %s', (head, expected) => {
    expect(licenceOfHead(head)).toBe(expected);
  });
});
