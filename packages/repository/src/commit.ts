import { type GitOptions, gitText } from './git.ts';

/** Author and committer of Lathe's own commits and notes; the user's identity is for what the user commits. */
export const LATHE_IDENTITY: Readonly<Record<string, string>> = {
  GIT_AUTHOR_NAME: 'Lathe',
  GIT_AUTHOR_EMAIL: 'lathe@localhost',
  GIT_COMMITTER_NAME: 'Lathe',
  GIT_COMMITTER_EMAIL: 'lathe@localhost',
};

/** Makes a commit object; no ref moves. */
export function commitTree(
  request: { tree: string; parents: readonly string[]; message: string },
  options: GitOptions,
): Promise<string> {
  const parents = request.parents.flatMap((parent) => ['-p', parent]);
  return gitText(['commit-tree', request.tree, ...parents, '--no-gpg-sign', '-F', '-'], {
    ...options,
    env: { ...options.env, ...LATHE_IDENTITY },
    input: request.message,
  });
}
