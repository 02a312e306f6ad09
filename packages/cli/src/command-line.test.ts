import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openRunStore } from '@lathe/ledger';
import type { Event } from '@lathe/protocol';
import { describe, expect, test } from 'vitest';
import { repositoryWithHole } from './testing/repository.ts';
import { latheEnvironment, runLathe } from './testing/run-lathe.ts';

const bin = join(import.meta.dirname, '../bin/lathe.js');
const { root: cwd } = repositoryWithHole();

function startOf(run: number): Event {
  return {
    type: 'run-started',
    atMs: run,
    task: { kind: 'instruction', instruction: 'x'.repeat(8000), files: [], checks: ['true'], allow: [] },
    options: {
      n: 1,
      models: ['local:a'],
      temperature: null,
      seed: 1,
      maxCostUsd: null,
      maxSeconds: null,
      concurrency: 1,
      keep: 'none',
      unsafeNoSandbox: false,
    },
    baseCommit: 'b',
    headCommit: 'b',
    uncommitted: [],
    isolation: 'none',
    repository: '/r',
  };
}

test.each([['--help'], ['help'], ['make', '--help'], ['--version']])(
  '%s goes to stdout and ends with 0',
  async (...args) => {
    const ended = await runLathe(args, { cwd });
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    expect(ended.stdout).not.toBe('');
  },
);

const VERBS = ['make', 'list', 'show', 'compare', 'keep', 'resume', 'scan', 'audit', 'ledger', 'train', 'score'];
test('every verb explains itself and its arguments within 80 columns', async () => {
  const ended = await Promise.all(
    [...VERBS, 'clean', 'doctor', 'models'].map((verb) => runLathe([verb, '--help'], { cwd })),
  );
  for (const { status, stdout } of [await runLathe(['--help'], { cwd }), ...ended]) {
    expect(status).toBe(0);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    const [, args = ''] = /\nArguments:\n([\s\S]*?)\n\n/.exec(stdout) ?? [];
    for (const line of args.split('\n')) expect(line).toMatch(/^$|\S {2,}\S|^ {8,}\S/);
  }
  expect((await runLathe(['--help'], { cwd })).stdout).toMatch(/scan <path\.\.\.>[\s\S]*score <file\.\.\.>/);
}, 60_000);

test.each<[string[], RegExp]>([
  [['mkae'], /unknown command 'mkae'[\s\S]*make/],
  [['make', '--modle', 'x'], /unknown option '--modle'[\s\S]*--model/],
  [['make', '-n', 'ten', 'x'], /ten/],
  [['make', '-n', '0', 'x'], /whole number from 1/],
  [['make', '--keep', 'all', 'x'], /best/],
  [['make', '--temperature', 'hot', 'x'], /number/],
  [['show'], /missing required argument 'run'/],
  [['list', 'extra'], /too many arguments/],
  [[], /Usage: lathe/],
])('%j is a usage error: exit 2, stdout empty, and what was wrong', async (args, message) => {
  const ended = await runLathe(args, { cwd });
  expect(ended).toMatchObject({ status: 2, stdout: '' });
  expect(ended.stderr).toMatch(message);
});

test.each<[string[], RegExp]>([
  [['show', 'nothing'], /no runs yet/],
  [['show', 'last'], /no runs yet/],
  [['keep', 'nothing', 'c1'], /no runs yet/],
  [['resume', 'nothing'], /no runs yet/],
  [['make', '--task', 'nothing.md'], /nothing\.md/],
])('%j is not found: exit 3', async (args, message) => {
  const ended = await runLathe(args, { cwd });
  expect(ended).toMatchObject({ status: 3, stdout: '' });
  expect(ended.stderr).toMatch(message);
});

describe('output', () => {
  test('a reader that goes away is no error', async () => {
    const script = `"${process.execPath}" "${bin}" make --help | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const child = spawn('bash', ['-c', script], { cwd, env: latheEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        output += text;
      });
    await new Promise((resolve) => child.on('close', resolve));
    expect(output).toMatch(/^Usage: lathe make.*\n0\n$/);
  });

  test.skipIf(!existsSync('/dev/full'))('a full disk behind it is said in a line, and ends with 1', async () => {
    const script = `"${process.execPath}" "${bin}" make --help > /dev/full; echo "$?"`;
    const child = spawn('bash', ['-c', script], { cwd, env: latheEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        output += text;
      });
    await new Promise((resolve) => child.on('close', resolve));
    expect(output).toMatch(/^error: the output cannot be written: ENOSPC.*\n1\n$/);
  });

  test('a slow reader gets the whole document', async () => {
    const { root } = repositoryWithHole();
    const store = await openRunStore(join(root, '.git/lathe/ledger.sqlite'));
    for (let i = 0; i < 40; i++) await store.append(`run${i}`, startOf(i));
    await store.close();
    const script = `"${process.execPath}" "${bin}" list --json | (sleep 1; cat)`;
    const child = spawn('bash', ['-c', script], {
      cwd: root,
      env: latheEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    await new Promise((resolve) => child.on('close', resolve));
    expect(output.length).toBeGreaterThan(200_000);
    expect(JSON.parse(output).runs).toHaveLength(40);
  });

  test('colours come where they are forced, and never with NO_COLOR', async () => {
    const forced = await runLathe(['show', 'nothing'], { cwd, env: { FORCE_COLOR: '1' } });
    expect(forced.stderr).toContain('\u001b[31m');
    const none = await runLathe(['show', 'nothing'], { cwd, env: { FORCE_COLOR: '1', NO_COLOR: '1' } });
    expect(none.stderr).not.toContain('\u001b');
  });

  test('under CI a pipe still gets no colours', async () => {
    const ended = await runLathe(['show', 'nothing'], { cwd, env: { CI: 'true' } });
    expect(ended.stderr).not.toContain('\u001b');
  });
});

test('doctor says for each thing what was found, and how to mend what is missing', async () => {
  const ended = await runLathe(['doctor', '--json'], { cwd });
  const report = JSON.parse(ended.stdout);
  expect(report).toMatchObject({ schemaVersion: 1, ok: ended.status === 0 });
  expect(report.checks.map((check: { name: string }) => check.name)).toEqual(
    expect.arrayContaining(['node', 'git', 'disk']),
  );
  for (const check of report.checks) expect(check.ok || check.remedy !== null || !check.needed).toBe(true);
});

test('without git, doctor says what installs it and ends with 1', async () => {
  const ended = await runLathe(['doctor', '--json'], { cwd, env: { PATH: '/nowhere' } });
  expect(ended.status).toBe(1);
  const { ok, checks } = JSON.parse(ended.stdout);
  expect(ok).toBe(false);
  expect(checks.find((check: { name: string }) => check.name === 'git')).toMatchObject({
    ok: false,
    remedy: expect.stringContaining('install'),
  });
});
