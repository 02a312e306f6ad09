import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { GitFailure, git, gitText } from './git.ts';
import { RepositoryError } from './problem.ts';

/** Where a repository is and what kind it is. */
export interface Location {
  /** Root of the checkout. */
  readonly root: string;
  /** Git folder of this checkout (a linked worktree has its own). */
  readonly gitDir: string;
  /** Git folder shared by all worktrees: objects and refs. */
  readonly commonDir: string;
  /** Lathe's own corner of the common folder. */
  readonly latheDir: string;
  readonly objectFormat: 'sha1' | 'sha256';
  readonly shallow: boolean;
}

/**
 * Finds the repository that holds `directory`.
 *
 * @throws LATHE_NOT_A_REPOSITORY, LATHE_REPOSITORY_BARE, LATHE_REPOSITORY_EMPTY, LATHE_REPOSITORY_DAMAGED, LATHE_GIT_MISSING, LATHE_GIT_FAILED
 */
export async function locate(directory: string): Promise<Location> {
  const [inside, bare, shallow, format] = await facts(directory);
  if (bare === 'true') {
    throw new RepositoryError('LATHE_REPOSITORY_BARE', `${directory} is a bare repository: it has no checkout.`, {
      remedy: 'Run Lathe in a clone or a worktree of it (git worktree add).',
    });
  }
  if (inside !== 'true') {
    throw new RepositoryError('LATHE_NOT_A_REPOSITORY', `${directory} is inside a git folder, not in a checkout.`, {
      remedy: 'Run Lathe in the checkout.',
    });
  }
  const options = { cwd: directory };
  const [root, gitDir, commonDir] = await Promise.all([
    gitText(['rev-parse', '--show-toplevel'], options),
    gitText(['rev-parse', '--absolute-git-dir'], options),
    gitText(['rev-parse', '--path-format=absolute', '--git-common-dir'], options),
  ]);
  const head = await git(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], { ...options, accept: [1, 128] });
  if (head.exitCode !== 0) {
    const named = await git(['rev-parse', '--verify', '--quiet', 'HEAD'], { ...options, accept: [1, 128] });
    if (named.exitCode === 0)
      throw new RepositoryError(
        'LATHE_REPOSITORY_DAMAGED',
        `The commit that HEAD of ${root} names, ${named.stdout.toString('utf8').trim().slice(0, 10)}, cannot be read.`,
        { remedy: 'The object database is damaged or incomplete: git fsck says what is missing.' },
      );
    throw new RepositoryError('LATHE_REPOSITORY_EMPTY', `${root} has no commit yet.`, {
      remedy: 'Make a first commit: git add -A && git commit -m "First commit".',
    });
  }
  return {
    root,
    gitDir,
    commonDir,
    latheDir: join(commonDir, 'lathe'),
    objectFormat: format === 'sha256' ? 'sha256' : 'sha1',
    shallow: shallow === 'true',
  };
}

async function facts(directory: string): Promise<string[]> {
  try {
    const args = ['--is-inside-work-tree', '--is-bare-repository', '--is-shallow-repository', '--show-object-format'];
    return (await gitText(['rev-parse', ...args], { cwd: directory })).split('\n');
  } catch (error) {
    if (!(error instanceof GitFailure) || !error.stderr.includes('not a git repository')) throw error;
    throw new RepositoryError('LATHE_NOT_A_REPOSITORY', `${directory} is not in a git repository.`, {
      remedy:
        'Run Lathe in a repository, or make this folder one: git init && git add -A && git commit -m "First commit".',
      cause: error,
    });
  }
}

/** Name of the operation that stopped half-way in this checkout (`merge`, `rebase`, …), or null. */
export async function operationInProgress(location: Location): Promise<string | null> {
  const traces: readonly (readonly [string, string])[] = [
    ['MERGE_HEAD', 'merge'],
    ['rebase-merge', 'rebase'],
    ['rebase-apply', 'rebase'],
    ['CHERRY_PICK_HEAD', 'cherry-pick'],
    ['REVERT_HEAD', 'revert'],
  ];
  for (const [file, name] of traces) {
    const there = await access(join(location.gitDir, file)).then(
      () => true,
      () => false,
    );
    if (there) return name;
  }
  return null;
}
