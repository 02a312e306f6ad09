/**
 * Models as the runtime wants them, kept between processes: reading a model file costs seconds, most of them for turning
 * and rounding its matrices, and the result is always the same.
 */
import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Graph,
  openSavedSession,
  openSession,
  type Session,
  type SessionOptions,
  savedSessionRuntime,
  saveSession,
} from '@lathe/graph';
import { DiskCache } from './disk-cache.ts';

/** Where converted models are kept and how much of the disk they may take. */
export interface CacheOptions {
  readonly folder: string;
  readonly maxBytes: number;
}

/** What besides the model file fixes the graph. */
export type Layout = Readonly<Record<string, string | number | boolean>>;

/**
 * A session of the model at `path` from the cache, else of the graph `layOut` gives, which is put there. `key` names the
 * converted model: two sessions with the same key compute the same. `trouble` says why nothing could be kept.
 */
export async function cachedSession(
  path: string,
  layout: Layout,
  cache: CacheOptions | null,
  layOut: () => Promise<Graph>,
  options: SessionOptions,
): Promise<{ session: Session; key: string | null; trouble: string | null }> {
  if (cache === null) return { session: await openSession(await layOut(), options), key: null, trouble: null };
  const kept = new DiskCache(cache.folder, cache.maxBytes);
  const key = await convertedKey(path, layout);
  const found = await kept.find(key);
  const opened = found === null ? null : await openOr(kept, key, found, options);
  if (opened !== null) return { session: opened, key, trouble: null };

  const graph = await layOut();
  const stored = await kept.store(key, bytesOf(graph), (folder) => saveSession(graph, folder));
  // What was written is opened at once: a file the disk had no room for shows itself now, and not next week.
  const session =
    (stored === null ? null : await openOr(kept, key, stored, options)) ?? (await openSession(graph, options));
  return { session, key, trouble: kept.trouble };
}

function bytesOf(graph: Graph): number {
  return graph.constants.reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** An entry may be sound and still be none that opens: it goes. */
async function openOr(cache: DiskCache, key: string, folder: string, options: SessionOptions): Promise<Session | null> {
  try {
    return await openSavedSession(folder, options);
  } catch {
    await cache.discard(key);
    return null;
  }
}

async function convertedKey(path: string, layout: Layout): Promise<string> {
  const parts = {
    file: await fileIdentity(path),
    code: await codeVersion(),
    runtime: savedSessionRuntime(),
    ...layout,
  };
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40);
}

const SAMPLE_BYTES = 1 << 20;

/**
 * What tells a file from every other and from itself after a change, without reading all of it: device, inode, size, the
 * times of the last change of content and of status, and a hash of its first and last MiB. A program that writes into a
 * file moves the second time, which it cannot set back; a hash of the whole would take longer than opening the model.
 */
async function fileIdentity(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
    const hash = createHash('sha256').update([dev, ino, size, mtimeNs, ctimeNs].join(' '));
    const sample = Buffer.alloc(Math.min(SAMPLE_BYTES, Number(size)));
    for (const position of [0, Math.max(0, Number(size) - SAMPLE_BYTES)]) {
      const { bytesRead } = await file.read(sample, 0, sample.length, position);
      hash.update(sample.subarray(0, bytesRead));
    }
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

/**
 * A hash of the program text that lays models out (there is no build, so it is what runs): a number to be counted up by
 * hand would be forgotten once.
 */
async function codeVersion(): Promise<string> {
  const own = dirname(dirname(fileURLToPath(import.meta.url)));
  const graph = dirname(fileURLToPath(import.meta.resolve('@lathe/graph')));
  const hash = createHash('sha256');
  for (const folder of [graph, own, join(own, 'weights'), join(own, 'cache')])
    for (const name of (await readdir(folder)).sort())
      if (/\.[jt]s$/.test(name) && !name.endsWith('.test.ts'))
        hash.update(`${name}\0`).update(await readFile(join(folder, name)));
  return hash.digest('hex');
}
