import { git, nulFields } from './git.ts';
import type { Location } from './location.ts';

/**
 * What git ignores in the checkout, relative to its root. A folder that is ignored as a whole stands for all it holds
 * and ends in a slash.
 */
export async function ignoredFiles(location: Location): Promise<string[]> {
  const args = ['ls-files', '--others', '--ignored', '--exclude-standard', '--directory', '-z'];
  return nulFields((await git(args, { cwd: location.root })).stdout);
}
