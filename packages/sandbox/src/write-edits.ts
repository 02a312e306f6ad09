import { execFile } from 'node:child_process';
import { constants, lstatSync, type Stats } from 'node:fs';
import { mkdir, open, readdir, rm, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SandboxError } from './problem.ts';
import type { FileEdit } from './workspace.ts';

/**
 * Where a copy's files are: what is written goes to `upper`, what is not there shows through from the first of `lowers`
 * that has it. A full copy is an upper without lowers.
 */
export interface Layers {
  readonly upper: string;
  readonly lowers: readonly string[];
}

/**
 * Lays edits over a copy from outside, while nothing runs in it: every component of a path is looked at, layer by layer, and a link
 * on the way is refused. Removals come first, so that a file may take the place of a directory and the other way round.
 */
export async function writeEdits(
  layers: Layers,
  edits: readonly FileEdit[],
  dependencies: readonly string[],
): Promise<void> {
  for (const edit of edits) refuseBadPath(edit.path, dependencies);
  for (const edit of edits) if (edit.content === null) await remove(layers, edit.path);
  for (const edit of edits) if (edit.content !== null) await put(layers, edit.path, edit.content, edit.mode);
}

export function editRefused(path: string, why: string): SandboxError {
  return new SandboxError('LATHE_EDIT_REFUSED', `${JSON.stringify(path)}: ${why}`);
}

function refuseBadPath(path: string, dependencies: readonly string[]): void {
  const parts = path.split('/');
  if (path === '' || path.includes('\0')) throw editRefused(path, 'expected a path relative to the repository');
  if (path.startsWith('/')) throw editRefused(path, 'expected a path relative to the repository, got an absolute one');
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    throw editRefused(path, 'expected plain names between the slashes');
  if (parts.some((part) => part.toLowerCase() === '.git')) throw editRefused(path, 'git keeps its own data there');
  const owner = dependencies.find((directory) => path === directory || path.startsWith(`${directory}/`));
  if (owner !== undefined) throw editRefused(path, `${owner} holds installed dependencies, which edits do not change`);
}

/** `absent`: no layer has it, or a whiteout hides it. */
type Seen = { kind: 'absent' | 'file' | 'link' | 'directory'; inUpper: boolean };

/** What the merged view has at `path`, whose parent directories are known to be directories. */
function see(layers: Layers, path: string): Seen {
  const above = statOf(layers.upper, path);
  if (above !== undefined) return { kind: kindOf(above), inUpper: true };
  for (const lower of layers.lowers) {
    const below = statOf(lower, path);
    if (below !== undefined) return { kind: kindOf(below), inUpper: false };
  }
  return { kind: 'absent', inUpper: false };
}

function kindOf(stat: Stats): Seen['kind'] {
  if (stat.isSymbolicLink()) return 'link';
  if (stat.isDirectory()) return 'directory';
  // A whiteout: character device 0:0 (overlayfs).
  if (stat.isCharacterDevice() && stat.rdev === 0) return 'absent';
  return 'file';
}

function statOf(layer: string, path: string): Stats | undefined {
  try {
    return lstatSync(join(layer, path), { throwIfNoEntry: false });
  } catch (error) {
    // A file where this path has a directory.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Makes the parents of `path` directories of the upper layer, and refuses what is in the way. */
async function makeParents(layers: Layers, path: string): Promise<void> {
  const parts = path.split('/').slice(0, -1);
  for (let i = 0; i < parts.length; i++) {
    const parent = parts.slice(0, i + 1).join('/');
    const { kind, inUpper } = see(layers, parent);
    if (kind === 'link') throw editRefused(path, `${parent} is a link; edits do not follow links`);
    if (kind === 'file') throw editRefused(path, `${parent} is a file, expected a directory`);
    if (kind === 'directory' && inUpper) continue;
    const target = join(layers.upper, parent);
    if (kind === 'directory') {
      await mkdir(target, { mode: modeBelow(layers, parent) });
      continue;
    }
    // Absent: it may be a whiteout over a directory of the base, whose entries must stay hidden.
    await unlink(target).catch(ifMissing);
    await mkdir(target);
    await hideEntriesBelow(layers, parent);
  }
}

async function put(layers: Layers, path: string, content: Uint8Array, mode: FileEdit['mode']): Promise<void> {
  await makeParents(layers, path);
  const target = join(layers.upper, path);
  const { kind } = see(layers, path);
  if (kind === 'directory') {
    if (await hasFiles(layers, path)) throw editRefused(path, 'is a directory with files in it, expected a file');
    await rm(target, { recursive: true, force: true });
  } else {
    await unlink(target).catch(ifMissing);
  }
  if (mode === '120000') {
    await symlink(Buffer.from(content), Buffer.from(target));
    return;
  }
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(target, flags, mode === '100755' ? 0o755 : 0o644);
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}

async function remove(layers: Layers, path: string): Promise<void> {
  const { kind, inUpper } = see(layers, path);
  if (kind === 'absent') return;
  if (kind === 'directory') throw editRefused(path, 'is a directory, expected a file to delete');
  await makeParents(layers, path);
  if (inUpper) await unlink(join(layers.upper, path));
  if (isBelow(layers, path)) await whiteOut([join(layers.upper, path)]);
}

/** A directory made anew in place of a removed one would let the base's entries show again: hide each of them. */
async function hideEntriesBelow(layers: Layers, directory: string): Promise<void> {
  const names = new Set<string>();
  for (const lower of layers.lowers)
    if (statOf(lower, directory)?.isDirectory())
      for (const name of await readdir(join(lower, directory))) names.add(name);
  if (names.size > 0) await whiteOut([...names].map((name) => join(layers.upper, directory, name)));
}

/** Whiteouts need no privilege (mknod(2) since Linux 5.8), but Node has no mknod. */
async function whiteOut(targets: readonly string[]): Promise<void> {
  for (const target of targets) await promisify(execFile)('mknod', ['--', target, 'c', '0', '0']);
}

function isBelow(layers: Layers, path: string): boolean {
  return layers.lowers.some((lower) => statOf(lower, path) !== undefined);
}

function modeBelow(layers: Layers, directory: string): number {
  const stat = layers.lowers.map((lower) => statOf(lower, directory)).find((found) => found?.isDirectory());
  return stat === undefined ? 0o755 : (stat.mode & 0o777) | 0o700;
}

/** Whether the merged view has anything but directories at or under `directory`. */
async function hasFiles(layers: Layers, directory: string): Promise<boolean> {
  const names = new Set<string>();
  for (const layer of [layers.upper, ...layers.lowers])
    if (statOf(layer, directory)?.isDirectory())
      for (const name of await readdir(join(layer, directory))) names.add(name);
  for (const name of names) {
    const path = `${directory}/${name}`;
    const { kind } = see(layers, path);
    if (kind === 'file' || kind === 'link') return true;
    if (kind === 'directory' && (await hasFiles(layers, path))) return true;
  }
  return false;
}

function ifMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
