import { execa } from 'execa';
import { RepositoryError } from './problem.ts';

/**
 * Settings laid over the user's for every command: nothing the repository plants may run (hooks, a file system
 * monitor), output is machine-readable, and no command starts housekeeping of its own.
 */
const CONFIG: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.quotePath=false',
  'core.splitIndex=false',
  'core.safecrlf=false',
  'advice.addEmbeddedRepo=false',
  'color.ui=false',
  'diff.external=',
  'gc.auto=0',
  'maintenance.auto=false',
  'i18n.commitEncoding=UTF-8',
  'merge.conflictStyle=merge',
].flatMap((setting) => ['-c', setting]);

/** Variables of the caller's that may reach git. Others of git's own (GIT_DIR, GIT_INDEX_FILE) could redirect it. */
const GIT_VARIABLES_KEPT = new Set([
  'GIT_CONFIG_GLOBAL',
  'GIT_CONFIG_SYSTEM',
  'GIT_CONFIG_NOSYSTEM',
  'GIT_CEILING_DIRECTORIES',
  'GIT_DISCOVERY_ACROSS_FILESYSTEM',
  'GIT_AUTHOR_NAME',
  'GIT_AUTHOR_EMAIL',
  'GIT_COMMITTER_NAME',
  'GIT_COMMITTER_EMAIL',
]);

export interface GitOptions {
  readonly cwd: string;
  readonly input?: string | Uint8Array;
  /** Added to the environment; may name a temporary GIT_INDEX_FILE. */
  readonly env?: Readonly<Record<string, string>>;
  /** Exit statuses besides 0 that are answers and not failures. */
  readonly accept?: readonly number[];
}

export interface GitOutput {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exitCode: number;
}

export function gitArguments(args: readonly string[]): string[] {
  return [...CONFIG, ...args];
}

export function gitEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || (name.startsWith('GIT_') && !GIT_VARIABLES_KEPT.has(name))) continue;
    env[name] = value;
  }
  return {
    ...env,
    LC_ALL: 'C',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GIT_PAGER: 'cat',
    GIT_EDITOR: ':',
    ...extra,
  };
}

/**
 * Runs git and waits for it.
 *
 * @throws GitFailure for an exit status that is neither 0 nor accepted; LATHE_GIT_MISSING without a git binary.
 */
export async function git(args: readonly string[], options: GitOptions): Promise<GitOutput> {
  const result = await execa('git', gitArguments(args), {
    cwd: options.cwd,
    env: gitEnvironment(options.env),
    extendEnv: false,
    encoding: 'buffer',
    stripFinalNewline: false,
    reject: false,
    maxBuffer: Number.POSITIVE_INFINITY,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
  });
  const stdout = Buffer.from(result.stdout ?? []);
  const stderr = Buffer.from(result.stderr ?? [])
    .toString('utf8')
    .trim();
  if (result.exitCode === undefined) {
    if (result.code === 'ENOENT') throw gitMissing(options.cwd);
    throw new GitFailure(args, null, stderr || result.shortMessage || 'ended by a signal');
  }
  if (result.exitCode !== 0 && !options.accept?.includes(result.exitCode)) {
    throw new GitFailure(args, result.exitCode, stderr);
  }
  return { stdout, stderr, exitCode: result.exitCode };
}

/** Standard output as text without its final newline. */
export async function gitText(args: readonly string[], options: GitOptions): Promise<string> {
  return (await git(args, options)).stdout.toString('utf8').replace(/\n$/, '');
}

/** Fields of a `-z` output: each ends with NUL. */
export function nulFields(output: Buffer): string[] {
  const text = output.toString('utf8');
  return text === '' ? [] : text.replace(/\0$/, '').split('\0');
}

function gitMissing(cwd: string): RepositoryError {
  return new RepositoryError('LATHE_GIT_MISSING', `git could not be started in ${cwd}.`, {
    remedy: 'Install git 2.38 or newer (Debian and Ubuntu: apt-get install git) and check that the folder exists.',
  });
}

/** A git command that failed where it was expected to work. */
export class GitFailure extends RepositoryError {
  readonly args: readonly string[];
  readonly exitCode: number | null;
  readonly stderr: string;

  constructor(args: readonly string[], exitCode: number | null, stderr: string) {
    const ending = exitCode === null ? 'did not end by itself' : `ended with ${exitCode}`;
    super('LATHE_GIT_FAILED', `git ${args[0]} ${ending}: ${stderr || 'it said nothing'}`, {
      remedy: remedyFor(stderr),
    });
    this.args = args;
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

function remedyFor(stderr: string): string {
  const safeDirectory = /git config --global --add safe\.directory .+/.exec(stderr);
  if (safeDirectory !== null) return `If you trust its owner: ${safeDirectory[0].trim()}`;
  if (stderr.includes('.lock')) return 'Another git may be at work here: wait for it, or remove the stale lock file.';
  if (/No space left/.test(stderr)) return 'Free some disk space.';
  return 'Run git fsck in the repository to see whether it is whole.';
}
