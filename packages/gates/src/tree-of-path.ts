import type { Dirent } from 'node:fs';
import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LatheError, type NotLookedFor, type Tree } from '@lathe/protocol';

const SKIPPED = new Set(['.git', 'node_modules', '.venv', 'venv', '__pycache__']);

/** A folder or a single file of this machine. */
export interface LocalTree extends Tree {
  /** What lies there and cannot be looked at: folders that cannot be opened, submodules, pipes, links. */
  unseen(): Promise<readonly NotLookedFor[]>;
  /** The folders above it, each with its own files alone, up to the root of the repository it lies in; none outside of one. */
  above(): Promise<readonly Tree[]>;
}

/**
 * A folder or a single file as a tree, git or not. Links are not followed, dependencies and submodules are left out; names
 * that are no UTF-8 are read under the name they are shown with.
 *
 * @throws LATHE_NOT_FOUND_PATH, LATHE_USAGE_PATH
 */
export async function treeOfPath(path: string): Promise<LocalTree> {
  const about = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (about instanceof Error) throw unreachable(path, about);
  if (!about.isDirectory() && !about.isFile()) {
    throw new LatheError('LATHE_USAGE_PATH', `${path} is neither a file nor a folder`, {
      remedy: 'Name a file or a folder; pipes, sockets and devices cannot be scanned.',
    });
  }
  const given = await realpath(path);
  const root = about.isDirectory() ? given : dirname(given);
  let walk: Promise<Walk> | null = null;
  const walked = (): Promise<Walk> => {
    walk ??= about.isDirectory() ? walkFolder(root) : Promise.resolve(only(given));
    return walk;
  };
  const found = async (file: string): Promise<{ at: string | Buffer; size: number } | null> => {
    // Not met by the walk: a path of another version of the tree.
    const at = (walk && (await walk).files.get(file)) ?? join(root, file);
    const one = await lstat(at).catch(() => null);
    return one?.isFile() ? { at, size: one.size } : null;
  };
  return {
    list: async () => [...(await walked()).files.keys()].sort(),
    unseen: async () => (await walked()).unseen,
    above: () => foldersAbove(root),
    size: async (file) => (await found(file))?.size ?? null,
    async read(file) {
      const one = await found(file);
      return one ? readFile(one.at) : null;
    },
  };
}

function unreachable(path: string, error: NodeJS.ErrnoException): LatheError {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return new LatheError('LATHE_NOT_FOUND_PATH', `${path} does not exist`, {
      remedy: 'Name a file or a folder that exists.',
    });
  }
  const why = error.code === 'ELOOP' ? 'is a link that leads to itself' : `cannot be opened (${error.code})`;
  return new LatheError('LATHE_USAGE_PATH', `${path} ${why}`, {
    remedy: 'Name a file or a folder that this user may read.',
    cause: error,
  });
}

interface Walk {
  /** Where each file lies, as bytes where its name is no UTF-8. */
  readonly files: ReadonlyMap<string, string | Buffer>;
  readonly unseen: readonly NotLookedFor[];
}

function only(path: string): Walk {
  return { files: new Map([[basename(path), path]]), unseen: [] };
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : []));
}

/** Manifests of the packages that a folder's package.json counts as its own (`"workspaces": ["packages/*"]`), for their names. */
async function workspacesOf(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '');
  const patterns = [...text.matchAll(/"([\w.@-]+(?:\/[\w.@-]+)*)\/\*"/g)].map((match) => match[1]!);
  const found: string[] = [];
  for (const parent of /"workspaces"/.test(text) ? patterns : []) {
    for (const entry of await readdir(join(folder, parent), { withFileTypes: true }).catch(() => []))
      if (entry.isDirectory()) found.push(`${parent}/${entry.name}/package.json`);
  }
  return found;
}

async function foldersAbove(root: string): Promise<Tree[]> {
  const folders: Tree[] = [];
  for (let at = root; ; at = dirname(at)) {
    if (at !== root) {
      folders.push({
        list: async () => [...(await filesIn(at)), ...(await workspacesOf(at))].sort(),
        read: (file) => readFile(join(at, file)).catch(() => null),
      });
    }
    // A file of this name where it is a worktree or a submodule.
    if (await lstat(join(at, '.git')).catch(() => null)) return folders;
    if (dirname(at) === at) return [];
  }
}

const SLASH = Buffer.from('/');

async function walkFolder(root: string): Promise<Walk> {
  const files = new Map<string, string | Buffer>();
  const unseen: NotLookedFor[] = [];
  let links = 0;
  const skip = (path: string, why: string): void => {
    unseen.push({ what: `weaknesses in ${path}`, why });
  };
  // A list and no recursion: folders can lie deeper than the stack allows.
  const folders: { at: Buffer; shown: string }[] = [{ at: Buffer.from(root), shown: '' }];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    const { at, shown } = folder;
    let entries: Dirent<Buffer>[];
    try {
      entries = await readdir(at, { withFileTypes: true, encoding: 'buffer' });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      if (shown === '') throw unreachable(root, error as NodeJS.ErrnoException);
      skip(`${shown}/`, `the folder cannot be opened: ${code}`);
      continue;
    }
    // A submodule or a second worktree has a file of this name, a repository of its own a folder.
    if (shown !== '' && entries.some((entry) => entry.isFile() && entry.name.equals(Buffer.from('.git')))) {
      skip(`${shown}/`, 'it is a submodule or a worktree: scan it on its own');
      continue;
    }
    for (const entry of entries) {
      const name = entry.name.toString('utf8');
      const path = shown === '' ? name : `${shown}/${name}`;
      const place = Buffer.concat([at, SLASH, entry.name]);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(name)) folders.push({ at: place, shown: path });
      } else if (entry.isFile()) files.set(path, Buffer.from(name).equals(entry.name) ? join(root, path) : place);
      else if (entry.isSymbolicLink()) links += 1;
      else skip(path, 'it is a pipe, a socket or a device');
    }
  }
  if (links > 0) {
    unseen.push({ what: 'what symbolic links lead to', why: `${links} of them were not followed` });
  }
  return { files, unseen };
}
