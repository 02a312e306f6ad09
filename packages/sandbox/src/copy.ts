import { constants } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DependencyDirectory } from './dependencies.ts';
import { diskUsage } from './disk-usage.ts';
import { MERGED, makeOverlayDirectories, SCRATCH, UPPER, writeOverlayTable, writeScratchTable } from './overlay.ts';
import type { Layers } from './write-edits.ts';

/** What every copy of one source starts from. */
export interface Origin {
  readonly base: string;
  /** Files that `.worktreeinclude` names, and empty directories where dependencies are mounted. */
  readonly included: string;
  readonly dependencies: readonly DependencyDirectory[];
}

/** One copy on disk, however it is made. */
export interface Copy {
  readonly directory: string;
  /** Where edits go and what shows through. */
  readonly layers: Layers;
  /** Appears as the copy's root: a directory outside, or a mount point that is filled inside the namespace. */
  readonly root: string;
  /** Dependencies that a bind brings into the copy read-only: [outside, inside]. */
  readonly readOnly: readonly (readonly [string, string])[];
  /** Called before each command, with the size of its temporary folders: writes `fstab` into the copy's directory. */
  prepare(scratchBytes: number): Promise<void>;
  /** Bytes on disk beyond the base. */
  diskUsage(): Promise<number>;
}

export type CopyStrategy = 'overlay' | 'bound' | 'full';

export const COPY_IN_WORDS: Readonly<Record<CopyStrategy, string>> = {
  overlay: 'overlay copy',
  bound: 'copied tree, dependencies bound read-only',
  full: 'copied tree and dependencies',
};

export async function makeCopy(strategy: CopyStrategy, directory: string, origin: Origin): Promise<Copy> {
  return strategy === 'overlay' ? makeOverlayCopy(directory, origin) : makeDirectoryCopy(strategy, directory, origin);
}

/** Costs the same for any size of base and dependencies: only directories are made. */
async function makeOverlayCopy(directory: string, { base, included, dependencies }: Origin): Promise<Copy> {
  await makeOverlayDirectories(directory, dependencies.length);
  const upper = join(directory, UPPER);
  const written = [upper, ...dependencies.map((_, i) => join(directory, 'dependencies', String(i), 'upper'))];
  return {
    directory,
    layers: { upper, lowers: [included, base] },
    root: join(directory, MERGED),
    readOnly: [],
    prepare: (scratchBytes) => writeOverlayTable({ copy: directory, base, included, dependencies, scratchBytes }),
    diskUsage: () => diskUsage(written),
  };
}

/** Where no overlay can be mounted: every file of the base is copied, by reference on file systems that can. */
async function makeDirectoryCopy(
  strategy: 'bound' | 'full',
  directory: string,
  { base, included, dependencies }: Origin,
): Promise<Copy> {
  const root = join(directory, MERGED);
  await Promise.all([mkdir(root, { recursive: true }), mkdir(join(directory, SCRATCH), { recursive: true })]);
  await copyTree(base, root);
  await copyTree(included, root);
  if (strategy === 'full') for (const { path, source } of dependencies) await copyTree(source, join(root, path));
  const startBytes = await diskUsage([root]);
  return {
    directory,
    layers: { upper: root, lowers: [] },
    root,
    readOnly: strategy === 'bound' ? dependencies.map(({ path, source }) => [source, path] as const) : [],
    prepare: (scratchBytes) => writeScratchTable(directory, scratchBytes),
    diskUsage: async () => (await diskUsage([root])) - startBytes,
  };
}

async function copyTree(source: string, target: string): Promise<void> {
  await cp(source, target, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
}
