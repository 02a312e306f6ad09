import { gitText } from './git.ts';
import type { Location } from './location.ts';
import { RepositoryError } from './problem.ts';

/** The commit a revision names (a branch, a tag, `HEAD~3`). Throws `LATHE_NOT_FOUND_REVISION`. */
export async function resolveCommit(revision: string, location: Location): Promise<string> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`];
  const id = await gitText(args, { cwd: location.root, accept: [1, 128] });
  if (/^[0-9a-f]{40,64}$/.test(id)) return id;
  throw new RepositoryError('LATHE_NOT_FOUND_REVISION', `No commit is named ${revision} here.`, {
    remedy: 'git log --oneline --all shows the commits there are.',
  });
}
