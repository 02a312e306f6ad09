/**
 * Which licence a text is. Whole texts (a LICENSE file) are held against those of SPDX's list: the share of three-word
 * sequences two texts have in common (Dice's coefficient 2·|A ∩ B| / (|A| + |B|)), without lines of copyright, case and marks.
 * The beginning of a source file is looked through for what authors put there.
 */

/** Below this a text is not taken for the one it is most like. BSD-2-Clause and BSD-3-Clause are 0.9 alike: the nearest decides. */
const ALIKE = 0.88;
const SEQUENCE = 3;

interface Template {
  readonly name: string;
  readonly sequences: Uint32Array;
}

let templates: Promise<readonly Template[]> | null = null;

/** SPDX name of the licence a text is, or null. Where several have this text (GPL-3.0-only, GPL-3.0-or-later) the shortest name. */
export async function licenceOfText(text: string): Promise<string | null> {
  templates ??= loadTemplates();
  const sequences = sequencesOf(text);
  let best: string | null = null;
  let most = ALIKE;
  for (const template of await templates) {
    const bound =
      (2 * Math.min(template.sequences.length, sequences.length)) / (template.sequences.length + sequences.length);
    if (bound < most) continue;
    const alike = dice(template.sequences, sequences);
    if (alike > most || (alike === most && (best === null || template.name.length < best.length))) {
      best = template.name;
      most = alike;
    }
  }
  return best;
}

async function loadTemplates(): Promise<readonly Template[]> {
  const { default: licences } = await import('spdx-license-list/full.js');
  return Object.entries(licences).map(([name, { licenseText }]) => ({ name, sequences: sequencesOf(licenseText) }));
}

/** How to apply the licence to one's own work: many leave it out. */
const AFTER_THE_TERMS = /end of (?:the )?terms and conditions.*/s;

/** Hashes of the distinct three-word sequences, ascending. */
function sequencesOf(text: string): Uint32Array {
  const words = text
    .toLowerCase()
    .replace(AFTER_THE_TERMS, '')
    .replace(/^.*\bcopyright (?:\(c\)|©|<year>|\d{4}).*$/gm, ' ')
    .match(/[\p{L}\p{N}]+/gu);
  const found = new Set<number>();
  for (let i = 0; i + SEQUENCE <= (words?.length ?? 0); i++) {
    let hash = 0x811c9dc5;
    for (const word of words!.slice(i, i + SEQUENCE)) {
      for (let k = 0; k < word.length; k++) hash = Math.imul(hash ^ word.charCodeAt(k), 0x01000193);
      hash = Math.imul(hash ^ 0x20, 0x01000193);
    }
    found.add(hash >>> 0);
  }
  return Uint32Array.from(found).sort();
}

function dice(a: Uint32Array, b: Uint32Array): number {
  let common = 0;
  let k = 0;
  for (const sequence of a) {
    while (k < b.length && b[k]! < sequence) k++;
    if (b[k] === sequence) common++;
  }
  return a.length + b.length === 0 ? 0 : (2 * common) / (a.length + b.length);
}

const SPDX_LINE = /SPDX-License-Identifier:[ \t]*([^\r\n]*)/;
/** What closes a comment behind an expression. */
const COMMENT_END = /\s*(?:\*\/|-->|\*\)|--\}\}|#\}|%>|"""|''').*$/;

/** What authors put at the head of a file instead of an SPDX line. Numbers and choices are read from the sentence. */
const SENTENCES: readonly [RegExp, (head: string, found: RegExpExecArray) => string][] = [
  [
    /GNU (Affero |Lesser |Library )?General Public Licen[sc]e/i,
    (head, [, kind = '']) => {
      const letters = { affero: 'AGPL', lesser: 'LGPL', library: 'LGPL', '': 'GPL' }[kind.trim().toLowerCase()]!;
      const version = /(?:version|v\.?) ?(\d(?:\.\d)?)/i.exec(head)?.[1] ?? (letters === 'AGPL' ? '3.0' : null);
      if (version === null) return `LicenseRef-${letters}`;
      const whole = version.includes('.') ? version : `${version}.0`;
      return `${letters}-${whole}-${/any later version|or later/i.test(head) ? 'or-later' : 'only'}`;
    },
  ],
  [/Apache Licen[sc]e,? +(?:\(the "License"\)|(?:version|v\.?) ?2)/i, () => 'Apache-2.0'],
  [/Mozilla Public\s+Licen[sc]e,? *(?:version|v\.?) ?(\d\.\d)/i, (_, [, version]) => `MPL-${version}`],
  [/Eclipse Public Licen[sc]e,?(?: *(?:-|version|v\.?))?(?: *v)? *(\d\.\d)/i, (_, [, version]) => `EPL-${version}`],
  [/Boost Software Licen[sc]e/i, () => 'BSL-1.0'],
  [
    /released into the public domain|Unlicense/i,
    (_, [sentence]) => (/unl/i.test(sentence!) ? 'Unlicense' : 'LicenseRef-public-domain'),
  ],
  [/Permission is hereby granted, free of charge, to any person/i, () => 'MIT'],
  [/Permission to use, copy, modify, and(?:\/or)? distribute this software/i, () => 'ISC'],
  [
    /Redistribution and use in source and binary forms/i,
    (head) => (/\bneither the name|\bnames? of .{1,80} may not be used/i.test(head) ? 'BSD-3-Clause' : 'BSD-2-Clause'),
  ],
  [/(?:licen[sc]ed|released|distributed) under (?:the )?(?:terms of the )?MIT Licen[sc]e/i, () => 'MIT'],
];

/** The licence a source file says it is under, as written behind `SPDX-License-Identifier:` or by a usual sentence; null: nothing. */
export function licenceOfHead(head: string): string | null {
  const line = SPDX_LINE.exec(head)?.[1]?.replace(COMMENT_END, '').trim();
  if (line) return line;
  // Sentences run over lines, each with the marks of its comment.
  const running = head.replace(/\s*\n[ \t]*(?:\*|\/\/|#|;+|--|%|REM\b)*[ \t]*/g, ' ').replace(/\s+/g, ' ');
  for (const [sentence, name] of SENTENCES) {
    const found = sentence.exec(running);
    if (found) return name(running, found);
  }
  return null;
}
