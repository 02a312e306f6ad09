import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commitTree } from './commit.ts';
import { type GitOptions, git, gitText, nulFields } from './git.ts';
import type { Location } from './location.ts';
import { RepositoryError } from './problem.ts';
import { withTemporaryFolder } from './temporary.ts';

export interface BaseSnapshot {
  /** Commit the candidates start from: HEAD, or HEAD with the uncommitted changes on top. */
  readonly baseCommit: string;
  readonly headCommit: string;
  /** Paths with uncommitted changes that are part of the base, sorted. */
  readonly uncommitted: readonly string[];
  /** What the checkout holds and the base does not, with the reason. Ignored files are not mentioned. */
  readonly leftOut: readonly { readonly path: string; readonly why: string }[];
}

interface WorkingTree {
  readonly tree: string;
  readonly headCommit: string;
  readonly leftOut: BaseSnapshot['leftOut'];
}

/**
 * The checkout as a tree object: HEAD, tracked changes and deletions, staged or not, and untracked files that are not
 * ignored. Worked out in a copy of the index, so that neither the index nor its lock is touched.
 *
 * @throws LATHE_REPOSITORY_UNMERGED where the index has conflicts
 */
export async function workingTree(location: Location): Promise<WorkingTree> {
  const cwd = location.root;
  const unmerged = new Set(
    nulFields((await git(['ls-files', '-u', '-z'], { cwd })).stdout).map((line) => line.replace(/^[^\t]*\t/, '')),
  );
  if (unmerged.size > 0) {
    throw new RepositoryError(
      'LATHE_REPOSITORY_UNMERGED',
      `The checkout has unresolved conflicts in ${[...unmerged].join(', ')}.`,
      { remedy: 'Resolve them and git add the files, or abort the merge or rebase; then start again.' },
    );
  }
  return withTemporaryFolder(join(location.latheDir, 'tmp'), async (folder) => {
    const index = join(folder, 'index');
    await copyFile(join(location.gitDir, 'index'), index).catch((error: NodeJS.ErrnoException) => {
      // No index file is an empty index.
      if (error.code !== 'ENOENT') throw error;
    });
    const options: GitOptions = { cwd, env: { GIT_INDEX_FILE: index } };
    await git(['add', '-u', '--', '.'], options);
    const untracked = await git(['ls-files', '--others', '--exclude-standard', '-z'], options);
    const { files, folders } = splitUntracked(untracked.stdout);
    if (files.length > 0) {
      await git(['update-index', '--add', '--remove', '-z', '--stdin'], { ...options, input: files });
    }
    const leftOut = folders.map((path) => ({ path, why: 'it is a git repository of its own' }));
    const [tree, headCommit, submodules] = await Promise.all([
      gitText(['write-tree'], options),
      gitText(['rev-parse', '--verify', 'HEAD^{commit}'], { cwd }),
      git(['diff-files', '--raw', '-z', '--ignore-submodules=none'], options),
    ]);
    for (const path of changedSubmodules(submodules.stdout)) {
      leftOut.push({ path, why: 'uncommitted changes inside a submodule' });
    }
    return { tree, headCommit, leftOut };
  });
}

/** Takes the base of a run and keeps it alive under `refs/lathe/<run>/base`. */
export async function snapshotBase(location: Location, runId: string): Promise<BaseSnapshot> {
  const options: GitOptions = { cwd: location.root };
  const { tree, headCommit, leftOut } = await workingTree(location);
  const changed = await git(['diff-tree', '-r', '-z', '--name-only', '--no-renames', headCommit, tree], options);
  const uncommitted = nulFields(changed.stdout).sort();
  const message = `Base of Lathe run ${runId}\n\nThe checkout with its uncommitted changes.\n`;
  const baseCommit =
    uncommitted.length === 0 ? headCommit : await commitTree({ tree, parents: [headCommit], message }, options);
  await git(['update-ref', '--no-deref', `refs/lathe/${runId}/base`, baseCommit], options);
  return { baseCommit, headCommit, uncommitted, leftOut };
}

/** Nested repositories are listed as one name with a final slash. */
function splitUntracked(output: Buffer): { files: Buffer; folders: string[] } {
  const files: Buffer[] = [];
  const folders: string[] = [];
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf(0, at);
    if (output[end - 1] === 0x2f) folders.push(output.toString('utf8', at, end - 1));
    else files.push(output.subarray(at, end + 1));
    at = end + 1;
  }
  return { files: Buffer.concat(files), folders };
}

/** `:160000 160000 ID ID M` and the path, as pairs of fields. */
function changedSubmodules(output: Buffer): string[] {
  const fields = nulFields(output);
  return fields.flatMap((field, i) => (field.startsWith(':160000 160000 ') ? [fields[i + 1] ?? ''] : []));
}
