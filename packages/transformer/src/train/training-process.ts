import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Corpus } from './corpus.ts';
import type { RunEvent } from './loop.ts';
import type { LoraRunOptions } from './lora/run-lora.ts';
import { LESS_MEMORY } from './memory.ts';
import type { FinishedRun, RunOptions } from './run.ts';
import { TrainError } from './train-error.ts';

/** A training run as data. */
export type TrainingJob =
  | { readonly kind: 'scratch'; readonly corpus: Corpus; readonly options: Omit<RunOptions, 'signal' | 'onEvent'> }
  | { readonly kind: 'lora'; readonly corpus: Corpus; readonly options: Omit<LoraRunOptions, 'signal' | 'onEvent'> };

export type ToTraining = { readonly type: 'start'; readonly job: TrainingJob } | { readonly type: 'stop' };

export type FromTraining =
  | { readonly type: 'event'; readonly event: RunEvent }
  | { readonly type: 'finished'; readonly run: FinishedRun }
  | { readonly type: 'failed'; readonly error: TransferredError };

/** An error as it crosses to another process, where classes and own fields are lost. */
export interface TransferredError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** `code` and `remedy` of an error of Lathe's; `code`, `syscall` and `path` of the operating system's. */
  readonly fields: Readonly<Record<string, string | null>>;
}

/**
 * Runs the job in a process of its own: this one stays free to draw and to be interrupted, and where the system ends a
 * process that takes too much memory it is that one, which is then said (`LATHE_TRAIN_MEMORY`). An abort lets the run save
 * and finish; if this process dies, the run saves and ends.
 */
export async function trainInProcess(
  job: TrainingJob,
  { signal, onEvent }: { readonly signal?: AbortSignal; readonly onEvent?: (event: RunEvent) => void } = {},
): Promise<FinishedRun> {
  const { execArgv, env } = trainingRuntime();
  const child = fork(fileURLToPath(new URL('./training-process-main.ts', import.meta.url)), [], {
    serialization: 'advanced',
    // Its standard output would mix with this process's document.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv,
    env,
  });
  const send = (message: ToTraining) => {
    if (child.connected) child.send(message);
  };
  const stop = () => send({ type: 'stop' });
  signal?.addEventListener('abort', stop);
  let said = '';
  let heard = false;
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MOST_SAID);
  });
  try {
    return await new Promise<FinishedRun>((resolve, reject) => {
      // A process that was ended before it could listen says so by its end.
      child.on('error', (error: NodeJS.ErrnoException) => error.code !== 'EPIPE' && reject(error));
      child.on('message', (message: FromTraining) => {
        heard = true;
        if (message.type === 'event') onEvent?.(message.event);
        else if (message.type === 'finished') resolve(message.run);
        else reject(received(message.error));
      });
      child.on('close', (status, by) => reject(signal?.aborted && !heard ? stopped() : ended(status, by, said)));
      send({ type: 'start', job });
      if (signal?.aborted) stop();
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    if (child.connected) child.disconnect();
  }
}

/**
 * How a process that trains is started. On Linux it takes memory in large pages where the system leaves that to programs:
 * 5 % faster. V8 does not look for garbage whenever 64 MB of arrays have come, which at every step of a model of ten
 * million parameters they have, and their garbage is none: some 20 ms a step. The flag is Node 24's.
 */
export function trainingRuntime(): { readonly execArgv: string[]; readonly env: NodeJS.ProcessEnv } {
  const tunables = [process.env.GLIBC_TUNABLES, 'glibc.malloc.hugetlb=1'].filter(Boolean).join(':');
  const known = Number.parseInt(process.versions.node, 10) >= 24;
  return {
    execArgv: known ? ['--external-memory-accounted-in-global-limit'] : [],
    env: { ...process.env, GLIBC_TUNABLES: tunables },
  };
}

/** What is kept of what the process wrote to its standard error. */
const MOST_SAID = 4096;

function received({ name, message, stack, fields }: TransferredError): Error {
  return Object.assign(new Error(message), { name, stack, ...fields });
}

/** Ctrl-C reaches every process of a terminal, this one too while it starts and does not yet know what to do with it. */
function stopped(): Error {
  return new TrainError('LATHE_CANCELLED_TRAINING', 'stopped before the first step', {
    remedy: 'The same command starts it, or goes on from the last save.',
  });
}

function ended(status: number | null, by: NodeJS.Signals | null, said: string): Error {
  const memory = by === 'SIGKILL' || /heap out of memory|bad_alloc|Allocation failed/.test(said);
  if (memory)
    return new TrainError(
      'LATHE_TRAIN_MEMORY',
      by === 'SIGKILL'
        ? 'training was killed, as the system does when memory runs out'
        : 'memory ran out while training',
      { remedy: `The last save is kept: the same command goes on from there. ${LESS_MEMORY}` },
    );
  return new Error(`the training process ended with ${by ?? status}: ${said.trim() || 'it said nothing'}`);
}
