import { gitText } from './git.ts';
import type { Location } from './location.ts';

/**
 * The difference between two commits as a unified diff for reading, in git's format; empty where their trees are equal.
 * No filter or driver the repository configures is run.
 */
export async function patchBetween(from: string, to: string, location: Location): Promise<string> {
  const args = [
    'diff',
    '--no-ext-diff',
    '--no-textconv',
    '--no-color',
    '--find-renames',
    '--submodule=short',
    '--end-of-options',
    from,
    to,
    '--',
  ];
  const text = await gitText(args, { cwd: location.root });
  return text === '' ? '' : `${text}\n`;
}
