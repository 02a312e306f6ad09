import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const END_MS = 5_000;

/**
 * Ends the sandboxes that a killed Lathe left in a work directory.
 *
 * There is one moment in which bubblewrap can outlive its parent: its first process waits for the monitor to map the
 * users of the namespace, and only afterwards asks to be killed with it. Where kill -9 takes the monitor in between, that process
 * waits for ever, before it has run anything. It is known by its name and by the directory in its arguments.
 */
export async function endOrphans(workDirectory: string): Promise<void> {
  const deadlineMs = performance.now() + END_MS;
  for (let orphans = sandboxesIn(workDirectory); orphans.length > 0; orphans = sandboxesIn(workDirectory)) {
    for (const pid of orphans) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile, or is another user's, whose directory this cannot be.
      }
    }
    if (performance.now() > deadlineMs) return;
    await setTimeout(5);
  }
}

/** Processes named bwrap with a path below the directory among their arguments. */
function sandboxesIn(workDirectory: string): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      if (readOrEmpty(`/proc/${pid}/comm`) !== 'bwrap\n') return false;
      const args = readOrEmpty(`/proc/${pid}/cmdline`).split('\0');
      return args.some((arg) => arg.startsWith(`${workDirectory}/`));
    });
}

/** A process may end between being listed and being read. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
