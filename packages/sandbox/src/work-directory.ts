import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, readFile, realpath, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SandboxError } from './problem.ts';
import { removeProcessCgroup } from './process-cgroup.ts';

/**
 * Layout of a work directory, one for each run:
 *
 *     .lathe-work.json     says that Lathe made it: nothing without this file is ever removed
 *     base/                the base's files, put there by the caller
 *     included/            what .worktreeinclude names, and mount points for dependencies
 *     etc/                 the sandbox's own passwd and the like
 *     copies/<id>/         one copy
 */
const MARKER = '.lathe-work.json';

export interface WorkDirectory {
  readonly path: string;
  readonly createdAtMs: number;
}

/** Makes the directory and marks it as Lathe's. An existing directory must be empty or marked already. */
export async function createWorkDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (await readMarker(path)) return;
  const strangers = await readdir(path);
  if (strangers.length > 0) {
    throw new SandboxError(
      'LATHE_WORK_DIRECTORY',
      `expected an empty directory or a work directory of Lathe at ${path}, got one with ${strangers.slice(0, 3).join(', ')} in it`,
      { remedy: 'name another work directory, or empty this one' },
    );
  }
  await writeFile(join(path, MARKER), `${JSON.stringify({ createdBy: 'lathe', createdAtMs: Date.now() })}\n`, {
    flag: 'wx',
  });
}

/** Work directories directly under `root`, oldest first; none where `root` does not exist. */
export async function listWorkDirectories(root: string): Promise<WorkDirectory[]> {
  const names = await readdir(root).catch(() => []);
  const found: WorkDirectory[] = [];
  for (const name of names) {
    const path = join(root, name);
    const marker = await readMarker(path);
    if (marker) found.push({ path, createdAtMs: marker.createdAtMs });
  }
  return found.sort((a, b) => a.createdAtMs - b.createdAtMs);
}

/**
 * Removes a work directory with everything in it, and refuses anything else. A missing one counts as removed; an empty one
 * is what a process leaves that is killed just before it marks a directory, or just after it has taken the mark away.
 */
export async function removeWorkDirectory(path: string): Promise<void> {
  if (!(await exists(path))) return;
  path = await realpath(path);
  if (!(await readMarker(path))) {
    if ((await readdir(path).catch(() => [path])).length === 0) {
      await rmdir(path);
      return;
    }
    throw new SandboxError(
      'LATHE_WORK_DIRECTORY',
      `expected a work directory of Lathe at ${path}: there is no ${MARKER} in it`,
      {
        remedy: 'look at it, and remove it by hand if it is yours',
      },
    );
  }
  const copies = join(path, 'copies');
  for (const name of await readdir(copies).catch(() => [])) await removeCopy(join(copies, name));
  // The marker goes last: what a crash leaves half removed can still be recognised.
  for (const name of await readdir(path)) if (name !== MARKER) await removeHostileTree(join(path, name));
  await rm(join(path, MARKER), { force: true });
  await rm(path, { recursive: true, force: true });
}

/** Removes one copy, in which nothing runs any more. */
export async function removeCopy(directory: string): Promise<void> {
  removeProcessCgroup(directory);
  // The overlay's own scratch space: the kernel makes it without any permission.
  await chmod(join(directory, 'work', 'work'), 0o700).catch(() => {});
  await removeHostileTree(directory);
}

/** Removes a tree whose contents a candidate chose: unreadable directories, paths beyond PATH_MAX. Follows no link. */
export async function removeHostileTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    // Node walks by absolute path; chmod(1) and rm(1) by descriptor, and neither follows links while walking.
    await run('chmod', ['-R', 'u+rwX', '--', path]).catch(() => {});
    await run('rm', ['-rf', '--one-file-system', '--', path]);
  }
}

const run = promisify(execFile);

async function readMarker(path: string): Promise<{ createdAtMs: number } | null> {
  const text = await readFile(join(path, MARKER), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const { createdBy, createdAtMs } = JSON.parse(text);
    return createdBy === 'lathe' ? { createdAtMs: Number(createdAtMs) } : null;
  } catch {
    // Cut off in the middle of being written; the file's name alone still says whose it is.
    return { createdAtMs: (await lstat(join(path, MARKER))).ctimeMs };
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false;
      throw new SandboxError('LATHE_WORK_DIRECTORY', `cannot look at ${path} in ${dirname(path)}`, { cause: error });
    },
  );
}
