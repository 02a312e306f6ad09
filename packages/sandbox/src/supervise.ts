import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { withoutInherited } from './inherited-descriptors.ts';
import { OutputTail } from './output-tail.ts';
import { sampleTree } from './process-tree.ts';
import type { CommandResult, Limits } from './workspace.ts';

const FIRST_SAMPLE_MS = 20;
const SAMPLE_INTERVAL_MS = 50;
const DISK_INTERVAL_MS = 250;
/** Looking that takes long is done less often, down to these. */
const LOOK_SHARE = 20;
const SAMPLE_INTERVAL_MAX_MS = 250;
const DISK_INTERVAL_MAX_MS = 2_000;
/** Between asking the namespace's first process to go and killing bubblewrap itself. */
const STUBBORN_MS = 2_000;

export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Descriptor 3 carries bubblewrap's JSON status lines; 4 is a pipe whose end means that Lathe is gone. */
  readonly namespace: boolean;
}

export interface Supervision {
  readonly limits: Limits;
  readonly signal?: AbortSignal | undefined;
  /** Bytes the command has written to disk so far. */
  readonly diskUsage: () => Promise<number>;
  /** Ends a command that is still running, and everything it started. */
  readonly kill: (child: ChildProcess) => void;
  /** Ends what the command left behind. Not needed where a PID namespace ends with it. */
  readonly sweep?: () => void;
}

export interface Supervised {
  readonly result: CommandResult;
  /** Lines of descriptor 3. */
  readonly status: string;
}

/** Receives the command's standard streams. Then stdout is the caller's: it is counted, and `outputTail` holds stderr alone. */
export type Attach = (streams: { readonly stdin: Writable; readonly stdout: Readable }) => void;

/**
 * Starts a process and watches its whole tree until nothing of it is left: time, memory, processes and threads, output
 * and disk, and the caller's signal. The first limit that is exceeded names the ending.
 */
export function supervise(
  launch: Launch,
  { limits, signal, diskUsage, kill, sweep }: Supervision,
  attach?: Attach,
): Promise<Supervised> {
  const { promise, resolve, reject } = Promise.withResolvers<Supervised>();
  const startedAtMs = performance.now();
  const tail = new OutputTail();
  let ending: CommandResult['ending'] = 'exited';
  let peakMemoryBytes = 0;
  let status = '';
  let sampleTimer: NodeJS.Timeout | undefined;
  let diskTimer: NodeJS.Timeout | undefined;
  let stubbornTimer: NodeJS.Timeout | undefined;
  let closed = false;
  let exited = false;

  if (signal?.aborted) {
    resolve({
      status,
      result: { ending: 'cancelled', exitCode: null, durationMs: 0, outputTail: '', peakMemoryBytes: 0 },
    });
    return promise;
  }

  const own = launch.namespace ? (['pipe', 'pipe'] as const) : [];
  const streams = [attach === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...own] as const;
  const child: ChildProcess = withoutInherited(streams, (stdio) =>
    spawn(launch.file, launch.args, { cwd: launch.cwd, env: launch.env, detached: true, stdio }),
  );
  if (child.pid !== undefined) yieldToLathe(child.pid);

  const end = (reason: CommandResult['ending']): void => {
    if (closed || ending !== 'exited') return;
    ending = reason;
    // A process id that has been waited for may belong to somebody else by now.
    if (exited) sweep?.();
    else kill(child);
    stubbornTimer = setTimeout(() => child.kill('SIGKILL'), STUBBORN_MS);
  };
  let outputBytes = 0;
  const count = (chunk: Buffer): void => {
    outputBytes += chunk.length;
    if (outputBytes > limits.outputBytes) end('output');
  };
  const keep = (chunk: Buffer): void => {
    tail.push(chunk);
    count(chunk);
  };
  const sample = (): void => {
    const before = performance.now();
    const { memoryBytes, tasks } = sampleTree(child.pid!, limits.processes);
    peakMemoryBytes = Math.max(peakMemoryBytes, memoryBytes);
    if (memoryBytes > limits.memoryBytes) end('memory');
    else if (tasks > limits.processes) end('processes');
    const tookMs = performance.now() - before;
    sampleTimer = setTimeout(sample, clamp(tookMs * LOOK_SHARE, SAMPLE_INTERVAL_MS, SAMPLE_INTERVAL_MAX_MS));
  };
  const measureDisk = async (): Promise<void> => {
    const before = performance.now();
    if ((await diskUsage()) > limits.diskBytes) end('disk');
    const tookMs = performance.now() - before;
    if (!closed)
      diskTimer = setTimeout(measureDisk, clamp(tookMs * LOOK_SHARE, DISK_INTERVAL_MS, DISK_INTERVAL_MAX_MS));
  };
  const cancel = (): void => end('cancelled');

  const timeTimer = setTimeout(() => end('timed-out'), limits.timeMs);
  sampleTimer = setTimeout(sample, FIRST_SAMPLE_MS);
  diskTimer = setTimeout(measureDisk, DISK_INTERVAL_MS);
  signal?.addEventListener('abort', cancel, { once: true });

  child.stderr!.on('data', keep);
  if (attach === undefined) {
    child.stdout!.on('data', keep);
  } else {
    // A pipe behind the counter, so that counting does not set the stream flowing before the caller reads.
    const stdout = new PassThrough();
    child.stdout!.on('data', count).pipe(stdout);
    child.stdin!.on('error', () => {});
    attach({ stdin: child.stdin!, stdout });
  }
  (child.stdio[3] as Readable | undefined)?.setEncoding('utf8').on('data', (text: string) => {
    status += text;
  });

  const settle = (): void => {
    closed = true;
    for (const timer of [timeTimer, sampleTimer, diskTimer, stubbornTimer]) clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
  };
  child.once('error', (error) => {
    settle();
    reject(error);
  });
  child.once('exit', () => {
    exited = true;
    // Where somebody else has killed unshare, this ends what it was there for.
    child.stdio[4]?.destroy();
    sweep?.();
  });
  child.once('close', (code, signalName) => {
    const durationMs = performance.now() - startedAtMs;
    settle();
    void (async () => {
      if (ending === 'exited' && (await diskUsage()) > limits.diskBytes) ending = 'disk';
      const exitCode = ending === 'exited' ? (code ?? 128 + signalNumber(signalName)) : null;
      resolve({ status, result: { ending, exitCode, durationMs, outputTail: tail.text(), peakMemoryBytes } });
    })().catch(reject);
  });
  return promise;
}

/** Candidates give way to Lathe for the processor, and go first when the machine runs out of memory. */
function yieldToLathe(pid: number): void {
  try {
    setPriority(pid, Math.min(19, getPriority() + 10));
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // It has ended already, or this is no Linux: neither matters for what the command may do.
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function signalNumber(name: NodeJS.Signals | null): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = { SIGKILL: 9, SIGTERM: 15, SIGINT: 2, SIGHUP: 1 };
  return (name === null ? undefined : numbers[name]) ?? 9;
}
