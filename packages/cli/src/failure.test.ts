import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LatheError } from '@lathe/protocol';
import pc from 'picocolors';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Output } from './terminal.ts';

let state: string;
let text: string;
const output: Output = {
  write: (more) => {
    text += more;
  },
  isTty: false,
  columns: 80,
  colors: pc.createColors(false),
  stream: null,
};

/** Where the state lives is read from the environment when the module is loaded. */
async function report(error: unknown): Promise<number> {
  vi.resetModules();
  const { reportFailure } = await import('./failure.ts');
  return reportFailure(error, output);
}

beforeEach(() => {
  text = '';
  state = mkdtempSync(join(tmpdir(), 'lathe-state-'));
  vi.stubEnv('XDG_STATE_HOME', state);
});
afterEach(() => vi.unstubAllEnvs());

test.each([
  ['LATHE_USAGE_AT', 2],
  ['LATHE_NOT_FOUND_RUN', 3],
  ['LATHE_CANCELLED', 4],
  ['LATHE_NO_ISOLATION', 1],
])('%s ends with %i, its message and its remedy', async (code, status) => {
  expect(await report(new LatheError(code, 'first line\nsecond line', { remedy: 'do this\nor that' }))).toBe(status);
  expect(text).toBe('error: first line\n  second line\n  → do this\n  → or that\n');
  expect(readdirSync(state)).toEqual([]);
});

test('a problem of a package with an error class of its own is told like any other', async () => {
  const problem = Object.assign(new Error('no such function'), { code: 'LATHE_NOT_FOUND_HOLE', remedy: null });
  expect(await report(problem)).toBe(3);
  expect(text).toBe('error: no such function\n');
});

test('a defect is one line, and its stack is in a file that is named', async () => {
  expect(await report(new TypeError('x is not a function\nmore'))).toBe(1);
  const [file] = readdirSync(join(state, 'lathe'));
  expect(text).toBe(
    `error: internal error: x is not a function\n  → please report it; details: ${join(state, 'lathe', file!)}\n`,
  );
  expect(readFileSync(join(state, 'lathe', file!), 'utf8')).toMatch(
    /TypeError: x is not a function[\s\S]*failure\.test\.ts/,
  );
});

test.each([
  ['ENOSPC', /the disk is full: \/x/],
  ['EACCES', /permission denied: \/x/],
  ['EROFS', /read-only: \/x/],
])('%s is said with its path, and not as a defect', async (code, message) => {
  const error = Object.assign(new Error(`${code}: …, write`), { code, syscall: 'write', path: '/x' });
  expect(await report(error)).toBe(1);
  expect(text).toMatch(message);
  expect(text).not.toMatch(/internal/);
});
