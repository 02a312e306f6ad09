import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

const MANIFEST = 'entry.json';
const READ_BYTES = 8 << 20;
/** Nobody needs this long to write an entry: what is older was left by a process that is gone. */
const ABANDONED_MS = 60 * 60 * 1000;

const SPARE_BYTES = 256e6;

interface Manifest {
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly crc32: number }>>;
}

/**
 * Folders of files that can be made again, each under a key that says everything they depend on; at most `maxBytes` of
 * them, of which those not used for the longest time go first. An entry appears whole or not at all (it is written beside
 * and renamed), is read again and compared with its lengths and checksums before it is used, and goes where they differ.
 * The checksum finds damage, not malice: the folder is its owner's alone (mode 0700).
 *
 * Nothing here fails: an entry that cannot be had is null, and why one could not be written is `trouble`.
 */
export class DiskCache {
  readonly #root: string;
  readonly #maxBytes: number;
  #trouble: string | null = null;

  constructor(root: string, maxBytes: number) {
    this.#root = root;
    this.#maxBytes = maxBytes;
  }

  /** Why the last entry was not written, in words; null where all were. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Folder of a sound entry, or null. */
  async find(key: string): Promise<string | null> {
    const folder = join(this.#root, key);
    const manifest = await readManifest(folder);
    if (manifest === null) return null;
    if (!(await isSound(folder, manifest))) {
      await this.discard(key);
      return null;
    }
    const now = new Date();
    await utimes(join(folder, MANIFEST), now, now).catch(() => {});
    return folder;
  }

  async discard(key: string): Promise<void> {
    await rm(join(this.#root, key), { recursive: true, force: true }).catch(() => {});
  }

  /** Lets `write` fill a new folder with about `bytes` and makes it the entry. Null where that could not be: see `trouble`. */
  async store(key: string, bytes: number, write: (folder: string) => Promise<void>): Promise<string | null> {
    const partial = join(this.#root, `.${key}-${randomBytes(6).toString('hex')}`);
    const folder = join(this.#root, key);
    try {
      if (bytes > this.#maxBytes) throw new Error(`it may take ${this.#maxBytes} bytes, and this takes ${bytes}`);
      await mkdir(partial, { recursive: true, mode: 0o700 });
      const { bavail, bsize } = await statfs(this.#root);
      // A cache is not worth a full disk.
      if (bavail * bsize < bytes + SPARE_BYTES) throw new Error(`the disk has ${bavail * bsize} bytes left`);
      await write(partial);
      const manifest = await manifestOf(partial);
      await writeFile(join(partial, MANIFEST), JSON.stringify(manifest), { mode: 0o600, flush: true });
      await rename(partial, folder).catch(async (error: NodeJS.ErrnoException) => {
        // Another process was faster; what it made is as good.
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
        await rm(partial, { recursive: true, force: true });
      });
      await this.#evict(key);
      return folder;
    } catch (error) {
      await rm(partial, { recursive: true, force: true }).catch(() => {});
      this.#trouble = `nothing was kept in ${this.#root}: ${error instanceof Error ? error.message : String(error)}`;
      return null;
    }
  }

  /** Removes what has not been used for the longest time until the rest fits, and what dead processes left. */
  async #evict(keep: string): Promise<void> {
    const entries: { name: string; bytes: number; usedMs: number }[] = [];
    for (const name of await readdir(this.#root)) {
      const folder = join(this.#root, name);
      if (name.startsWith('.')) {
        const { mtimeMs } = await stat(folder).catch((): Pick<Stats, 'mtimeMs'> => ({ mtimeMs: Date.now() }));
        if (Date.now() - mtimeMs > ABANDONED_MS) await rm(folder, { recursive: true, force: true });
        continue;
      }
      const manifest = await readManifest(folder);
      const used = await stat(join(folder, MANIFEST)).catch(() => null);
      if (manifest !== null && used !== null) entries.push({ name, bytes: sizeOf(manifest), usedMs: used.mtimeMs });
    }
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { name, bytes } of entries.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#maxBytes) return;
      if (name === keep) continue;
      await this.discard(name);
      total -= bytes;
    }
  }
}

async function manifestOf(folder: string): Promise<Manifest> {
  const files: Record<string, { bytes: number; crc32: number }> = {};
  for (const name of (await readdir(folder)).sort()) files[name] = await checked(join(folder, name));
  return { files };
}

async function isSound(folder: string, { files }: Manifest): Promise<boolean> {
  try {
    for (const [name, expected] of Object.entries(files)) {
      // A file that was cut is told without reading it.
      if ((await stat(join(folder, name))).size !== expected.bytes) return false;
      if ((await checked(join(folder, name))).crc32 !== expected.crc32) return false;
    }
    return true;
  } catch {
    return false;
  }
}

async function checked(path: string): Promise<{ bytes: number; crc32: number }> {
  const file = await open(path);
  try {
    // lathe-ignore no-unsafe-alloc -- only what the file filled is looked at
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let bytes = 0;
    let sum = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return { bytes, crc32: sum };
      sum = crc32(buffer.subarray(0, bytesRead), sum);
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}

async function readManifest(folder: string): Promise<Manifest | null> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as Manifest;
    return typeof manifest?.files === 'object' && manifest.files !== null ? manifest : null;
  } catch {
    return null;
  }
}

function sizeOf({ files }: Manifest): number {
  return Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);
}
