import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { SandboxError } from './problem.ts';
import { childPids } from './process-tree.ts';
import type { Launch } from './supervise.ts';

/** A process in an uninterruptible state (a dead network file system) can take this long and longer. */
const NAMESPACE_END_MS = 30_000;

/**
 * Run as the user that is root in a new user namespace, with a mount namespace of its own, in the copy's directory:
 *
 * 1. `setpriv` has asked the kernel to kill this process when its parent ends. If the parent ended before that, `$PPID`
 *    is no longer Lathe: then nothing is started.
 * 2. Mount what the table says.
 * 3. Become bubblewrap, which asks for the same again (`--die-with-parent`). No process in this chain is ever without
 *    its rope, so kill -9 of Lathe leaves nothing behind; mounts go with the last process of the namespace.
 *
 * Arguments: Lathe's process id, the file for descriptor 4 (the seccomp filter), `apart` or `together`, then bwrap's own.
 */
const SET_UP = `
[ "$PPID" = "$1" ] || exit 125
[ "$3" = apart ] || exec 2>&1
exec 4<"$2"
shift 3
mount --all --fstab fstab || exit 125
mkdir -m 1777 scratch/tmp scratch/shm scratch/home || exit 125
exec bwrap "$@"
`;

export interface SandboxLaunchOptions {
  /** stderr stays apart from stdout, for callers that speak a protocol over stdout. */
  readonly apart: boolean;
  readonly seccompFile: string | null;
}

export function sandboxLaunch(
  copyDirectory: string,
  bwrapArguments: readonly string[],
  { apart, seccompFile }: SandboxLaunchOptions,
): Launch {
  const seccomp = seccompFile === null ? [] : ['--seccomp', '4'];
  const set = [String(process.pid), seccompFile ?? '/dev/null', apart ? 'apart' : 'together'];
  return {
    file: 'unshare',
    args: [
      ...['--user', '--map-root-user', '--mount', '--propagation', 'private', '--'],
      ...['setpriv', '--pdeathsig', 'KILL', '--', 'sh', '-c', SET_UP, 'sh', ...set, ...seccomp, ...bwrapArguments],
    ],
    cwd: copyDirectory,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C' },
    statusPipe: true,
  };
}

/**
 * Kills the first process of the PID namespace, the only child of bubblewrap's monitor: the kernel then kills every
 * process in the namespace before that one counts as dead. Before the
 * namespace exists there is only the set-up process itself.
 */
export function killNamespace(child: ChildProcess): void {
  const first = childPids(child.pid!);
  if (first.length === 0) child.kill('SIGKILL');
  for (const pid of first) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      child.kill('SIGKILL');
    }
  }
}

/**
 * Resolves when the namespace is empty. Bubblewrap's monitor ends as soon as it knows the command's exit status, which may be before the
 * kernel has killed what the command left behind; the namespace's first process is a zombie or gone only after that
 * (pid_namespaces(7)). Its id is in the status lines.
 */
export async function namespaceEnded(status: string): Promise<void> {
  const first = /"child-pid":\s*(\d+)/.exec(status)?.[1];
  if (first === undefined) return;
  const deadlineMs = performance.now() + NAMESPACE_END_MS;
  while (isAlive(first)) {
    if (performance.now() > deadlineMs) {
      throw new SandboxError(
        'LATHE_SANDBOX_SETUP',
        `the kernel has not ended process ${first} within ${NAMESPACE_END_MS / 1000} s`,
      );
    }
    await setTimeout(1);
  }
}

function isAlive(pid: string): boolean {
  try {
    // "1234 (name) S …": the name may hold anything, so the state is what follows the last parenthesis.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^ [ZX] /.test(stat.slice(stat.lastIndexOf(')') + 1));
  } catch {
    return false;
  }
}

/** Bubblewrap writes its child's exit status to descriptor 3: without it the command never ran. */
export function commandRan(status: string): boolean {
  return status.includes('"exit-code"');
}
