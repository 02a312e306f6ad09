import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Workspace } from '@lathe/protocol';
import { createWorkspaceSource, removeWorkDirectory } from '@lathe/sandbox';
import { freshRunDirectory } from './work-directories.ts';

/**
 * An isolated, empty copy in which probes run what they attack. Throws `LATHE_NO_ISOLATION` where nothing can be isolated:
 * probes are never run without.
 */
export async function withProbeCopy<T>(root: string, work: (workspace: Workspace) => Promise<T>): Promise<T> {
  const workDirectory = await freshRunDirectory(`scan-${process.pid}`, root);
  try {
    const baseDirectory = join(workDirectory, 'base');
    await mkdir(baseDirectory);
    const source = await createWorkspaceSource({
      baseDirectory,
      checkoutDirectory: root,
      workDirectory,
      ignoredFiles: async () => [],
    });
    const workspace = await source.open('probe');
    try {
      return await work(workspace);
    } finally {
      await workspace.close();
      await source.close();
    }
  } finally {
    await removeWorkDirectory(workDirectory);
  }
}
