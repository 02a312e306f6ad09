import { join } from 'node:path';
import type { RunNews, RunParts } from '@lathe/best-of-n';
import { createGate } from '@lathe/gates';
import type { HouseGate } from '@lathe/house';
import type { Maker, RunOptions, RunStore } from '@lathe/protocol';
import { ignoredFiles, type Repository } from '@lathe/repository';
import { createWorkspaceSource, DEFAULT_LIMITS, removeWorkDirectory } from '@lathe/sandbox';
import { FINDINGS_CACHE } from '../places.ts';
import { freshRunDirectory } from '../work-directories.ts';

export interface WireRequest {
  readonly runId: string;
  readonly baseCommit: string;
  readonly options: RunOptions;
  readonly repository: Repository;
  readonly store: RunStore;
  readonly makers: readonly Maker[];
  readonly signal: AbortSignal;
  readonly observe: (news: RunNews) => void;
  /** Told of paths that the copies lack or hold in another form, in words. */
  readonly onLeftOut: (path: string, why: string) => void;
}

/** Do a run with all that it works with. The copies are removed afterwards; the candidates are refs by then. */
export async function withParts<T>(request: WireRequest, work: (parts: RunParts) => Promise<T>): Promise<T> {
  const { runId, repository, options } = request;
  const house = await houseGate(options);
  const workDirectory = await freshRunDirectory(runId, repository.location.latheDir);
  try {
    const baseDirectory = join(workDirectory, 'base');
    const report = await repository.exportTree(request.baseCommit, baseDirectory);
    for (const { path, why } of report.notExported) request.onLeftOut(path, why);
    const workspaces = await createWorkspaceSource({
      baseDirectory,
      checkoutDirectory: repository.location.root,
      workDirectory,
      ignoredFiles: () => ignoredFiles(repository.location),
      unsafeNoSandbox: options.unsafeNoSandbox,
    });
    const cache = { directory: FINDINGS_CACHE, scope: repository.location.latheDir };
    const gate = createGate({ workspaces, cache });
    // Its scanners take seconds to start; by the time there is a candidate they are up. A failure is told by `inspect`.
    gate.warm().catch(() => undefined);
    try {
      return await work({
        makers: request.makers,
        workspaces,
        gates: house === null ? [gate] : [gate, house],
        recorder: repository,
        store: request.store,
        limits: DEFAULT_LIMITS,
        clock: Date.now,
        observe: request.observe,
        signal: request.signal,
      });
    } finally {
      await gate.close();
      await workspaces.close();
    }
  } finally {
    await house?.close();
    await removeWorkDirectory(workDirectory);
  }
}

/** Opened before anything is made: a model that cannot be read should cost no candidate. */
async function houseGate({ house }: RunOptions): Promise<HouseGate | null> {
  if (house === undefined) return null;
  const { createHouseGate } = await import('@lathe/house');
  const gate = createHouseGate({ modelPath: house.model });
  await gate.warm();
  return gate;
}
