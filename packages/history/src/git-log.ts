import { spawn } from 'node:child_process';
import { devNull } from 'node:os';

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
];

/** Start of a commit in the stream; git refuses NUL in messages, so every field ends with one. */
export const COMMIT_FORMAT = '%x01%H%x00%P%x00%at%x00%ct%x00%aN%x00%aE%x00%B%x00%N%x00';

/** What is asked of every diff: white space ignored, renames followed, whole object names, nothing of the repository's run. */
const DIFF = [
  '-p',
  '--raw',
  '-z',
  '-M',
  '-l1000',
  '-w',
  '--diff-algorithm=myers',
  '--indent-heuristic',
  '--full-index',
  '--no-abbrev',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--ignore-submodules=none',
  '--submodule=short',
  '-O/dev/null',
  `--format=${COMMIT_FORMAT}`,
];

/** What a stream of diffs says of its commits. */
export type Part = 'plain' | 'merges' | 'merged-files';

const PARTS: Readonly<Record<Part, readonly string[]>> = {
  // Without context, which is shortest. On the main line alone a merge is what it changed there.
  plain: [...DIFF, '-U0', '--diff-merges=first-parent'],
  // Git's combined diff: the files that differ from every parent. With one line of context: without any it passes
  // silently over an unchanged line between a line taken out and a line put in, and no place in the hunk is sure.
  merges: [...DIFF, '-U1', '--diff-merges=combined', '--combined-all-paths'],
  // What the combined diff leaves out is a file taken whole from one of the parents: this says which files those are.
  'merged-files': [
    '--raw',
    '-z',
    '--no-renames',
    '--no-abbrev',
    '--no-color',
    '--diff-merges=first-parent',
    `--format=${COMMIT_FORMAT}`,
  ],
};

/** Arguments of a git that reads commits' ids from its standard input and gives the diff of each, in that order. */
export function diffArguments(part: Part, notes: readonly string[], paths: readonly string[]): string[] {
  return [
    ...FIXED,
    'diff-tree',
    '--stdin',
    '-r',
    '--root',
    '--always',
    ...(notes.length > 0 ? notes.map((ref) => `--notes=${ref}`) : ['--no-notes']),
    ...PARTS[part],
    '--',
    ...paths,
  ];
}

/**
 * The one `git log -p` that says of a whole history what the audit reads of it in parts: what its time is measured against.
 */
export function logArguments(revision: string, walk: Walk): string[] {
  return [
    ...FIXED,
    'log',
    '--topo-order',
    '--reverse',
    '--no-notes',
    ...DIFF,
    '-U0',
    ...(walk === 'first-parent'
      ? ['--first-parent', '--diff-merges=first-parent']
      : ['--diff-merges=combined', '--combined-all-paths']),
    revision,
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
  /** An object could not be read: it is missing or damaged. */
  readonly unreadable: boolean;

  constructor(
    message: string,
    remedy: string | null = null,
    { cause, unreadable = false }: { cause?: unknown; unreadable?: boolean } = {},
  ) {
    super(message, { cause });
    this.name = 'GitFailure';
    this.remedy = remedy;
    this.unreadable = unreadable;
  }
}

export function environment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    LC_ALL: 'C',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_PAGER: 'cat',
    // With an index git may read a file of the working tree where it should read the object.
    GIT_INDEX_FILE: `${devNull}-none`,
    // A partial clone would fetch what it lacks, one object at a time, from wherever its configuration says.
    GIT_NO_LAZY_FETCH: '1',
    GIT_ALLOW_PROTOCOL: 'none',
  };
}

/** Most bytes of git's output that wait to be read before git has to. */
const READ_AHEAD_BYTES = 2 << 20;

export interface GitStreamOptions {
  /** What git reads from its standard input, which is then closed. */
  readonly input?: string;
  /** Ends git where nobody has begun to read: a generator that was never asked for anything does not notice its end. */
  readonly signal?: AbortSignal;
}

