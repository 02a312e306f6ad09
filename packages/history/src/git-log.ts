import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

/** Which commits of a history are walked. `all`: everything HEAD descends from. `first-parent`: the main line only. */
export type Walk = 'all' | 'first-parent';

/** Settings that make git's output the same on every machine and keep it from running anything of the repository's. */
const FIXED = [
  '-c',
  'core.quotePath=false',
  '-c',
  'core.fsmonitor=false',
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'log.showSignature=false',
  '-c',
  'log.mailmap=true',
  '-c',
  'i18n.logOutputEncoding=UTF-8',
  '-c',
  'diff.renameLimit=1000',
  '-c',
  'diff.renames=true',
  '-c',
  'diff.algorithm=myers',
  '-c',
  'diff.indentHeuristic=true',
];

/** Start of a commit in the stream; git refuses NUL in messages, so every field ends with one. */
export const COMMIT_FORMAT = '%x01%H%x00%P%x00%at%x00%ct%x00%aN%x00%aE%x00%B%x00%N%x00';

/** Which of a history's commits a stream holds. */
export type Part = 'all' | 'plain' | 'merges';

/**
 * Every commit of `revision`, parents before children, with its diff: unified, white space ignored, renames followed.
 * `notes` are the note refs to read along. A merge gives git's combined diff, which holds just the files that differ from
 * every parent.
 *
 * Plain commits come without context, which is shortest. Merges come with one line of it: without any, git's combined diff
 * passes silently over an unchanged line between a line taken out and a line put in, and no place in the hunk is sure.
 */
export function patchArguments(
  revision: string,
  walk: Walk,
  options: { part?: Part; exclude?: readonly string[]; notes?: readonly string[] } = {},
): string[] {
  const { part = 'all', exclude = [], notes = [] } = options;
  return [
    ...FIXED,
    'log',
    '--topo-order',
    '--reverse',
    ...(part === 'plain' ? ['--no-merges'] : part === 'merges' ? ['--merges'] : []),
    ...(walk === 'first-parent'
      ? ['--first-parent', '--diff-merges=first-parent']
      : ['--diff-merges=combined', '--combined-all-paths']),
    ...(notes.length > 0 ? notes.map((ref) => `--notes=${ref}`) : ['--no-notes']),
    '-p',
    '--raw',
    '-z',
    '-M',
    '-w',
    part === 'merges' ? '-U1' : '-U0',
    '--full-index',
    '--no-abbrev',
    '--no-color',
    '--no-ext-diff',
    '--no-textconv',
    '--ignore-submodules=none',
    '--submodule=short',
    '-O/dev/null',
    `--format=${COMMIT_FORMAT}`,
    revision,
    ...exclude.map((commit) => `^${commit}`),
    '--',
  ];
}

/**
 * The merges of `revision` in the same order, each with the files in which it differs from its first parent: what the
 * combined diff leaves out is a file taken whole from one of the parents, and this says which files those are.
 */
export function mergedFilesArguments(revision: string, exclude: readonly string[] = []): string[] {
  return [
    ...FIXED,
    'log',
    '--topo-order',
    '--reverse',
    '--merges',
    '--diff-merges=first-parent',
    '--raw',
    '-z',
    '--no-renames',
    '--no-abbrev',
    '--no-color',
    `--format=${COMMIT_FORMAT}`,
    revision,
    ...exclude.map((commit) => `^${commit}`),
    '--',
  ];
}

/** Commits and their parents in the order of the streams above, one `commit parent parent…` a line. */
export function graphArguments(revision: string, walk: Walk, exclude: readonly string[] = []): string[] {
  return [
    'rev-list',
    '--topo-order',
    '--reverse',
    '--parents',
    ...(walk === 'first-parent' ? ['--first-parent'] : []),
    revision,
    ...exclude.map((commit) => `^${commit}`),
    '--',
  ];
}

export class GitFailure extends Error {
  readonly code = 'LATHE_HISTORY_GIT';
  readonly remedy: string | null;

  constructor(message: string, remedy: string | null = null, cause?: unknown) {
    super(message, { cause });
    this.name = 'GitFailure';
    this.remedy = remedy;
  }
}

export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', GIT_PAGER: 'cat' };
}

/** Runs git and hands over its standard output piece by piece; a failure is thrown after the last piece. */
export async function* gitStream(directory: string, args: readonly string[]): AsyncGenerator<Buffer, void, void> {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn('git', ['-C', directory, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(),
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 4096) said += text;
  });
  const ended = new Promise<{ code: number | null; signal: string | null; error?: Error }>((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, error }));
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  let finished = false;
  try {
    for await (const piece of child.stdout) yield piece as Buffer;
    finished = true;
  } finally {
    if (!finished) child.kill('SIGKILL');
  }
  const { code, signal, error } = await ended;
  if (error) throw new GitFailure(`git could not be started: ${error.message}`, 'Install git and try again.', error);
  if (code !== 0) {
    const what = said.trim().split('\n').slice(0, 3).join(' · ') || `ended with ${signal ?? code}`;
    const broken = /missing|corrupt|unable to read|bad object|not a valid object|unreadable/i.test(said);
    throw new GitFailure(
      `git ${args.find((word) => !word.startsWith('-') && !word.includes('=')) ?? ''} failed: ${what}`,
      broken ? 'The object database is damaged or incomplete: `git fsck` says what is missing.' : null,
    );
  }
}

/** Whole output of a short git command. */
export async function gitText(directory: string, args: readonly string[]): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of gitStream(directory, args)) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}
