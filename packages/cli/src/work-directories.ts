import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createWorkDirectory, listWorkDirectories, removeWorkDirectory } from '@lathe/sandbox';
import { WORK_ROOT } from './places.ts';

/** Says which repository's run the directory belongs to; the directory is the user's, a run is a repository's. */
const NOTE = 'run.json';

export interface RunDirectory {
  readonly path: string;
  readonly runId: string;
  /** Lathe's folder of the repository whose run it is; null where that cannot be told. */
  readonly latheDir: string | null;
}

/** An empty work directory for a run; what a killed process left of the same run goes first. */
export async function freshRunDirectory(runId: string, latheDir: string): Promise<string> {
  const path = join(WORK_ROOT, runId);
  await removeWorkDirectory(path);
  await createWorkDirectory(path);
  await writeFile(join(path, NOTE), JSON.stringify({ latheDir }));
  return path;
}

export async function listRunDirectories(): Promise<RunDirectory[]> {
  const directories = await listWorkDirectories(WORK_ROOT);
  return Promise.all(
    directories.map(async ({ path }) => ({ path, runId: basename(path), latheDir: await repositoryOf(path) })),
  );
}

/** Empty directories that have no marker yet: their process was killed, or is about to write it. */
export async function listUnmarkedDirectories(): Promise<{ path: string; runId: string }[]> {
  const found: { path: string; runId: string }[] = [];
  for (const runId of await readdir(WORK_ROOT).catch(() => [])) {
    const path = join(WORK_ROOT, runId);
    const inside = await readdir(path).catch(() => null);
    if (inside?.length === 0) found.push({ path, runId });
  }
  return found;
}

async function repositoryOf(path: string): Promise<string | null> {
  try {
    const { latheDir } = JSON.parse(await readFile(join(path, NOTE), 'utf8'));
    return typeof latheDir === 'string' ? latheDir : null;
  } catch {
    return null;
  }
}
