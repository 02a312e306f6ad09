import { createWriteStream } from 'node:fs';
import { stat, truncate } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { HubSource, ModelEntry } from './catalogue.ts';

/** A connection that sends nothing for this long is given up; what has arrived stays for the next try. */
const STALL_TIMEOUT_MS = 60_000;

export interface HubOptions {
  /** Another hub than the public one. */
  readonly hubUrl: string | undefined;
  readonly accessToken: string | undefined;
  readonly signal: AbortSignal;
  readonly onBytes: (receivedBytes: number) => void;
}

/** A connection that breaks is made anew as long as each one brought something. */
export async function downloadFromHub(
  source: HubSource,
  entry: ModelEntry,
  partialPath: string,
  options: HubOptions,
): Promise<void> {
  for (;;) {
    const before = await resumableBytes(partialPath, entry.sizeBytes);
    try {
      return await continueDownload(source, entry, partialPath, options);
    } catch (error) {
      const after = await resumableBytes(partialPath, entry.sizeBytes);
      if (options.signal.aborted || after <= before) throw error;
    }
  }
}

/** Downloads the file to `partialPath`, going on where an earlier download stopped. */
async function continueDownload(
  source: HubSource,
  entry: ModelEntry,
  partialPath: string,
  { hubUrl, accessToken, signal, onBytes }: HubOptions,
): Promise<void> {
  // Loaded here: commands that download nothing should not pay for it.
  const { downloadFile } = await import('@huggingface/hub');
  const stall = new AbortController();
  const stopping = AbortSignal.any([signal, stall.signal]);
  const blob = await downloadFile({
    repo: { type: 'model', name: source.repository },
    path: source.path,
    revision: source.revision,
    hubUrl,
    ...(accessToken === undefined ? {} : { accessToken }),
    fetch: (url, init) => fetch(url, { ...init, signal: stopping }),
  });
  if (blob === null) throw new Error(`${source.repository} has no file ${source.path} at ${source.revision}`);
  if (blob.size !== entry.sizeBytes) throw new Error(`expected ${entry.sizeBytes} bytes, the hub offers ${blob.size}`);

  let received = await resumableBytes(partialPath, entry.sizeBytes);
  onBytes(received);
  if (received === entry.sizeBytes) return;

  let timer: NodeJS.Timeout | undefined;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(
      () => stall.abort(new Error(`nothing arrived for ${STALL_TIMEOUT_MS / 1000} s`)),
      STALL_TIMEOUT_MS,
    );
  };
  const count = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      watch();
      received += chunk.length;
      onBytes(received);
      done(received > entry.sizeBytes ? new Error(`more than ${entry.sizeBytes} bytes arrived`) : null, chunk);
    },
  });
  watch();
  try {
    const body = Readable.fromWeb(blob.slice(received).stream() as ReadableStream);
    await pipeline(body, count, createWriteStream(partialPath, { flags: 'a' }), { signal: stopping });
  } finally {
    clearTimeout(timer);
  }
  if (received !== entry.sizeBytes)
    throw new Error(`the connection ended after ${received} of ${entry.sizeBytes} bytes`);
}

async function resumableBytes(partialPath: string, sizeBytes: number): Promise<number> {
  const size = await stat(partialPath).then(
    (file) => file.size,
    () => 0,
  );
  if (size <= sizeBytes) return size;
  await truncate(partialPath, 0);
  return 0;
}
