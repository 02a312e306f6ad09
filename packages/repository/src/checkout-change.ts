import { createHash } from 'node:crypto';
import {
  chmod,
  chown,
  copyFile,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RepositoryError } from './problem.ts';
import { isLeftOver, temporaryName } from './temporary.ts';

/** What a path of the checkout is to become. */
export interface CheckoutChange {
  readonly path: string;
  /** Null: deleted. For a link the content is its target. */
  readonly after: { readonly kind: 'file' | 'link'; readonly executable: boolean; readonly content: Buffer } | null;
}

interface JournalEntry {
  readonly path: string;
  /** Name of the saved original in the journal's folder; null where there was none. */
  readonly saved: string | null;
  /** What the path holds once changed, as `fingerprintOf` tells it; null: nothing. */
  readonly after: string | null;
}

const JOURNAL = 'journal.json';

/**
 * Changes files of a checkout, all or none. Originals are saved under `journals` first; each file is written beside its
 * place and renamed over it. A failure puts everything back; so does `undoLeftOver` after a crash. `then` belongs to
 * the change: where it throws, everything is put back too.
 *
 * @throws LATHE_CHECKOUT_IN_THE_WAY where a folder on the way is a link or a file
 */
export async function changeCheckout<T>(
  root: string,
  changes: readonly CheckoutChange[],
  journals: string,
  then: () => Promise<T>,
): Promise<T> {
  const name = temporaryName();
  const folder = join(journals, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entries: JournalEntry[] = [];
  for (const [i, change] of changes.entries()) {
    await requirePlainFolders(root, change.path);
    const saved = (await saveOriginal(join(root, change.path), join(folder, String(i)))) ? String(i) : null;
    entries.push({ path: change.path, saved, after: change.after === null ? null : fingerprint(change.after) });
  }
  await writeDurably(join(folder, JOURNAL), JSON.stringify({ root, entries }));
  let result: T;
  try {
    for (const change of changes) if (change.after === null) await remove(root, change.path);
    for (const { path, after } of changes) if (after !== null) await replace(root, path, after, besideName(name));
    result = await then();
  } catch (error) {
    await putBack(root, journals, name, entries);
    throw error;
  }
  await rm(folder, { recursive: true, force: true });
  return result;
}

/** Takes back changes whose process died half-way. Files changed by somebody else since are left alone. */
export async function undoLeftOver(journals: string): Promise<void> {
  for (const name of await readdir(journals).catch(() => [])) {
    if (!isLeftOver(name)) continue;
    const folder = join(journals, name);
    const text = await readFile(join(folder, JOURNAL), 'utf8').catch(() => null);
    // Without a journal nothing had been changed yet.
    if (text === null) await rm(folder, { recursive: true, force: true });
    else {
      const { root, entries } = JSON.parse(text) as { root: string; entries: JournalEntry[] };
      await putBack(root, journals, name, entries);
    }
  }
}

async function putBack(root: string, journals: string, name: string, entries: readonly JournalEntry[]): Promise<void> {
  const folder = join(journals, name);
  for (const { path, saved, after } of entries) {
    const target = join(root, path);
    await rm(join(dirname(target), besideName(name)), { force: true }).catch(ignoreMissingFolder);
    const now = await fingerprintOf(target);
    if (now !== after) continue;
    if (saved === null) {
      if (now !== null) await remove(root, path);
      continue;
    }
    const original = join(folder, saved);
    const stat = await lstat(original);
    const content = stat.isSymbolicLink() ? Buffer.from(await readlink(original)) : await readFile(original);
    const kind = stat.isSymbolicLink() ? 'link' : 'file';
    await replace(root, path, { kind, executable: (stat.mode & 0o100) !== 0, content }, besideName(name), stat);
  }
  await rm(folder, { recursive: true, force: true });
}

/** The name under which new content is written beside its place, known to whoever has to clear up after a crash. */
function besideName(journal: string): string {
  return `.lathe-${journal}`;
}

function ignoreMissingFolder(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTDIR') throw error;
}

/** Copies a file or link aside; false where there is nothing. */
async function saveOriginal(source: string, target: string): Promise<boolean> {
  const stat = await lstatOrNull(source);
  if (stat === null) return false;
  if (stat.isSymbolicLink()) await symlink(await readlink(source), target);
  else if (stat.isFile()) {
    await copyFile(source, target);
    await chmod(target, stat.mode & 0o7777);
  } else if (!stat.isDirectory()) throw inTheWay(source);
  // A folder in the place of a file: its own files are entries of their own, so that it is empty by then.
  else return false;
  return true;
}

type After = NonNullable<CheckoutChange['after']>;

async function replace(
  root: string,
  path: string,
  after: After,
  besideAs: string,
  like?: { mode: number; uid: number; gid: number },
): Promise<void> {
  const target = join(root, path);
  await mkdir(dirname(target), { recursive: true });
  await requirePlainFolders(root, path);
  const beside = join(dirname(target), besideAs);
  const there = await lstatOrNull(target);
  const owner = like ?? (there?.isFile() ? there : null);
  try {
    if (after.kind === 'link') await symlink(after.content, beside);
    else {
      await writeFile(beside, after.content, { flag: 'wx', mode: after.executable ? 0o777 : 0o666, flush: true });
      if (owner !== null) await chmod(beside, withExecutable(owner.mode, after.executable));
      if (owner !== null && process.getuid?.() === 0) await chown(beside, owner.uid, owner.gid);
    }
    if (there?.isDirectory()) await rmdir(target);
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Permission bits kept, but for the executable one, which goes where reading is allowed. */
function withExecutable(mode: number, executable: boolean): number {
  const bits = mode & 0o777;
  return executable ? bits | ((bits & 0o444) >> 2) : bits & ~0o111;
}

/** Deletes a file and the folders it leaves empty. */
async function remove(root: string, path: string): Promise<void> {
  await requirePlainFolders(root, path);
  await unlink(join(root, path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
    const gone = await rmdir(join(root, folder)).then(
      () => true,
      () => false,
    );
    if (!gone) return;
  }
}

/** Every folder above the path is a real folder or not there: nothing is written through a link. */
async function requirePlainFolders(root: string, path: string): Promise<void> {
  const parts = path.split('/').slice(0, -1);
  let folder = root;
  for (const part of parts) {
    folder = join(folder, part);
    const stat = await lstatOrNull(folder);
    if (stat === null) return;
    if (!stat.isDirectory()) throw inTheWay(folder);
  }
}

function inTheWay(path: string): RepositoryError {
  return new RepositoryError(
    'LATHE_CHECKOUT_IN_THE_WAY',
    `${path} is in the way: a plain file or folder was expected.`,
    {
      remedy: 'Move it away, then keep the candidate again.',
    },
  );
}

async function lstatOrNull(path: string) {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
}

function fingerprint({ kind, content }: After): string {
  return `${kind} ${createHash('sha256').update(content).digest('hex')}`;
}

async function fingerprintOf(path: string): Promise<string | null> {
  const stat = await lstatOrNull(path);
  if (stat === null || stat.isDirectory()) return null;
  if (stat.isSymbolicLink()) {
    return fingerprint({ kind: 'link', executable: false, content: Buffer.from(await readlink(path)) });
  }
  return stat.isFile() ? fingerprint({ kind: 'file', executable: false, content: await readFile(path) }) : 'other';
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
