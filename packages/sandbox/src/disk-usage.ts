import { execFile } from 'node:child_process';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Bytes that the trees take on disk, by allocated blocks, every entry at least one block of 4 KiB so that a million empty files are not free.
 * Links are not followed. A tree that cannot be walked (unreadable directories, paths beyond PATH_MAX) is measured by
 * du(1), as the owner of every file in a user namespace of its own.
 */
export async function diskUsage(paths: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const path of paths) bytes += await walk(path).catch(() => measureAsOwner(path));
  return bytes;
}

async function walk(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of (await readdir(directory, { withFileTypes: true }).catch(ifGone)) ?? []) {
    const path = join(directory, entry.name);
    const stat = await lstat(path).catch(ifGone);
    if (stat === null) continue;
    bytes += Math.max(4096, stat.blocks * 512);
    if (stat.isDirectory()) bytes += await walk(path);
  }
  return bytes;
}

/** Files come and go while a command runs. */
function ifGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

async function measureAsOwner(path: string): Promise<number> {
  const args = ['--user', '--map-root-user', 'du', '--summarize', '--one-file-system', '--block-size=1', '--', path];
  const { stdout } = await promisify(execFile)('unshare', args).catch((error) => ({
    stdout: String(error.stdout ?? ''),
  }));
  return Number.parseInt(stdout, 10) || 0;
}
