import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { LatheError } from '@lathe/protocol';
import ignore from 'ignore';
import { lastCommitOf, repositoryTop, trackedFiles } from './tracked-files.ts';

/** A file as it may enter the corpus. */
export interface SourceFile {
  /** Folder, repository or file that was named. */
  readonly root: string;
  /** Relative to the root, forward slashes; the name of a root that is a file. */
  readonly path: string;
  /** Where it lies. */
  readonly file: string;
  /** Uppermost folder that speaks for it: the top of its repository, or the folder that was named. */
  readonly top: string;
  /** Seconds since the epoch: when its content was last committed, or changed on disk outside git. */
  readonly time: number;
  /** Bytes on disk. */
  readonly size: number;
  /** A folder that cannot be listed, a file whose state cannot be read, or one whose name is not UTF-8. */
  readonly unreadable?: true;
}

export interface SourceOptions {
  /** Folders that are passed over, e.g. the one that is written to. */
  readonly skip?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

const SKIPPED_FOLDERS = new Set(['.git', '.hg', '.svn', 'node_modules']);

/**
 * Files of a git repository (those it tracks) or of a folder (all but what its top .gitignore names), by path. Symbolic
 * links are passed over: what they point at is found where it is, or is outside. In memory: 24 to 45 bytes for each file of a
 * repository, and the names of one folder at a time with those above it.
 *
 * Throws `LATHE_TRAIN_SOURCE` for what is neither file nor folder, for a repository without a checkout, and where git
 * refuses to say what it tracks.
 */
export async function* sourceFiles(root: string, options: SourceOptions = {}): AsyncGenerator<SourceFile> {
  const named = await stat(root);
  if (named.isFile()) {
    const folder = dirname(root);
    const top = await repositoryTop(folder);
    const time = (top === null ? null : await lastCommitOf(folder, basename(root))) ?? named.mtimeMs / 1000;
    yield { root, path: basename(root), file: root, top: top ?? folder, time, size: named.size };
    return;
  }
  if (!named.isDirectory())
    throw new LatheError('LATHE_TRAIN_SOURCE', `expected a folder or a file, got something else at ${root}`, {
      remedy: 'Name repositories, folders or files.',
    });
  const top = await repositoryTop(root);
  if (top === null) yield* filesBelow(root, root, await ignored(root), options);
  else
    for await (const { path, time } of trackedFiles(root, options.signal)) {
      const file = join(root, path);
      if (isSkipped(file, options)) continue;
      const found = await stateOf(file);
      if (found === 'unreadable') yield { root, path, file, top, time: 0, size: 0, unreadable: true };
      else if (found?.isFile()) yield { root, path, file, top, time: time ?? found.mtimeMs / 1000, size: found.size };
    }
}

async function ignored(root: string): Promise<(path: string) => boolean> {
  const rules = await readFile(join(root, '.gitignore'), 'utf8').catch(() => '');
  let checked = ignore().add(rules);
  let paths = 0;
  return (path) => {
    // It remembers every path it was asked about: a new one now and then keeps that bounded.
    if (++paths % REMEMBERED_PATHS === 0) checked = ignore().add(rules);
    return checked.ignores(path);
  };
}

/** Paths after which matchers that remember each one are made anew. */
export const REMEMBERED_PATHS = 10_000;

async function* filesBelow(
  root: string,
  folder: string,
  isIgnored: (path: string) => boolean,
  options: SourceOptions,
): AsyncGenerator<SourceFile> {
  options.signal?.throwIfAborted();
  const pathOf = (file: string) => relative(root, file).split(sep).join('/');
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => null);
  if (entries === null) {
    const path = `${pathOf(folder)}/`;
    yield { root, path, file: folder, top: root, time: 0, size: 0, unreadable: true };
    return;
  }
  // A folder stands where its files' paths stand, so that all come by path, as git lists them.
  const named = entries.map((entry) => ({ entry, name: entry.isDirectory() ? `${entry.name}/` : entry.name }));
  for (const { entry } of named.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = join(folder, entry.name);
    const path = pathOf(file);
    if (isSkipped(file, options)) continue;
    if (entry.isDirectory()) {
      if (!SKIPPED_FOLDERS.has(entry.name) && !isIgnored(`${path}/`)) yield* filesBelow(root, file, isIgnored, options);
    } else if (entry.isFile() && !isIgnored(path)) {
      const found = await stateOf(file);
      if (found === 'unreadable') yield { root, path, file, top: root, time: 0, size: 0, unreadable: true };
      else if (found !== null) yield { root, path, file, top: root, time: found.mtimeMs / 1000, size: found.size };
    }
  }
}

function isSkipped(file: string, { skip = [] }: SourceOptions): boolean {
  return skip.some((folder) => file === folder || file.startsWith(folder + sep));
}

/**
 * Null for a file that is not there: git also tracks what was deleted since. A name that is not UTF-8 arrives with the mark
 * that stands for what could not be decoded, under which there is nothing: the file is there and cannot be read.
 */
async function stateOf(file: string) {
  return lstat(file).catch((error: NodeJS.ErrnoException) =>
    (error.code === 'ENOENT' && !file.includes('\uFFFD')) || error.code === 'ENOTDIR' ? null : ('unreadable' as const),
  );
}
