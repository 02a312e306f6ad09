/**
 * Gets one model into the cache: sources in order, resumed where possible, checked by SHA-256, put in place by one rename.
 * Several processes may pull at once: a lock on the model's folder lets one download, the others wait for its file.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LatheError } from '@lathe/protocol';
import { cachedPath, isCached } from './cache.ts';
import type { ModelEntry, RemoteSource } from './catalogue.ts';
import { downloadFromHub } from './hub-source.ts';
import { takeFromWheel } from './wheel-source.ts';

export interface PullProgress {
  /** `waiting`: another process pulls the same model. */
  readonly phase: 'waiting' | 'downloading' | 'extracting' | 'verifying';
  /** Where from, in words. */
  readonly source: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

export interface PullContext {
  /** Folder of all models. */
  readonly folder: string;
  /**
   * `HF_ENDPOINT` and `HF_TOKEN` are the hub's; `LATHE_MODEL_FILES` is a folder that may hold the file already. pip gets all.
   */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: PullProgress) => void;
}

/** A source that is tried: one of the entry's, or the user's own folder of files. */
type Source = RemoteSource | { readonly kind: 'folder'; readonly path: string | undefined };

const LOCK_STALE_MS = 30_000;
const LOCK_POLL_MS = 500;

/** Path of the model in the cache. Throws `LatheError`, or the signal's reason. */
export async function pull(entry: ModelEntry, context: PullContext): Promise<string> {
  const path = cachedPath(context.folder, entry);
  if (await isCached(context.folder, entry)) return path;
  await mkdir(dirname(path), { recursive: true });
  const release = await lockOrWait(entry, context);
  if (release === null) return path;
  try {
    if (!(await isCached(context.folder, entry))) await trySources(entry, path, context);
    return path;
  } finally {
    await release();
  }
}

/** Releases the lock; null where another process has put the file there meanwhile. */
async function lockOrWait(entry: ModelEntry, context: PullContext): Promise<(() => Promise<void>) | null> {
  const { lock } = (await import('proper-lockfile')).default;
  const folder = dirname(cachedPath(context.folder, entry));
  for (;;) {
    context.signal.throwIfAborted();
    try {
      const release = await lock(folder, {
        lockfilePath: join(folder, '.lock'),
        stale: LOCK_STALE_MS,
        // Lost only where this process stood still for long; the rename at the end is harmless even then.
        onCompromised: () => {},
      });
      return () => release().catch(() => {});
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
    }
    context.onProgress({
      phase: 'waiting',
      source: 'another process is downloading it',
      receivedBytes: 0,
      totalBytes: entry.sizeBytes,
    });
    await sleep(LOCK_POLL_MS, undefined, { signal: context.signal }).catch(() => {});
    if (await isCached(context.folder, entry)) return null;
  }
}

async function trySources(entry: ModelEntry, path: string, context: PullContext): Promise<void> {
  const sources: Source[] = [...entry.sources, { kind: 'folder', path: context.env.LATHE_MODEL_FILES }];
  const failures: string[] = [];
  for (const source of sources) {
    try {
      await pullFrom(source, entry, path, context);
      return;
    } catch (error) {
      context.signal.throwIfAborted();
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw await diskFull(entry, context.folder);
      if (error instanceof LatheError) throw error;
      failures.push(`${inWords(source)}: ${reason(error)}`);
    }
  }
  throw new LatheError(
    'LATHE_MODEL_UNREACHABLE',
    `${entry.name} could not be fetched:\n${failures.map((failure) => `  - ${failure}`).join('\n')}`,
    {
      remedy:
        `Put ${entry.fileName} into a folder and set LATHE_MODEL_FILES to it, ` +
        'or name any GGUF file of your own: --model local:/path/to/model.gguf',
    },
  );
}

async function pullFrom(source: Source, entry: ModelEntry, path: string, context: PullContext): Promise<void> {
  const { env, signal } = context;
  const report = (phase: PullProgress['phase'], receivedBytes: number, totalBytes = entry.sizeBytes) =>
    context.onProgress({ phase, source: inWords(source), receivedBytes, totalBytes });
  // One for each kind of source: only a hub's can be continued.
  const partialPath = `${path}.${source.kind}-partial`;

  switch (source.kind) {
    case 'hub':
      await refuseIfDiskFull(entry, context.folder, entry.sizeBytes);
      await downloadFromHub(source, entry, partialPath, {
        hubUrl: env.HF_ENDPOINT || undefined,
        accessToken: env.HF_TOKEN || undefined,
        signal,
        onBytes: (bytes) => report('downloading', bytes),
      });
      break;
    case 'wheel':
      await refuseIfDiskFull(entry, context.folder, entry.sizeBytes + source.wheelBytes);
      await takeFromWheel(source, entry, partialPath, {
        env,
        signal,
        onBytes: (bytes) => report('downloading', Math.min(bytes, source.wheelBytes), source.wheelBytes),
        onExtracting: () => report('extracting', 0),
      });
      break;
    case 'folder':
      if (source.path === undefined) throw new Error('LATHE_MODEL_FILES is not set');
      await copyFile(join(source.path, entry.fileName), partialPath);
      break;
  }
  report('verifying', 0);
  await putInPlace(partialPath, path, entry, signal);
}

async function putInPlace(partialPath: string, path: string, entry: ModelEntry, signal: AbortSignal): Promise<void> {
  const got = await sha256Of(partialPath, signal);
  if (got !== entry.sha256) {
    await rm(partialPath, { force: true });
    throw new Error(`wrong content: expected SHA-256 ${entry.sha256}, got ${got}; it was removed`);
  }
  const file = await open(partialPath, 'r+');
  await file.sync().finally(() => file.close());
  await rename(partialPath, path);
}

export async function sha256Of(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { ...(signal && { signal }) });
  return hash.digest('hex');
}

async function refuseIfDiskFull(entry: ModelEntry, folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  // A partial download already counts as used; a little less than needed is left to the write itself.
  if (bavail * bsize < neededBytes - entry.sizeBytes * 0.9) throw await diskFull(entry, folder);
}

async function diskFull(entry: ModelEntry, folder: string): Promise<LatheError> {
  const { bavail, bsize } = await statfs(folder);
  const mib = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  return new LatheError(
    'LATHE_DISK_FULL',
    `${entry.name} needs ${mib(entry.sizeBytes)} below ${folder}, ${mib(bavail * bsize)} are free`,
    { remedy: 'Free some space, or set XDG_CACHE_HOME to a folder on another disk. What has arrived is kept.' },
  );
}

export function inWords(source: Source): string {
  switch (source.kind) {
    case 'hub':
      return `hub repository ${source.repository}`;
    case 'wheel':
      return `Python package ${source.package} ${source.version}`;
    case 'folder':
      return `local file${source.path === undefined ? '' : ` in ${source.path}`}`;
  }
}

/** `fetch failed` says nothing; its cause does. */
function reason(error: unknown): string {
  const parts: string[] = [];
  for (let each = error; each instanceof Error && parts.length < 3; each = each.cause) {
    const code = (each as NodeJS.ErrnoException).code;
    parts.push(each.message || code || each.name);
  }
  return parts.join(': ') || String(error);
}
