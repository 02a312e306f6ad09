import { Tinypool } from 'tinypool';
import type { GateConfig } from '../config.ts';
import type { SourceFile } from '../finding.ts';
import type { ScannerName } from './scanner.ts';
import type { ScanAnswer, ScanTask } from './worker.ts';

/**
 * Warm scanner processes. Processes and not threads: what is scanned is hostile, a native parser that crashes takes its
 * process with it, and grammars can be registered only once a process. They carry no secrets of this environment.
 */
export interface ScannerPool {
  /** Rejects with a `TimeoutError` past the time, an `AbortError` on the signal, and anything else on a crash. */
  run(task: ScanTask, options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<ScanAnswer>;
  close(): Promise<void>;
}

export function createScannerPool(
  workers: number,
  filename = new URL('./worker.ts', import.meta.url).href,
): ScannerPool {
  const pool = new Tinypool({
    filename,
    runtime: 'child_process',
    minThreads: 0,
    maxThreads: workers,
    concurrentTasksPerWorker: 1,
    isolateWorkers: false,
    idleTimeout: 60_000,
    // A process is killed in the end; on a loaded machine it takes its time to be gone, and that must not end the scan.
    terminateTimeout: 30_000,
    execArgv: ['--max-old-space-size=1024', '--disable-warning=ExperimentalWarning'],
    env: {
      PATH: process.env.PATH ?? '',
      LANG: 'C.UTF-8',
      ...(process.env.LATHE_PLUGINS && { LATHE_PLUGINS: process.env.LATHE_PLUGINS }),
    },
  });
  let free = workers;
  const waiting: (() => void)[] = [];
  const acquire = async (): Promise<void> => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const release = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  return {
    async run(task, { timeoutMs, signal }) {
      await acquire();
      // The clock starts when a process is free, not while the task waits for one.
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        signal?.throwIfAborted();
        return (await pool.run(task, { signal: signal ? AbortSignal.any([timeout, signal]) : timeout })) as ScanAnswer;
      } catch (error) {
        if (timeout.aborted) throw new DOMException(`exceeded ${timeoutMs} ms`, 'TimeoutError');
        if (signal?.aborted) throw new DOMException('cancelled', 'AbortError');
        throw error;
      } finally {
        release();
      }
    },
    close: () => pool.destroy(),
  };
}

/** Files in batches small enough that one bad file costs little. */
export function batchesOf(files: readonly SourceFile[]): SourceFile[][] {
  const batches: SourceFile[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const file of files) {
    if (size + file.text.length > 300_000 || batches.at(-1)!.length >= 40) {
      batches.push([]);
      size = 0;
    }
    batches.at(-1)!.push(file);
    size += file.text.length;
  }
  return batches;
}

export interface BatchResult {
  readonly answers: readonly Extract<ScanAnswer, { reports: unknown }>[];
  readonly whyNot: string | null;
  /** Files the scanner could not finish, with the reason. */
  readonly failed: readonly { path: string; why: string }[];
}

/** Runs a scanner over a batch; where that crashes or takes too long, halves it until the file to blame is found. */
export async function scanBatch(
  pool: ScannerPool,
  scanner: ScannerName,
  files: readonly SourceFile[],
  config: GateConfig,
  signal?: AbortSignal,
): Promise<BatchResult> {
  try {
    const answer = await pool.run({ scanner, files, config }, { timeoutMs: config.scanTimeoutMs, signal });
    return 'whyNot' in answer
      ? { answers: [], whyNot: answer.whyNot, failed: [] }
      : { answers: [answer], whyNot: null, failed: answer.failed };
  } catch (error) {
    if (signal?.aborted) throw error;
    if (files.length === 1) {
      const why =
        error instanceof DOMException
          ? error.message
          : `crashed: ${error instanceof Error ? error.message : String(error)}`;
      return { answers: [], whyNot: null, failed: [{ path: files[0]!.path, why }] };
    }
    const half = Math.ceil(files.length / 2);
    const parts = [
      await scanBatch(pool, scanner, files.slice(0, half), config, signal),
      await scanBatch(pool, scanner, files.slice(half), config, signal),
    ];
    return {
      answers: parts.flatMap((part) => part.answers),
      whyNot: parts.find((part) => part.whyNot)?.whyNot ?? null,
      failed: parts.flatMap((part) => part.failed),
    };
  }
}
