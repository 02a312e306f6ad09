import type { Launch } from './supervise.ts';

/**
 * Run as the user that is root in a new user namespace, with a mount namespace of its own, in the copy's directory:
 *
 * 1. `setpriv` has asked the kernel to kill this process when its parent ends. If the parent ended before that, `$PPID`
 *    is no longer Lathe: then nothing is started.
 * 2. Mount what the table says; /dev/null keeps mount from reading or writing the system's own tables.
 * 3. Become bubblewrap, which asks for the same again (`--die-with-parent`). No process in this chain is ever without
 *    its rope, so kill -9 of Lathe leaves nothing behind; mounts go with the last process of the namespace.
 */
const SET_UP = `
[ "$PPID" = "$1" ] || exit 125
shift
exec 2>&1
mount --all --fstab fstab && mkdir -p scratch/tmp scratch/shm scratch/home && chmod 1777 scratch/tmp scratch/shm || exit 125
exec bwrap "$@"
`;

/** The same, but stderr stays apart, for callers that speak a protocol over stdout. */
const SET_UP_APART = SET_UP.replace('exec 2>&1\n', '');

export function sandboxLaunch(copy: string, bwrapArguments: readonly string[], apart = false): Launch {
  return {
    file: 'unshare',
    args: [
      ...['--user', '--map-root-user', '--mount', '--propagation', 'private', '--'],
      ...['setpriv', '--pdeathsig', 'KILL', '--'],
      ...['sh', '-c', apart ? SET_UP_APART : SET_UP, 'sh', String(process.pid), ...bwrapArguments],
    ],
    cwd: copy,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C' },
    statusPipe: true,
  };
}

/** Bubblewrap writes its child's exit status to descriptor 3: without it the command never ran. */
export function commandRan(status: string): boolean {
  return status.includes('"exit-code"');
}
