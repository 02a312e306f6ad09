import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const cache = mkdtempSync(join(tmpdir(), 'lathe-languages-'));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

/** Another process with a cache folder of its own. */
function asked(folder: string): string {
  const program = `
    import { LANGUAGE_NAMES, languageOf } from ${JSON.stringify(new URL('./languages.ts', import.meta.url).href)};
    console.log(['a/b.tsx', 'lib/x.d.ts', 'Makefile', 'x.PY', 'notes'].map(languageOf).join(), LANGUAGE_NAMES.size > 700);`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: folder },
  });
}

test('languages are the same without a cache, from it, from a cut one, and where none can be written', () => {
  const expected = 'TSX,TypeScript,Makefile,Python,Other true\n';
  expect(asked(cache)).toBe(expected);
  const kept = join(cache, 'lathe/languages');
  const file = join(kept, readdirSync(kept)[0]!);
  const whole = readFileSync(file, 'utf8');
  expect(asked(cache)).toBe(expected);
  truncateSync(file, 1000);
  expect(asked(cache)).toBe(expected);
  expect(readFileSync(file, 'utf8')).toBe(whole);
  expect(asked('/dev/null')).toBe(expected);
});
