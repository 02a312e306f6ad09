import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { LatheError } from '@lathe/protocol';
import { KeyTable } from './key-table.ts';

export interface TrackedFile {
  /** Relative to the folder that was asked about. */
  readonly path: string;
  /** Seconds since the epoch at which it was last committed; null: never. */
  readonly time: number | null;
}

/** In the language its messages are looked at in, and about the folder it is asked about. */
const ENVIRONMENT = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^GIT_(?:DIR|WORK_TREE|INDEX_FILE|PREFIX)$/.test(name)),
  ),
  LC_ALL: 'C',
};
const ALWAYS = ['-c', 'core.quotePath=false', '-c', 'core.fsmonitor=false'];

/** Top folder of the repository around a folder, or null where there is none. Throws `LATHE_TRAIN_SOURCE`. */
export async function repositoryTop(folder: string): Promise<string | null> {
  const refused = (why: string, remedy: string, cause?: unknown) =>
    new LatheError('LATHE_TRAIN_SOURCE', `${folder}: ${why}`, { remedy, cause });
  try {
    const { stdout } = await promisify(execFile)(
      'git',
      ['-C', folder, ...ALWAYS, 'rev-parse', '--is-inside-work-tree', '--show-toplevel'],
      { env: ENVIRONMENT },
    );
    return stdout.slice('true\n'.length).replace(/\n$/, '');
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout?: string; stderr?: string; code?: unknown };
    if (code === 'ENOENT') throw refused('expected git on this machine, found none', 'Install git.', error);
    if (stdout?.startsWith('false'))
      throw refused(
        'expected a checkout, got a repository without one',
        `Clone it first: git clone ${folder} checkout`,
        error,
      );
    if (/not a git repository/.test(stderr ?? '')) return null;
    throw refused(
      `git does not say which files it tracks: ${(stderr ?? String(error)).trim()}`,
      'Mend that, or copy the files into a folder of their own.',
      error,
    );
  }
}

/** Seconds since the epoch at which a file was last committed; null where it never was. */
export async function lastCommitOf(folder: string, name: string): Promise<number | null> {
  for await (const time of listed(folder, ['log', '-1', '-z', '--format=%ct', '--', name])) return Number(time) || null;
  return null;
}

/**
 * Paths git tracks below a folder, in its order, with the time of each one's last commit. Only a digest of each path and its
 * time are in memory while the history is read.
 */
export async function* trackedFiles(folder: string, signal?: AbortSignal): AsyncGenerator<TrackedFile> {
  const tracked = new KeyTable({ values: false });
  for await (const path of listed(folder, ['ls-files', '-z'], signal)) tracked.add(...keyOf(path));
  const times = await commitTimes(folder, tracked, signal);
  for await (const path of listed(folder, ['ls-files', '-z'], signal))
    yield { path, time: times.get(...keyOf(path)) ?? null };
}

async function commitTimes(folder: string, tracked: KeyTable, signal: AbortSignal | undefined): Promise<KeyTable> {
  const times = new KeyTable({ values: true });
  if (!(await hasCommits(folder))) return times;
  // Ordinary commits say what they changed; what is left came with a merge, as one side had it under another name.
  for (const which of [[], ['--merges', '--diff-merges=first-parent']])
    if (times.size < tracked.size) await readTimes(folder, which, tracked, times, signal);
  return times;
}

async function readTimes(
  folder: string,
  which: readonly string[],
  tracked: KeyTable,
  times: KeyTable,
  signal: AbortSignal | undefined,
): Promise<void> {
  const log = ['log', ...which, '-z', '--format=%x00%ct', '--name-only', '--relative', '--no-renames', '--', '.'];
  let time = 0;
  let next: 'time' | 'first path' | 'path' = 'path';
  // Newest first: the first commit that names a path is the last that changed it.
  for await (const part of listed(folder, log, signal)) {
    if (part === '') next = 'time';
    else if (next === 'time') {
      time = Number(part);
      next = 'first path';
    } else {
      const key = keyOf(next === 'first path' ? part.slice(1) : part);
      next = 'path';
      if (tracked.has(...key) && times.add(...key, time) && times.size === tracked.size) return;
    }
  }
}

async function hasCommits(folder: string): Promise<boolean> {
  const ask = ['-C', folder, ...ALWAYS, 'rev-parse', '--quiet', '--verify', 'HEAD'];
  return promisify(execFile)('git', ask, { env: ENVIRONMENT }).then(
    () => true,
    () => false,
  );
}

/** What git prints, cut at every NUL byte. What is left unread ends it. */
async function* listed(folder: string, args: readonly string[], signal?: AbortSignal): AsyncGenerator<string> {
  const child = spawn('git', ['-C', folder, ...ALWAYS, ...args], {
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal && { signal }),
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4096);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  ended.catch(() => {});
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
        yield bytes.toString('utf8', start, end);
        start = end + 1;
      }
      rest = bytes.subarray(start);
    }
    if (rest.length > 0) yield rest.toString('utf8');
    const status = await ended;
    if (status !== 0)
      throw new LatheError('LATHE_TRAIN_SOURCE', `${folder}: git ${args[0]} failed: ${said.trim() || status}`, {
        remedy: "Look at it with 'git fsck', or copy the files into a folder of their own.",
      });
  } finally {
    child.kill();
  }
}

function keyOf(path: string): [high: number, low: number] {
  const digest = createHash('sha256').update(path).digest();
  return [digest.readUInt32BE(0), digest.readUInt32BE(4)];
}
