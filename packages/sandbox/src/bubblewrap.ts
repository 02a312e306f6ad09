import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { hardProcessLimit } from './process-cgroup.ts';
import type { Toolchains } from './toolchains.ts';
import type { Limits } from './workspace.ts';

/** HOME of every command: empty, in memory, gone afterwards. */
export const SANDBOX_HOME = '/home/candidate';

/** Taken from the host's /etc, read-only: what the dynamic linker, TLS and time need. No shadow, no keys, no host names. */
const ETC = [
  '/etc/alternatives',
  '/etc/ca-certificates',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/localtime',
  '/etc/mime.types',
  '/etc/pki/ca-trust',
  '/etc/pki/tls/certs',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
];

const SYSTEM_LINKS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

/**
 * Parts of /proc that act on the whole machine. Without capabilities the kernel still lets their owner write, and the
 * owner is user 0: when Lathe runs as root, so does every candidate as the kernel sees it.
 */
const PROC_OF_THE_MACHINE = ['acpi', 'bus', 'driver', 'fs', 'irq', 'mtrr', 'scsi', 'sys', 'sysrq-trigger'];

/** Says something about the whole machine or the user's other processes, and may be read by user 0 without a capability. */
const PROC_SECRETS = [
  ...['kallsyms', 'kcore', 'keys', 'key-users', 'kmsg', 'kpagecgroup', 'kpagecount', 'kpageflags', 'latency_stats'],
  ...['pagetypeinfo', 'sched_debug', 'slabinfo', 'timer_list', 'vmallocinfo'],
];

export interface SandboxView {
  /** Directory, outside, that appears as the copy's root. */
  readonly copy: string;
  /** Where it appears: the checkout's own path, so that absolute paths written into dependencies lead to the copy. */
  readonly checkoutDirectory: string;
  /** Directory, outside, with `tmp`, `shm` and `home` in it. */
  readonly scratch: string;
  /** Directory, outside, with `passwd`, `group`, `hosts` and `nsswitch.conf`. */
  readonly etc: string;
  /** More directories and files to show read-only at their own path. */
  readonly readOnly: readonly string[];
  /** Dependency directories bound read-only into the copy, where no overlay can be had: [outside, inside]. */
  readonly readOnlyInCopy: readonly (readonly [string, string])[];
  readonly toolchains: Toolchains;
  readonly environment: Readonly<Record<string, string>>;
  readonly network: 'none' | 'host';
}

/** Arguments for bwrap(1). Descriptor 3 gets the JSON status. */
export function bubblewrapArguments(view: SandboxView, limits: Limits, command: readonly string[]): string[] {
  const args = ['--unshare-user', '--uid', '1000', '--gid', '1000', '--cap-drop', 'ALL', '--disable-userns'];
  args.push('--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try', '--hostname', 'candidate');
  if (view.network === 'none') args.push('--unshare-net');
  args.push('--new-session', '--die-with-parent', '--json-status-fd', '3', '--clearenv');
  for (const [name, value] of Object.entries(view.environment)) args.push('--setenv', name, value);

  args.push('--ro-bind', '/usr', '/usr');
  for (const path of SYSTEM_LINKS) args.push(...systemDirectory(path));
  args.push('--ro-bind-try', '/nix', '/nix');
  args.push('--proc', '/proc');
  for (const name of PROC_OF_THE_MACHINE) args.push('--ro-bind-try', `/proc/${name}`, `/proc/${name}`);
  for (const name of PROC_SECRETS) {
    if (existsSync(`/proc/${name}`)) args.push('--ro-bind', '/dev/null', `/proc/${name}`);
  }
  args.push('--dev', '/dev', '--bind', `${view.scratch}/shm`, '/dev/shm', '--remount-ro', '/dev');
  for (const name of ['passwd', 'group', 'hosts', 'nsswitch.conf'])
    args.push('--ro-bind', `${view.etc}/${name}`, `/etc/${name}`);
  for (const path of ETC) args.push('--ro-bind-try', path, path);
  if (view.network === 'host') args.push('--ro-bind-try', '/etc/resolv.conf', '/etc/resolv.conf');

  args.push('--bind', `${view.scratch}/tmp`, '/tmp', '--bind', `${view.scratch}/tmp`, '/var/tmp');
  args.push('--bind', `${view.scratch}/home`, SANDBOX_HOME);
  for (const path of view.toolchains.readOnly) args.push('--ro-bind-try', path, path);
  for (const path of view.readOnly) args.push('--ro-bind', path, path);
  args.push('--bind', view.copy, view.checkoutDirectory);
  for (const [outside, inside] of view.readOnlyInCopy)
    args.push('--ro-bind', outside, `${view.checkoutDirectory}/${inside}`);
  args.push('--remount-ro', '/', '--chdir', view.checkoutDirectory, '--');
  return [...args, ...resourceLimits(limits), ...command];
}

/**
 * Limits the kernel keeps by itself, per process, as a second line behind the watching from outside. Inside, because
 * RLIMIT_NPROC counts the processes of a user in the user namespace it is set in (user_namespaces(7)); the kernel does not apply
 * it to user 0, for whom a control group does the same where one can be had. RLIMIT_DATA and not RLIMIT_AS: WebAssembly in Node
 * reserves address space by the terabyte.
 */
function resourceLimits(limits: Limits): string[] {
  const processes = hardProcessLimit(limits);
  const dataBytes = dataLimitBytes(limits);
  // One file may just pass the limit, so that it is the limit that ends the command and is named.
  const fileBytes = limits.diskBytes + 2 ** 20;
  return [
    'prlimit',
    `--nproc=${processes}:${processes}`,
    `--data=${dataBytes}:${dataBytes}`,
    `--fsize=${fileBytes}:${fileBytes}`,
    '--core=0:0',
    '--',
  ];
}

/**
 * A second line behind the resident size that is watched from outside, for what is allocated between two looks. Well above the
 * limit itself, because Node counts some 0.6 GiB of reserved address space as data before it has run a line, and a
 * part of that again for every worker thread.
 */
export function dataLimitBytes(limits: Limits): number {
  return 2 * limits.memoryBytes + 4 * 2 ** 30;
}

/** `/bin` is a link into /usr on most systems, a directory on others, and `/lib32` is often absent. */
function systemDirectory(path: string): string[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return stat.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}
