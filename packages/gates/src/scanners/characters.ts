import type { RawFinding } from '../finding.ts';
import type { Scanner } from './scanner.ts';

const BIDI = /[\u202A-\u202E\u2066-\u2069]/;
const INVISIBLE = /[\u200B\u2060\u00AD\u{E0020}-\u{E007F}]/u;

/** Characters that make code read differently from what it does ("Trojan Source", CVE-2021-42574). */
export const characters: Scanner = {
  name: 'characters',
  languages: ['javascript', 'typescript', 'tsx', 'python', 'c'],
  looksFor: 'hidden and direction-changing characters',
  whyNot: async () => null,
  async scan(file) {
    if (!BIDI.test(file.text) && !INVISIBLE.test(file.text)) return { findings: [] };
    const findings: RawFinding[] = [];
    file.text.split('\n').forEach((text, index) => {
      const bidi = BIDI.test(text);
      if (!bidi && !INVISIBLE.test(text)) return;
      const name = `U+${text
        .match(bidi ? BIDI : INVISIBLE)![0]
        .codePointAt(0)!
        .toString(16)
        .toUpperCase()
        .padStart(4, '0')}`;
      findings.push({
        kind: 'security',
        rule: bidi ? 'lathe/bidirectional-character' : 'lathe/invisible-character',
        cwe: 'CWE-1007',
        severity: bidi ? 'high' : 'medium',
        confidence: 'high',
        line: index + 1,
        endLine: index + 1,
        message: bidi
          ? `${name} reorders this line for the reader: it does not say what it does`
          : `${name} is in this line and cannot be seen`,
        help: 'Write the character as an escape, or remove it.',
        evidence: text.replace(/[^\x20-\x7e]/g, '·').trim(),
      });
    });
    return { findings };
  },
};
