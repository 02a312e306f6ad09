import { execFile } from 'node:child_process';
import { chmodSync, constants, lstatSync, type Stats } from 'node:fs';
import { open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Copy, Origin } from './copy.ts';
import { IgnoreRules } from './ignore-rules.ts';
import { writeOverlayTable } from './overlay.ts';
import { SandboxError } from './problem.ts';
import type { FileEdit } from './workspace.ts';

const CHANGES_MAX_BYTES = 64 * 2 ** 20;
const CHANGES_MAX_FILES = 20_000;

/**
 * The difference of a copy from its base as edits, sorted by path by code unit.
 *
 * Nothing runs in the copy meanwhile, so what is looked at stays as it is. Links are read, never followed; pipes, sockets and
 * devices are no files to git and are left out, and so are `.git`, dependency directories, what `.worktreeinclude` brought, and untracked files
 * that the copy's own `.gitignore` files ignore. A tracked file is never ignored, as in git.
 */
export async function readChanges(copy: Copy, origin: Origin, excludeRules: string): Promise<FileEdit[]> {
  const rules = new IgnoreRules(
    [copy.layers.upper, ...(copy.layers.lowers.length > 0 ? [origin.base] : [])],
    excludeRules,
  );
  const changed = new Map<string, FileEdit>();
  let bytes = 0;
  const add = (edit: FileEdit): void => {
    changed.set(edit.path, edit);
    bytes += edit.content?.length ?? 0;
    if (bytes > CHANGES_MAX_BYTES || changed.size > CHANGES_MAX_FILES) throw tooLarge(edit.path);
  };
  const leftOut = (path: string): boolean =>
    path.split('/').some((part) => part.toLowerCase() === '.git') ||
    origin.dependencies.some((directory) => path === directory.path || path.startsWith(`${directory.path}/`)) ||
    isFile(join(origin.included, path));

  const directoriesInBoth: string[] = [];
  const walk = async (directory: string): Promise<void> => {
    for (const name of await readdir(join(copy.layers.upper, directory))) {
      const path = directory === '' ? name : `${directory}/${name}`;
      if (leftOut(path)) continue;
      const stat = lookAt(join(copy.layers.upper, path), path);
      const before = statOf(join(origin.base, path));
      if (isWhiteout(stat)) {
        for (const file of await filesUnder(origin.base, path)) if (!leftOut(file)) add(deletion(file));
      } else if (stat.isDirectory()) {
        if (before?.isDirectory()) directoriesInBoth.push(path);
        else if (before !== undefined) add(deletion(path));
        else if (await rules.ignores(path, true)) continue;
        await walk(path);
      } else if (stat.isFile() || stat.isSymbolicLink()) {
        if (before === undefined && (await rules.ignores(path, false))) continue;
        if (before?.isDirectory())
          for (const file of await filesUnder(origin.base, path)) if (!leftOut(file)) add(deletion(file));
        const edit = await readEdit(copy.layers.upper, path, stat);
        const old = before && !before.isDirectory() ? await readEdit(origin.base, path, before) : null;
        if (old === null || old.mode !== edit.mode || !Buffer.from(old.content!).equals(edit.content!)) add(edit);
      }
    }
  };
  await walk('');

  const isOverlay = copy.layers.lowers.length > 0;
  const stillThere = isOverlay ? await entriesOf(copy, origin, directoriesInBoth) : null;
  for (const directory of isOverlay ? directoriesInBoth : ['', ...directoriesInBoth]) {
    for (const name of await readdir(join(origin.base, directory))) {
      const path = directory === '' ? name : `${directory}/${name}`;
      const gone = stillThere === null ? statOf(join(copy.layers.upper, path)) === undefined : !stillThere.has(path);
      if (!gone) continue;
      for (const file of await filesUnder(origin.base, path))
        if (!leftOut(file) && !changed.has(file)) add(deletion(file));
    }
  }
  return [...changed.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Entries of directories as the overlay shows them. A directory that was removed and made anew hides the base's entries through an
 * extended attribute (`overlay.opaque`), which Node cannot read; so the kernel is asked, by mounting the overlay once more.
 */
async function entriesOf(copy: Copy, { base, included }: Origin, directories: readonly string[]): Promise<Set<string>> {
  if (directories.length === 0) return new Set();
  await writeOverlayTable({ copy: copy.directory, base, included, dependencies: [], scratchBytes: 1 << 20 });
  const list = 'exec find "$@" -mindepth 1 -maxdepth 1 -print0';
  const script = `mount --all --fstab fstab && cd merged && exec xargs -0 sh -c '${list}' sh`;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const child = execFile(
    'unshare',
    ['--user', '--map-root-user', '--mount', '--propagation', 'private', '--', 'sh', '-c', script],
    { cwd: copy.directory, encoding: 'buffer', maxBuffer: 1 << 30, env: { PATH: process.env.PATH ?? '' } },
    (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
  );
  child.stdin!.end(directories.map((directory) => `./${directory}\0`).join(''));
  return new Set(
    (await promise)
      .toString('utf8')
      .split('\0')
      .map((path) => path.slice(2)),
  );
}

async function readEdit(root: string, path: string, stat: Stats): Promise<FileEdit> {
  const place = join(root, path);
  if (stat.isSymbolicLink()) return { path, mode: '120000', content: await readlink(place, 'buffer') };
  if (stat.size > CHANGES_MAX_BYTES) throw tooLarge(path);
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return { path, mode: (stat.mode & 0o100) === 0 ? '100644' : '100755', content: await file.readFile() };
  } finally {
    await file.close();
  }
}

/** Makes what a candidate has closed to its own user readable again: the owner is the user who runs Lathe. */
function lookAt(place: string, path: string): Stats {
  const stat = statOf(place);
  if (stat === undefined) {
    throw new SandboxError('LATHE_CHANGES_UNREADABLE', `expected a file name in UTF-8, got ${JSON.stringify(path)}`);
  }
  const needed = stat.isDirectory() ? 0o700 : stat.isFile() ? 0o400 : 0;
  if ((stat.mode & needed) !== needed) chmodSync(place, (stat.mode & 0o777) | needed);
  return stat;
}

function deletion(path: string): FileEdit {
  return { path, mode: '100644', content: null };
}

/** Files and links at or under a path of a trusted tree. */
async function filesUnder(root: string, path: string): Promise<string[]> {
  const stat = statOf(join(root, path));
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [path];
  const names = await readdir(join(root, path));
  return (await Promise.all(names.map((name) => filesUnder(root, `${path}/${name}`)))).flat();
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR') return undefined;
    if (code === 'ENAMETOOLONG')
      throw new SandboxError('LATHE_CHANGES_UNREADABLE', 'directories are nested too deeply');
    throw error;
  }
}

function isFile(path: string): boolean {
  const stat = statOf(path);
  return stat !== undefined && !stat.isDirectory();
}

/** A character device 0:0 is how an overlay says "removed". */
function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

function tooLarge(path: string): SandboxError {
  return new SandboxError(
    'LATHE_CHANGES_TOO_LARGE',
    `expected changes of at most ${CHANGES_MAX_BYTES >> 20} MiB in ${CHANGES_MAX_FILES} files, got more (${path})`,
  );
}
