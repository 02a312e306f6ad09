import { readdirSync, readFileSync } from 'node:fs';

export interface TreeSample {
  /** Anonymous and shared memory resident in the processes. Memory shared by several is counted for each. */
  readonly memoryBytes: number;
  /** Processes and threads. */
  readonly tasks: number;
}

/**
 * Samples a process and all its descendants through /proc (proc(5)). In a PID namespace whose first process is a
 * descendant of `rootPid` nothing can leave this tree: orphans become children of that first process.
 *
 * The walk stops once it has counted more than `maxTasks`, so that a fork bomb cannot make looking expensive.
 */
export function sampleTree(rootPid: number, maxTasks: number): TreeSample {
  let memoryBytes = 0;
  let tasks = 0;
  const pending = [rootPid];
  while (pending.length > 0 && tasks <= maxTasks) {
    const pid = pending.pop()!;
    const status = readOrEmpty(`/proc/${pid}/status`);
    if (status === '') continue;
    memoryBytes += kibibytes(status, 'RssAnon') + kibibytes(status, 'RssShmem');
    const threads = threadIds(pid);
    tasks += Math.max(1, threads.length);
    for (const thread of threads) pending.push(...childPids(pid, thread));
  }
  return { memoryBytes, tasks };
}

/** Children of a single-threaded process, for instance the namespace's first process under bubblewrap's monitor. */
export function childPids(pid: number, thread: number = pid): number[] {
  return readOrEmpty(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number);
}

function threadIds(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

function kibibytes(status: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status);
  return match === null ? 0 : Number(match[1]) * 1024;
}

/** A process may end between being listed and being read: then it holds nothing any more. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
