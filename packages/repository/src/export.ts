import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, posix, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type GitOptions, git, gitText } from './git.ts';
import type { Location } from './location.ts';
import { ObjectReader } from './objects.ts';
import { pathRefusal } from './paths.ts';
import { isFile, type TreeEntry, treeEntries } from './tree.ts';

export interface ExportReport {
  /** Files and links written. */
  readonly files: number;
  /** What could not be exported as the user sees it in the checkout, with the reason. */
  readonly notExported: readonly { readonly path: string; readonly why: string }[];
}

/** Blobs held in memory at once while exporting. */
const WINDOW = 64;

/**
 * Writes a commit's files into `directory`, which is created and must be empty: contents as git stores them, the
 * executable bit, symbolic links as links.
 *
 * A Git LFS pointer is replaced by its object from the repository's LFS store, or by the checkout's file where that is
 * the object; without either the pointer stays and is reported. A submodule's files come from the checkout's
 * submodule, in the commit the tree names; one that is not initialised stays an empty folder and is reported.
 */
export async function exportTree(commit: string, directory: string, location: Location): Promise<ExportReport> {
  const reader = new ObjectReader(location.root);
  try {
    const report = { files: 0, notExported: [] as { path: string; why: string }[] };
    await mkdir(directory, { recursive: true });
    const lfs = await lfsObjects(location);
    await exportEntries({ repository: location.root, commit, directory, prefix: '', reader, lfs, report });
    return report;
  } finally {
    reader.close();
  }
}

interface ExportJob {
  /** Checkout whose objects and working files are read. */
  readonly repository: string;
  readonly commit: string;
  readonly directory: string;
  /** Path of this repository inside the outermost one, with a final slash, or empty. */
  readonly prefix: string;
  readonly reader: ObjectReader;
  /** Where Git LFS keeps its objects; null in a submodule, whose store is another one. */
  readonly lfs: string | null;
  readonly report: { files: number; notExported: { path: string; why: string }[] };
}

async function exportEntries(job: ExportJob): Promise<void> {
  const entries = await treeEntries(job.commit, { cwd: job.repository });
  const folders = new Set<string>();
  const files: TreeEntry[] = [];
  const links: TreeEntry[] = [];
  for (const entry of entries) {
    const why = refusal(entry);
    if (why !== null) job.report.notExported.push({ path: shown(job, entry), why });
    else if (entry.mode === '120000') links.push(entry);
    else if (isFile(entry)) files.push(entry);
    if (why === null) folders.add(posix.dirname(entry.rawPath.toString('latin1')));
  }
  for (const folder of folders) await mkdir(at(job.directory, Buffer.from(folder, 'latin1')), { recursive: true });
  await inWindows(files, (entry) => exportFile(job, entry));
  for (const entry of entries) {
    if (entry.mode === '160000' && refusal(entry) === null) await exportSubmodule(job, entry);
  }
  // Links last: nothing is ever written through one.
  await inWindows(links, async (entry) => {
    await symlink(await job.reader.read(entry.id), at(job.directory, entry.rawPath));
    job.report.files += 1;
  });
}

/** A tree made by hand can hold names git itself would refuse. Bytes that are not UTF-8 are allowed. */
function refusal(entry: TreeEntry): string | null {
  return pathRefusal(entry.path ?? entry.rawPath.toString('latin1').replace(/[\u0080-\u00ff]/g, '_'));
}

async function exportFile(job: ExportJob, entry: TreeEntry): Promise<void> {
  const target = at(job.directory, entry.rawPath);
  const content = await job.reader.read(entry.id);
  const mode = entry.mode === '100755' ? 0o755 : 0o644;
  const pointer = lfsPointer(content);
  job.report.files += 1;
  if (pointer !== null) {
    const source = await lfsSource(job, entry, pointer);
    if (source !== null) {
      await copyFile(source, target);
      await chmod(target, mode);
      return;
    }
    job.report.notExported.push({ path: shown(job, entry), why: 'its Git LFS object is not on this machine' });
  }
  await writeFile(target, content, { mode, flag: 'wx' });
}

async function exportSubmodule(job: ExportJob, entry: TreeEntry): Promise<void> {
  await mkdir(at(job.directory, entry.rawPath), { recursive: true });
  if (entry.path === null) return;
  const repository = join(job.repository, entry.path);
  const options: GitOptions = { cwd: repository, accept: [1, 128] };
  // Without a `.git` of its own git would answer for the outer repository.
  const initialised = await lstat(join(repository, '.git')).then(
    () => true,
    () => false,
  );
  if (!initialised || (await git(['cat-file', '-e', `${entry.id}^{commit}`], options)).exitCode !== 0) {
    const why = initialised ? 'the submodule lacks the commit the tree names' : 'the submodule is not initialised';
    job.report.notExported.push({ path: shown(job, entry), why });
    return;
  }
  const reader = new ObjectReader(repository);
  try {
    await exportEntries({
      ...job,
      repository,
      commit: entry.id,
      directory: join(job.directory, entry.path),
      prefix: `${job.prefix}${entry.path}/`,
      reader,
      lfs: null,
    });
  } finally {
    reader.close();
  }
}

interface LfsPointer {
  readonly sha256: string;
  readonly size: number;
}

/** Pointer of the Git LFS specification, version 1: three lines of text, under 1024 bytes. */
function lfsPointer(content: Buffer): LfsPointer | null {
  if (content.length >= 1024 || !content.subarray(0, 8).equals(Buffer.from('version '))) return null;
  const text = content.toString('utf8');
  if (!text.startsWith('version https://git-lfs.github.com/spec/v1\n')) return null;
  const sha256 = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  const size = /^size ([0-9]+)$/m.exec(text)?.[1];
  return sha256 === undefined || size === undefined ? null : { sha256, size: Number(size) };
}

/** A file that holds the pointer's object, its hash verified, or null. */
async function lfsSource(job: ExportJob, entry: TreeEntry, pointer: LfsPointer): Promise<Buffer | null> {
  const { sha256, size } = pointer;
  const stored = job.lfs === null ? [] : [Buffer.from(join(job.lfs, sha256.slice(0, 2), sha256.slice(2, 4), sha256))];
  for (const candidate of [...stored, at(job.repository, entry.rawPath)]) {
    const stat = await lstat(candidate).catch(() => null);
    if (stat?.isFile() && stat.size === size && (await hashFile(candidate)) === sha256) return candidate;
  }
  return null;
}

async function hashFile(path: Buffer): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Objects of Git LFS: `lfs/objects` in the common folder unless `lfs.storage` names another place. */
async function lfsObjects(location: Location): Promise<string> {
  const options: GitOptions = { cwd: location.root, accept: [1] };
  const storage = await gitText(['config', '--type=path', '--get', 'lfs.storage'], options);
  return join(resolve(location.commonDir, storage === '' ? 'lfs' : storage), 'objects');
}

function at(directory: string, rawPath: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), rawPath]);
}

function shown(job: ExportJob, entry: TreeEntry): string {
  return job.prefix + (entry.path ?? entry.rawPath.toString('utf8'));
}

async function inWindows<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += WINDOW) await Promise.all(items.slice(i, i + WINDOW).map(work));
}
