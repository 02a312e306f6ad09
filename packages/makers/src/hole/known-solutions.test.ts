import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Language } from '../syntax/parser.ts';
import { fillFromAnswer } from './extract.ts';
import { findHole } from './find.ts';

const DATA = process.env.LATHE_SHARED_DATA ?? resolve(import.meta.dirname, '../../../../../shared/data');

interface Problem {
  readonly prompt: string;
  readonly canonical_solution: string;
}

const SETS: readonly { file: string; language: Language; fence: string; stub: string; close: string }[] = [
  { file: 'humaneval/HumanEval.jsonl.gz', language: 'python', fence: 'python', stub: '    pass\n', close: '' },
  { file: 'humaneval-x/humaneval_js.jsonl.gz', language: 'javascript', fence: 'js', stub: '}\n', close: '}' },
];

describe.each(SETS)('solutions of $file', ({ file, language, fence, stub, close }) => {
  const path = join(DATA, file);
  const missing = existsSync(path) ? '' : ` (skipped: ${path} is not there; LATHE_SHARED_DATA names the folder)`;

  test.skipIf(missing !== '')(`come out of every wrapping as they went in${missing}`, () => {
    const rows = gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n');
    const problems = rows.map((row) => JSON.parse(row) as Problem).filter((_, i) => i % 4 === 0);
    expect(problems.length).toBeGreaterThan(30);
    for (const { prompt, canonical_solution } of problems) {
      const name = [...prompt.matchAll(/(?:def|const|function) (\w+)(?: = )?\(/g)].at(-1)![1]!;
      const source = prompt + stub;
      const hole = findHole(source, language, name);
      const whole = prompt + canonical_solution;
      const statements = canonical_solution.trimEnd().slice(0, close === '' ? undefined : -1);
      for (const [start, answer] of [
        ['whole', `Sure!\n\`\`\`${fence}\n${whole}\n\`\`\`\nDone, it works well.`],
        ['whole', `${whole}\n\nThis function works as follows.`],
        ['whole', `\`\`\`\n${statements}\n\`\`\``],
        ['inside', `\n${canonical_solution}\n\nunrelated(`],
      ] as const) {
        const filled = fillFromAnswer(source, hole, answer, { start, isCutOff: false });
        expect('source' in filled ? plain(filled.source) : filled.invalid).toBe(plain(whole));
      }
    }
  });
});

/** Lines without blank ones, each with whether it is deeper than, as deep as, or less deep than the one above. */
function plain(source: string): string {
  const lines = source.split('\n').filter((line) => line.trim() !== '');
  const depth = (i: number): number => (i < 0 ? 0 : lines[i]!.length - lines[i]!.trimStart().length);
  return lines.map((line, i) => `${Math.sign(depth(i) - depth(i - 1))} ${line.trim()}`).join('\n');
}
