import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { dataLimitBytes } from './bubblewrap.ts';
import { SCRATCH } from './overlay.ts';
import { withProcessCgroup } from './process-cgroup.ts';
import { childPids } from './process-tree.ts';
import type { Runner } from './runner.ts';
import type { Launch } from './supervise.ts';
import type { Limits } from './workspace.ts';

/** Set in every process of a copy and inherited by what it starts: the only way to find daemons again without a namespace. */
const MARK = 'LATHE_COPY';

/**
 * A command as an ordinary process of the user: **no isolation**. It can read and write all the user can, and use the network.
 * Time, output, disk and (on Linux) memory and the number of processes are still limited.
 */
function plainLaunch(
  directory: string,
  root: string,
  environment: Readonly<Record<string, string>>,
  limits: Limits,
  command: string,
  apart = false,
): Launch {
  const shell = ['sh', '-c', apart ? command : `exec 2>&1\n${command}`];
  const limited =
    process.platform === 'linux'
      ? [
          'prlimit',
          `--data=${dataLimitBytes(limits)}`,
          `--fsize=${limits.diskBytes + 2 ** 20}`,
          '--core=0',
          '--',
          ...shell,
        ]
      : shell;
  return {
    file: limited[0]!,
    args: limited.slice(1),
    cwd: root,
    env: { ...environment, [MARK]: directory },
    namespace: false,
  };
}

/** Kills the command's process group, its tree, and on Linux everything else that carries the copy's mark. */
function killPlain(child: ChildProcess, directory: string): void {
  const doomed = new Set([child.pid!]);
  for (const pid of doomed) for (const descendant of childPids(pid)) doomed.add(descendant);
  for (const target of [-child.pid!, ...doomed]) kill(target);
  sweepPlain(directory);
}

/** Kills the daemons a command has left behind: on Linux, what carries the copy's mark and has not cleared it. */
function sweepPlain(directory: string): void {
  for (const pid of marked(directory)) kill(pid);
}

function kill(target: number): void {
  try {
    process.kill(target, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

function marked(directory: string): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${MARK}=${directory}`);
      } catch {
        return false;
      }
    });
}

/** Commands run as they are: see `plainLaunch` for what that means. */
export function plainRunner(environment: Readonly<Record<string, string>>): Runner {
  return {
    isolation: 'no isolation (ordinary processes of the user, network open)',
    async prepare(copy, command, limits, apart) {
      const [home, temporary] = ['home', 'tmp'].map((name) => join(copy.directory, SCRATCH, name));
      for (const directory of [home!, temporary!]) await mkdir(directory, { recursive: true });
      const own = { ...environment, HOME: home!, TMPDIR: temporary! };
      const launch = plainLaunch(copy.directory, copy.root, own, limits, command, apart);
      return {
        launch: withProcessCgroup(launch, copy.directory, limits),
        ran: () => true,
        kill: (child) => killPlain(child, copy.directory),
        sweep: () => sweepPlain(copy.directory),
      };
    },
  };
}
