import { execFile } from 'node:child_process';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import ignore from 'ignore';

/** A file as it may enter the corpus. */
export interface SourceFile {
  /** Folder or repository it was found in, as given. */
  readonly root: string;
  /** Relative to the root, forward slashes. */
  readonly path: string;
  /** Seconds since the epoch: when its content was last committed, or changed on disk outside git. */
  readonly time: number;
  /** Bytes on disk. */
  readonly size: number;
  read(): Promise<Buffer>;
}

const run = promisify(execFile);
const SKIPPED_FOLDERS = new Set(['.git', '.hg', '.svn', 'node_modules']);

/**
 * Files of a git repository (those it tracks) or of a folder (all but what its top .gitignore names), by path. Symbolic
 * links are passed over: what they point at is found where it is, or is outside.
 */
export async function* sourceFiles(root: string): AsyncGenerator<SourceFile> {
  if ((await lstat(root)).isFile()) {
    yield await onDisk(root, root, '');
    return;
  }
  const tracked = await trackedFiles(root);
  if (tracked === null) {
    yield* filesBelow(root, root, await ignored(root));
    return;
  }
  for (const [path, time] of tracked) {
    const file = join(root, path);
    const state = await lstat(file).catch(() => null);
    if (state?.isFile()) yield { root, path, time, size: state.size, read: () => readFile(file) };
  }
}

async function onDisk(root: string, file: string, path: string): Promise<SourceFile> {
  const { mtimeMs, size } = await lstat(file);
  const name = path === '' ? (root.split(sep).at(-1) ?? root) : path;
  return { root, path: name, time: mtimeMs / 1000, size, read: () => readFile(file) };
}

async function ignored(root: string): Promise<(path: string) => boolean> {
  const rules = ignore().add(await readFile(join(root, '.gitignore'), 'utf8').catch(() => ''));
  return (path) => rules.ignores(path);
}

async function* filesBelow(
  root: string,
  folder: string,
  isIgnored: (path: string) => boolean,
): AsyncGenerator<SourceFile> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = join(folder, entry.name);
    const path = relative(root, file).split(sep).join('/');
    if (entry.isDirectory()) {
      if (!SKIPPED_FOLDERS.has(entry.name) && !isIgnored(`${path}/`)) yield* filesBelow(root, file, isIgnored);
    } else if (entry.isFile() && !isIgnored(path)) yield await onDisk(root, file, path);
  }
}

/** Paths git tracks below `root` with the time of each one's last commit, by path; null outside a repository. */
async function trackedFiles(root: string): Promise<[string, number][] | null> {
  const git = async (...args: string[]) =>
    (
      await run('git', ['-C', root, '-c', 'core.quotePath=false', '-c', 'core.fsmonitor=false', ...args], {
        maxBuffer: 2 ** 30,
        encoding: 'utf8',
      })
    ).stdout;
  let listed: string;
  try {
    listed = await git('ls-files', '-z');
  } catch {
    return null;
  }
  const times = new Map<string, number>();
  let time = 0;
  // Newest first: the first commit that names a path is the last that changed it.
  for (const line of (
    await git('log', '--format=%x00%ct', '--name-only', '--relative', '--no-renames', '--', '.').catch(() => '')
  ).split('\n')) {
    if (line.startsWith('\0')) time = Number(line.slice(1));
    else if (line !== '' && !times.has(line)) times.set(line, time);
  }
  const paths = listed.split('\0').filter((path) => path !== '');
  return paths.sort().map((path) => [path, times.get(path) ?? time]);
}
