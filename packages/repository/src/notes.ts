import { LATHE_IDENTITY } from './commit.ts';
import { type GitOptions, git } from './git.ts';

export const NOTES_REF = 'refs/notes/lathe';

/** Puts a note on a commit, in place of an earlier one. `git log --notes=lathe` shows it. */
export async function writeNote(commit: string, text: string, options: GitOptions): Promise<void> {
  await git(['notes', `--ref=${NOTES_REF}`, 'add', '--force', '--file=-', commit], {
    ...options,
    env: { ...options.env, ...LATHE_IDENTITY },
    input: text,
  });
}
