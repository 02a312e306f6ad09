import type { ChildProcess } from 'node:child_process';
import { childPids } from './process-tree.ts';
import type { Launch } from './supervise.ts';

/**
 * Run by the first process of a PID namespace, as root of a user namespace, with a mount namespace of its own, in the copy's
 * directory. When this shell ends, for whatever reason, the kernel kills every process in the namespace and takes down
 * every mount (pid_namespaces(7), mount_namespaces(7)).
 *
 * Descriptor 4 is a pipe that Lathe alone holds and never writes to: that `read` comes back means that Lathe is gone, and
 * nothing may go on. Killing goes on as well, because what is killed may be about to start the next step. This rope
 * is tied before anything else and has no gap, unlike asking the kernel to be killed with the parent (as bubblewrap
 * does), which is too late where the parent ends first: seen once in some hundred kills.
 *
 * Arguments: the file for descriptor 5 (the seccomp filter), `apart` or `together`, then bwrap's own.
 */
const SET_UP = `
{ read -r _ <&4; while :; do kill -9 -1; done; } 3>&- &
exec 4<&-
[ "$2" = apart ] || exec 2>&1
exec 5<"$1" 6<&0 </dev/null
shift 2
mount --all --fstab fstab || exit 125
mkdir -m 1777 scratch/tmp scratch/shm scratch/home || exit 125
bwrap "$@" <&6 6<&- &
exec 3>&- 5<&- 6<&-
wait $!
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
  const seccomp = seccompFile === null ? [] : ['--seccomp', '5'];
  return {
    file: 'unshare',
    args: [
      ...['--user', '--map-root-user', '--mount', '--propagation', 'private', '--pid', '--fork', '--mount-proc', '--'],
      ...['sh', '-c', SET_UP, 'sh', seccompFile ?? '/dev/null', apart ? 'apart' : 'together'],
      ...[...seccomp, ...bwrapArguments],
    ],
    cwd: copyDirectory,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C' },
    namespace: true,
  };
}

/**
 * Kills the first process of the outer PID namespace, the only child of unshare(1): the kernel kills every other process in it before
 * that one counts as dead, so that unshare's own exit means that nothing is left. Before there is a namespace there is
 * only unshare.
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

/** Bubblewrap writes its command's exit status to descriptor 3: without it the command never ran. */
export function commandRan(status: string): boolean {
  return status.includes('"exit-code"');
}
