import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { withoutIsolation } from '../testing/isolation.ts';
import { repositoryWithHole } from '../testing/repository.ts';
import { latheEnvironment } from '../testing/run-lathe.ts';

/** script(1) of util-linux gives a command a terminal of its own. */
const noTerminal =
  spawnSync('script', ['--version']).status === 0 ? null : ' (skipped: script of util-linux is not there)';
const reason = withoutIsolation ?? noTerminal;
const bin = join(import.meta.dirname, '../../bin/lathe.js');

interface Session {
  readonly status: number | null;
  readonly screen: string;
}

/** Runs lathe on a terminal of 80 columns, and presses Ctrl-C there once the screen matches. */
function onTerminal(args: readonly string[], cwd: string, pressAt?: RegExp): Promise<Session> {
  const command = ['stty cols 80 rows 30; exec', process.execPath, bin, ...args].map((word, i) =>
    i === 0 ? word : `'${word}'`,
  );
  const child = spawn('script', ['--quiet', '--return', '--command', command.join(' '), '/dev/null'], {
    cwd,
    env: { ...latheEnvironment(), TERM: 'xterm-256color' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let screen = '';
  let pressed = false;
  child.stdout.setEncoding('utf8').on('data', (text) => {
    screen += text;
    if (pressAt?.test(screen) && !pressed) {
      pressed = true;
      child.stdin.write('\u0003');
    }
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, screen }));
  });
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

describe.skipIf(reason !== null)(`on a terminal${reason ?? ''}`, () => {
  const { root } = repositoryWithHole();
  const task = (agent: string) => [
    'make',
    'make it pass',
    '--model',
    `agent:${agent}`,
    '-n',
    '3',
    '--check',
    'node test.js',
  ];

  test('rows are repainted in place, then the ranking stands alone and the cursor is back', async () => {
    const agent = 'sed -i s/throw.*/return\\ number*2/ src/double.js';
    const { status, screen } = await onTerminal(task(agent), root);
    expect(status, screen).toBe(0);
    expect(screen).toContain(HIDE_CURSOR);
    expect(screen.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(screen.lastIndexOf(HIDE_CURSOR));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is the terminal's erase command that is looked for.
    expect(screen).toMatch(/\u001b\[2K/);
    const end = stripVTControlCharacters(screen.slice(screen.indexOf(SHOW_CURSOR, screen.lastIndexOf(HIDE_CURSOR))));
    expect(end).toMatch(/1 {2}c\d {3}✔ passed[\s\S]*3 of 3 passed[\s\S]*lathe keep/);
    expect(end).not.toMatch(/state {2,}tokens/);
  });

  test('Ctrl-C in the terminal: it says so, gives the cursor back, and names the command that goes on', async () => {
    const { status, screen } = await onTerminal(task('sleep 60'), root, /fails on the base/);
    expect(status, screen).toBe(4);
    expect(screen).toMatch(/Stopping\./);
    expect(screen.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(screen.lastIndexOf(HIDE_CURSOR));
    expect(screen).toMatch(/lathe resume \w+/);
  });
});
