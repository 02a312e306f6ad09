import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launch } from './supervise.ts';
import type { Limits } from './workspace.ts';

/**
 * What the kernel is told. Well above the limit itself, which is watched from outside and names the ending: a shell at the kernel's
 * limit merely says that it cannot fork.
 */
export function hardProcessLimit(limits: Limits): number {
  return 2 * limits.processes;
}

/**
 * Puts a command into a control group that caps the number of processes of its copy (the kernel's `pids` controller,
 * cgroups version 1 and 2). Returns the launch as it was where there is no such controller or it may not be used, as in
 * most containers.
 *
 * For root alone: the kernel exempts user 0 from RLIMIT_NPROC, and a fork bomb that is only counted from outside gets
 * thousands of processes ahead before the count gets the processor. Ordinary users have RLIMIT_NPROC and may not make
 * groups. The process joins by itself before it becomes the command: joining takes some 10 ms, in which one that is
 * put there by another process has long started others.
 */
export function withProcessCgroup(launch: Launch, copyDirectory: string, limits: Limits): Launch {
  const group = makeGroup(copyDirectory, hardProcessLimit(limits));
  if (group === null) return launch;
  const joinAndBecome = 'echo $$ > "$0" || exit 125; exec "$@"';
  return {
    ...launch,
    file: 'sh',
    args: ['-c', joinAndBecome, join(group, 'cgroup.procs'), launch.file, ...launch.args],
  };
}

function makeGroup(copyDirectory: string, maxProcesses: number): string | null {
  if (process.geteuid?.() !== 0) return null;
  for (const parent of parents()) {
    const group = join(parent, groupName(copyDirectory));
    try {
      mkdirSync(group, { recursive: true });
      if (existsSync(join(group, 'pids.max'))) {
        writeFileSync(join(group, 'pids.max'), String(maxProcesses));
        return group;
      }
      rmdirSync(group);
    } catch {
      // Read-only, or not a control group file system at all: try the next place.
    }
  }
  return null;
}

/** Removes the group of a copy in which nothing runs any more. */
export function removeProcessCgroup(copyDirectory: string): void {
  if (process.geteuid?.() !== 0) return;
  for (const parent of parents()) {
    try {
      rmdirSync(join(parent, groupName(copyDirectory)));
    } catch {
      // There was none.
    }
  }
}

function groupName(copyDirectory: string): string {
  return `lathe-${createHash('sha256').update(copyDirectory).digest('hex').slice(0, 16)}`;
}

/** Version 1 has a tree for each controller, in which Lathe is somewhere; in version 2 a group with processes has no child groups. */
function parents(): string[] {
  const own = /^\d+:pids:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  return [...(own === undefined ? [] : [join('/sys/fs/cgroup/pids', own)]), '/sys/fs/cgroup'];
}
