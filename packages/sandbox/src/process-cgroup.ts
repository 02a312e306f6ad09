import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Supervision } from './supervise.ts';
import type { Limits } from './workspace.ts';

/** Processes a copy may have beyond the limit, so that passing it can be seen, and the command be ended and told why. */
export const SPARE_PROCESSES = 8;

/**
 * A control group that caps the number of processes of one copy (the kernel's `pids` controller, cgroups version 1 and 2).
 *
 * For root alone: the kernel exempts user 0 from RLIMIT_NPROC, and a fork bomb that is only counted from outside gets thousands of
 * processes ahead before the count gets the processor. Ordinary users have RLIMIT_NPROC and may not make groups.
 */
interface ProcessCgroup {
  /** Takes a process in, and with it everything it starts from then on. */
  add(pid: number): void;
}

/** Null where there is no such controller, or it may not be used (as in most containers). */
function makeProcessCgroup(copyDirectory: string, maxProcesses: number): ProcessCgroup | null {
  if (process.geteuid?.() !== 0) return null;
  for (const parent of parents()) {
    const group = join(parent, groupName(copyDirectory));
    try {
      mkdirSync(group, { recursive: true });
      if (!existsSync(join(group, 'pids.max'))) {
        rmdirSync(group);
        continue;
      }
      writeFileSync(join(group, 'pids.max'), String(maxProcesses));
    } catch {
      continue;
    }
    return { add: (pid) => writeFileSync(join(group, 'cgroup.procs'), String(pid)) };
  }
  return null;
}

/** For `supervise`: puts a command under the cap before it starts anything. */
export function confinement(copyDirectory: string, limits: Limits): Pick<Supervision, 'confine'> {
  const group = makeProcessCgroup(copyDirectory, limits.processes + SPARE_PROCESSES);
  return group === null ? {} : { confine: (pid) => group.add(pid) };
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
