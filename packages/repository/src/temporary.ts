import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Name of a folder of this process's; it tells `isLeftOver` whose it is. */
export function temporaryName(): string {
  return `${process.pid}-${randomBytes(6).toString('hex')}`;
}

/** Whether a folder with this name belonged to a process that no longer lives. */
export function isLeftOver(name: string): boolean {
  const pid = Number(/^([0-9]+)-[0-9a-f]{12}$/.exec(name)?.[1]);
  return Number.isInteger(pid) && !isAlive(pid);
}

/**
 * Runs `work` with a folder of its own under `parent`, removed afterwards.
 */
export async function withTemporaryFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(parent, temporaryName());
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes the temporary folders of processes that no longer live; returns how many. */
export async function sweepTemporaryFolders(parent: string): Promise<number> {
  const names = await readdir(parent).catch(() => []);
  let removed = 0;
  for (const name of names) {
    if (!isLeftOver(name)) continue;
    await rm(join(parent, name), { recursive: true, force: true });
    removed += 1;
  }
  return removed;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
