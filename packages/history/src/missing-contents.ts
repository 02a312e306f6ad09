import { CommitFeed } from './commit-feed.ts';
import { GitFailure, gitText } from './git-log.ts';
import { readablePath } from './paths.ts';

/** Files that can be left out of a history by name; a clone that lacks more of them lacks what an audit reads. */
const MOST_LEFT_OUT = 500;

/**
 * Files, by path as latin1 of git's bytes, of which some content is not in the repository, in any commit that `revisions`
 * (arguments of rev-list) reach. A partial clone has such files, and one that lost an object.
 *
 * @throws {GitFailure} where there are so many that nothing worth an audit is left.
 */
export async function filesWithoutContent(directory: string, revisions: readonly string[]): Promise<string[]> {
  const listed = await gitText(directory, [
    'rev-list',
    '--objects',
    '--no-object-names',
    '--missing=print',
    ...revisions,
    '--',
  ]);
  const missing = new Set([...listed.matchAll(/^\?([0-9a-f]+)$/gm)].map(([, id]) => id));
  if (missing.size === 0) return [];
  const commits = (await gitText(directory, ['rev-list', ...revisions, '--'])).split('\n').filter((id) => id !== '');
  // What a merge took from another parent was new in a commit of its own.
  const feed = new CommitFeed({ directory, part: 'merged-files', commits, notes: [], paths: [] });
  const paths = new Set<string>();
  try {
    for (const id of commits) {
      for (const { newId, newPath } of (await feed.next(id)).changes) if (missing.has(newId)) paths.add(newPath);
    }
  } finally {
    await feed.close();
  }
  if (paths.size <= MOST_LEFT_OUT) return [...paths].sort();
  throw new GitFailure(
    `This clone lacks the contents of ${paths.size} files: it was made without them.`,
    'Fetch them with `git fetch --refetch --no-filter`, or clone without `--filter`.',
  );
}

/** Pathspecs for everything but these files. */
export function allBut(paths: readonly string[]): string[] {
  return paths.map((path) => {
    const readable = readablePath(path);
    if (Buffer.from(readable).toString('latin1') === path) return `:(top,exclude,literal)${readable}`;
    throw new GitFailure(
      `The content of ${JSON.stringify(readable)} is missing, and git cannot be told to leave out a name that is not UTF-8.`,
      '`git fsck` says what is missing.',
    );
  });
}