/**
 * Runs git and hands over its standard output piece by piece, reading ahead; a failure is thrown after the last piece.
 * Git is started at once, not when the first piece is asked for, and killed where nobody reads on.
 */
export function gitStream(
  directory: string,
  args: readonly string[],
  { input, signal }: GitStreamOptions = {},
): AsyncGenerator<Buffer, void, void> {
  const child = spawn('git', ['-C', directory, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: environment(),
  });
  // What goes wrong with reading it shows in git's own end.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const pieces: Buffer[] = [];
  let waiting = 0;
  let wake = () => {};
  child.stdout.on('data', (piece: Buffer) => {
    pieces.push(piece);
    waiting += piece.length;
    if (waiting > READ_AHEAD_BYTES) child.stdout.pause();
    wake();
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 4096) said += text;
  });
  let end: { code: number | null; signal: string | null; error?: Error } | null = null;
  const finish = (how: NonNullable<typeof end>) => {
    end ??= how;
    wake();
  };
  const stop = () => {
    if (!end) child.kill('SIGKILL');
    child.stdout.destroy();
  };
  signal?.addEventListener('abort', stop, { once: true });
  child.on('error', (error) => finish({ code: null, signal: null, error }));
  child.on('close', (code, signal) => finish({ code, signal }));

  async function* read(): AsyncGenerator<Buffer, void, void> {
    try {
      for (;;) {
        const piece = pieces.shift();
        if (piece) {
          waiting -= piece.length;
          if (waiting <= READ_AHEAD_BYTES / 2) child.stdout.resume();
          yield piece;
        } else if (end) break;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      stop();
    }
    const { code, signal: killedBy, error } = end;
    if (error)
      throw new GitFailure(`git could not be started: ${error.message}`, 'Install git and try again.', {
        cause: error,
      });
    if (code !== 0) throw failureOf(args, said.trim() || `ended with ${killedBy ?? code}`);
  }
  return read();
}

function failureOf(args: readonly string[], said: string): GitFailure {
  const [, stranger] = /dubious ownership in repository at '(.*)'/.exec(said) ?? [];
  if (stranger !== undefined)
    return new GitFailure(
      `git does not read ${stranger}, which belongs to someone else (dubious ownership).`,
      `If you trust its owner: git config --global --add safe.directory ${stranger}`,
    );
  const command = args.find((word) => !word.startsWith('-') && !word.includes('=')) ?? '';
  const unreadable =
    /missing|corrupt|unable to read|could not read|bad object|not a valid object|unreadable|inflate|promisor|could not fetch/i.test(
      said,
    );
  return new GitFailure(
    `git ${command} failed: ${said.split('\n').slice(0, 3).join(' · ')}`,
    unreadable ? 'The object database is damaged or incomplete: `git fsck` says what is missing.' : null,
    { unreadable },
  );
}

/** Whole output of a short git command. */
export async function gitText(directory: string, args: readonly string[]): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of gitStream(directory, args)) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

/**
 * Contents of files as they are in a commit, null for one that is not there or cannot be read. Paths hold no line end.
 */
export async function committedFiles(
  directory: string,
  commit: string,
  paths: readonly string[],
): Promise<(string | null)[]> {
  const input = paths.map((path) => `${commit}:${path}\n`).join('');
  const pieces: Buffer[] = [];
  for await (const piece of gitStream(directory, ['cat-file', '--batch'], { input })) pieces.push(piece);
  const answer = Buffer.concat(pieces);
  let at = 0;
  // `<id> blob <bytes>`, the content and a newline; or `<name> missing`.
  return paths.map(() => {
    const end = answer.indexOf('\n', at);
    const [, type, size] = /^[0-9a-f]+ (\w+) (\d+)$/.exec(answer.toString('latin1', at, end)) ?? [];
    at = end + 1;
    if (type === undefined) return null;
    const content = answer.toString('utf8', at, at + Number(size));
    at += Number(size) + 1;
    return type === 'blob' ? content : null;
  });
}
