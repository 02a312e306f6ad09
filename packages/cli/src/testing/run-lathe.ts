import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bin = join(import.meta.dirname, '../../bin/lathe.js');

/** One cache and state for all runs of a test file: not the user's. */
const home = mkdtempSync(join(tmpdir(), 'lathe-home-'));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LatheOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The environment a test gives to lathe: the machine's, with a home of its own and no terminal. */
export function latheEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { NO_COLOR: _no, FORCE_COLOR: _force, OPENAI_API_KEY: _key, ...env } = process.env;
  return {
    ...env,
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_STATE_HOME: join(home, 'state'),
    GIT_CONFIG_GLOBAL: '/dev/null',
    ...extra,
  };
}

export const cacheHome = join(home, 'cache');

/** Starts `lathe` as a user would, as a process of its own with pipes. */
export function startLathe(
  args: readonly string[],
  { cwd, env = {} }: LatheOptions,
): { process: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    env: latheEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    output.stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...output }));
  });
  return { process: child, ended };
}

export function runLathe(args: readonly string[], options: LatheOptions): Promise<Ended> {
  return startLathe(args, options).ended;
}
