import { lstatSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DependencyDirectory } from './dependencies.ts';

/**
 * Directories of one copy that is an overlay (overlayfs in the kernel's documentation). All names are Lathe's own and relative
 * to the copy's directory, because overlay options cannot hold every path: `:` and `,` separate.
 *
 *     upper/  work/        what the candidate changed, and the kernel's scratch space for it
 *     merged/              where base and upper appear as one, inside the sandbox's mount namespace only
 *     lower/base, lower/included      bound there inside the namespace
 *     dependencies/<i>/    upper, work and lower of dependency directory i: throw-away
 *     scratch/             tmpfs for /tmp, /dev/shm and HOME, inside the namespace only
 */
export const UPPER = 'upper';
export const MERGED = 'merged';
export const SCRATCH = 'scratch';

export async function makeOverlayDirectories(copy: string, dependencies: number): Promise<void> {
  const names = [UPPER, 'work', MERGED, SCRATCH, 'lower/base', 'lower/included'];
  for (let i = 0; i < dependencies; i++)
    for (const name of ['upper', 'work', 'lower']) names.push(`dependencies/${i}/${name}`);
  await Promise.all(names.map((name) => mkdir(join(copy, name), { recursive: true })));
}

export interface OverlayMounts {
  readonly copy: string;
  readonly base: string;
  readonly included: string;
  readonly dependencies: readonly DependencyDirectory[];
  readonly scratchBytes: number;
}

/**
 * Writes the fstab(5) that one `mount --all` works through, which costs one process however many mounts there are. The root
 * overlay is left to the caller's order: binds of the lower directories, the overlay, then dependencies on top of it.
 */
export async function writeOverlayTable({
  copy,
  base,
  included,
  dependencies,
  scratchBytes,
}: OverlayMounts): Promise<void> {
  const rows = [
    scratchRow(copy, scratchBytes),
    bindRow(base, join(copy, 'lower/base')),
    bindRow(included, join(copy, 'lower/included')),
    overlayRow('lower/included:lower/base', UPPER, 'work', join(copy, MERGED)),
  ];
  for (const [i, { path, source }] of dependencies.entries()) {
    if (!isPlainDirectoryPath(join(copy, UPPER), path)) continue;
    const own = `dependencies/${i}`;
    rows.push(bindRow(source, join(copy, own, 'lower')));
    rows.push(overlayRow(`${own}/lower`, `${own}/upper`, `${own}/work`, join(copy, MERGED, path)));
  }
  await writeFile(join(copy, 'fstab'), rows.join(''));
}

/** The table of a copy that is no overlay: only the temporary folders. */
export async function writeScratchTable(copy: string, scratchBytes: number): Promise<void> {
  await writeFile(join(copy, 'fstab'), scratchRow(copy, scratchBytes));
}

/**
 * False where the candidate has put something else in the place of one of the directories that lead to a mount point: mount(8) follows
 * links, and a directory that was removed has nothing to mount on.
 */
export function isPlainDirectoryPath(upper: string, path: string): boolean {
  let current = upper;
  for (const part of path.split('/')) {
    current = join(current, part);
    const stat = lstatSync(current, { throwIfNoEntry: false });
    if (stat === undefined) return true;
    if (!stat.isDirectory()) return false;
  }
  return true;
}

function scratchRow(copy: string, bytes: number): string {
  const inodes = Math.max(1024, Math.floor(bytes / 16_384));
  return row('tmpfs', join(copy, SCRATCH), 'tmpfs', `size=${bytes},nr_inodes=${inodes},mode=0755,nosuid,nodev`);
}

function bindRow(source: string, target: string): string {
  return row(source, target, 'none', 'rbind');
}

function overlayRow(lower: string, upper: string, work: string, target: string): string {
  return row('overlay', target, 'overlay', `userxattr,lowerdir=${lower},upperdir=${upper},workdir=${work}`);
}

function row(...fields: string[]): string {
  return `${fields.map(escapeField).join(' ')} 0 0\n`;
}

/** fstab(5): white space and the backslash as three octal digits. `#` starts a comment only at a line's start. */
function escapeField(field: string): string {
  return field.replace(/[\s\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
