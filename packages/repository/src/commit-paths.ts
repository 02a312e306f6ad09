import { changedEntries } from './changes.ts';
import { type GitOptions, git, gitText, nulFields } from './git.ts';
import { type Location, operationInProgress } from './location.ts';
import { RepositoryError } from './problem.ts';

/**
 * Refuses where a commit of these paths would hold more than the candidate: they must be as in HEAD, in the index and in
 * the checkout, before the candidate is applied.
 *
 * @throws LATHE_KEEP_UNCOMMITTED, LATHE_KEEP_OPERATION
 */
export async function requireCommittable(
  paths: readonly string[],
  currentTree: string,
  location: Location,
): Promise<void> {
  const options: GitOptions = { cwd: location.root };
  const operation = await operationInProgress(location);
  if (operation !== null) {
    throw new RepositoryError('LATHE_KEEP_OPERATION', `A ${operation} is under way: it would swallow the commit.`, {
      remedy: `Finish or abort the ${operation}, or keep without a commit.`,
    });
  }
  const checkout = (await changedEntries('HEAD', currentTree, options)).map(({ path }) => path);
  const staged = nulFields((await git(['diff-index', '--cached', '--name-only', '-z', 'HEAD'], options)).stdout);
  const dirty = new Set([...checkout, ...staged]);
  const mixed = paths.filter((path) => dirty.has(path));
  if (mixed.length === 0) return;
  throw new RepositoryError(
    'LATHE_KEEP_UNCOMMITTED',
    `${mixed.join(', ')} ${mixed.length === 1 ? 'has' : 'have'} uncommitted changes of your own; a commit would mix them with the candidate's.`,
    { remedy: 'Commit yours first, or keep without a commit.' },
  );
}

/**
 * Commits these paths and nothing else that may be staged, with the user's identity and signing. Hooks do not run: they
 * would execute the candidate's code outside its sandbox.
 */
export async function commitPaths(paths: readonly string[], message: string, options: GitOptions): Promise<string> {
  const literal: GitOptions = { ...options, env: { ...options.env, GIT_LITERAL_PATHSPECS: '1' } };
  const tracked = new Set(nulFields((await git(['ls-files', '-z', '--', ...paths], literal)).stdout));
  const added = paths.filter((path) => !tracked.has(path));
  if (added.length > 0) await git(['add', '--intent-to-add', '--force', '--', ...added], literal);
  try {
    await git(['commit', '--quiet', '--only', '--no-verify', '--file=-', '--', ...paths], {
      ...literal,
      input: message,
    });
  } catch (error) {
    const input = added.map((path) => `${path}\0`).join('');
    await git(['update-index', '--force-remove', '-z', '--stdin'], { ...options, input });
    throw error;
  }
  return gitText(['rev-parse', 'HEAD'], options);
}
