import { createScannerPool, differenceOfFindings, findingsOf, readGateConfig } from '@lathe/gates';
import type { FollowedCommit, FollowedHistory } from '@lathe/history';
import type { Repository } from '@lathe/repository';
import { git } from './git-text.ts';

export type Signals = Readonly<Record<string, number | null>>;

const RECENT_SECONDS = 14 * 86_400;

/**
 * What was known of each commit on its day, from its own change and what lay before it: by commit id. Merges bring no
 * change of their own and are left out. Counts are log₂(1 + n), shares are of the changed lines.
 */
export function commitSignals({ commits, table, places }: FollowedHistory): Map<string, Signals> {
  const directories = new Map<number, Set<string>>();
  for (let record = 0; record < table.length; record += 1) {
    const place = places[table.place[record]!]!;
    if (!place.counted) continue;
    const commit = table.born[record]!;
    const touched = directories.get(commit);
    if (touched === undefined) directories.set(commit, new Set([place.directory]));
    else touched.add(place.directory);
  }
  const recent = recentCommits(commits, directories);
  const signals = new Map<string, Signals>();
  for (const [number, commit] of commits.entries()) {
    const touched = directories.get(number);
    if (touched === undefined) continue;
    signals.set(commit.id, {
      ...changeSignals(commit),
      'directories touched': Math.log2(1 + touched.size),
      'commits there two weeks before': Math.log2(1 + recent.get(number)!),
    });
  }
  return signals;
}

function changeSignals({ operations, duplicateBlocks, origin, author }: FollowedCommit): Signals {
  const { added, deleted, moved, updated, findReplaced, copyPasted } = operations;
  const total = added + deleted + moved + updated + findReplaced + copyPasted;
  const share = (count: number) => (total === 0 ? null : count / total);
  return {
    'lines changed': Math.log2(1 + total),
    'share deleted': share(deleted),
    'share moved': share(moved),
    'share updated': share(updated + findReplaced),
    'share copied': share(copyPasted),
    'duplicate blocks': Math.log2(1 + duplicateBlocks),
    'names an assistant': Number(origin === 'assistant-made'),
    'made by a bot': Number(author === 'bot'),
  };
}

/** How many earlier commits of the two weeks before touched one of the commit's directories: the most for any of them. */
function recentCommits(
  commits: readonly FollowedCommit[],
  directories: ReadonlyMap<number, ReadonlySet<string>>,
): Map<number, number> {
  const times = new Map<string, number[]>();
  for (const [number, touched] of directories)
    for (const directory of touched) {
      const list = times.get(directory);
      if (list === undefined) times.set(directory, [commits[number]!.time]);
      else list.push(commits[number]!.time);
    }
  for (const list of times.values()) list.sort((a, b) => a - b);
  return new Map(
    [...directories].map(([number, touched]) => {
      const { time } = commits[number]!;
      const counts = [...touched].map((directory) => {
        const list = times.get(directory)!;
        return firstAtLeast(list, time) - firstAtLeast(list, time - RECENT_SECONDS);
      });
      return [number, Math.max(...counts)];
    }),
  );
}

/** Position of the first of the ascending values that is not below `bound`. */
function firstAtLeast(values: readonly number[], bound: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

const MOST_FILES = 30;

/**
 * What the gates of today say of past commits: weaknesses and dirt each added to the files it changed. `most` of the
 * given commits are looked at, spread evenly over them, and only these have an entry. Duplicates are not looked for.
 */
export async function gateSignals(
  ids: readonly string[],
  most: number,
  head: string,
  repository: Repository,
  onProgress: (done: number, total: number) => void,
): Promise<Map<string, Signals>> {
  const step = Math.max(1, ids.length / most);
  const chosen = Array.from({ length: Math.min(most, ids.length) }, (_, i) => ids[Math.floor(i * step)]!);
  const changes = await changesOf(chosen, repository.location.root);
  const config = await readGateConfig(repository.treeAt(head));
  const pool = createScannerPool(config.workers);
  const signals = new Map<string, Signals>();
  try {
    for (const [i, { id, parent, paths }] of changes.entries()) {
      onProgress(i, changes.length);
      // A commit of very many files is an import or a reformatting: it would take as long as all the others.
      if (paths.length === 0 || paths.length > MOST_FILES) continue;
      const [before, after] = await Promise.all(
        [parent, id].map(async (commit) =>
          commit === undefined ? [] : (await findingsOf(repository.treeAt(commit), { config, paths, pool })).findings,
        ),
      );
      const { added } = differenceOfFindings(before!, after!);
      const dirt = added.filter(({ kind }) => kind === 'quality').length;
      signals.set(id, { 'weaknesses added': added.length - dirt, 'dirt added': dirt });
    }
  } finally {
    await pool.close();
  }
  return signals;
}

interface CommitChange {
  readonly id: string;
  /** First parent; left out: the commit is a root. */
  readonly parent: string | undefined;
  /** Files it changed, by their new names. */
  readonly paths: string[];
}

/** The given commits and the files each changed, asked of git at once. Merges change none of their own. */
async function changesOf(ids: readonly string[], root: string): Promise<CommitChange[]> {
  if (ids.length === 0) return [];
  // No path of git's begins with a slash.
  const format = '--format=//%H %P';
  const listed = await git(
    ['log', '--no-walk=unsorted', '--root', '--diff-merges=off', '-M', '-z', '--name-only', format, ...ids, '--'],
    root,
  );
  const changes: CommitChange[] = [];
  for (const entry of listed.split('\0')) {
    const [, id, parent] = /^\/\/([0-9a-f]{40,64}) ([0-9a-f]*)/.exec(entry) ?? [];
    // The first path stands on the line after the commit's.
    const path = entry.replace(/^\n/, '');
    if (id !== undefined) changes.push({ id, parent: parent || undefined, paths: [] });
    else if (path !== '') changes.at(-1)?.paths.push(path);
  }
  return changes;
}
