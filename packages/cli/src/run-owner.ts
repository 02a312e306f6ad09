import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Work on a run as its only owner. The owner is noted in one file a run, `<latheDir>/owners/<runId>`, with the process's id and its start time.
 * A process that was killed leaves the file; since an id can be given again and a start time cannot, the dead are told
 * from the living at once, without waiting for a lock to grow old.
 *
 * Throws `LATHE_RUN_BUSY` where another living process works on the run.
 */
export async function owningRun<T>(runId: string, latheDir: string, work: () => Promise<T>): Promise<T> {
  await takeRun(runId, latheDir);
  try {
    return await work();
  } finally {
    await rm(ownerFile(runId, latheDir), { force: true });
  }
}

async function takeRun(runId: string, latheDir: string): Promise<void> {
  const file = ownerFile(runId, latheDir);
  await mkdir(join(latheDir, 'owners'), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, started: await startOf(process.pid) });
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(file, mine, { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error;
    }
    const owner = await livingOwner(runId, latheDir);
    if (owner !== null) {
      // Loaded when it is needed: `lathe list` asks for owners too, and has to answer at once.
      const { LatheError } = await import('@lathe/protocol');
      throw new LatheError('LATHE_RUN_BUSY', `process ${owner} is at work on run ${runId}`, {
        remedy: `wait for it, or stop it: kill -INT ${owner}`,
      });
    }
    await rm(file, { force: true });
  }
}

/** Process id of who works on the run now, or null. */
export async function livingOwner(runId: string, latheDir: string): Promise<number | null> {
  const text = await readFile(ownerFile(runId, latheDir), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const { pid, started } = JSON.parse(text);
    return started !== null && (await startOf(pid)) === started ? pid : null;
  } catch {
    // Cut off in the middle of being written: whoever wrote it is gone.
    return null;
  }
}

function ownerFile(runId: string, latheDir: string): string {
  return join(latheDir, 'owners', runId);
}

/** When a process started, in the kernel's own count (proc(5), field 22 of stat); null where there is none. */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A process that is dead and not yet collected is gone for our purposes.
  return fields === undefined || fields[0] === 'Z' ? null : (fields[19] ?? null);
}
