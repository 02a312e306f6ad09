import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { audit } from './audit.ts';
import { readCache, writeCache } from './cache.ts';
import type { AuditDocument } from './document.ts';
import { findingsOverTime, type ScanFiles } from './findings/over-time.ts';
import { commitGraph, continues, type FollowedHistory, type FollowOptions, followHistory } from './follow.ts';
import { GitFailure, gitText, type Walk } from './git-log.ts';
import { filesWithoutContent } from './missing-contents.ts';

export interface AuditRepositoryOptions {
  readonly directory: string;
  /** Any revision; HEAD where left out. */
  readonly revision?: string;
  readonly walk?: Walk;
  /** Seconds since the epoch. */
  readonly since?: number | null;
  readonly windowDays?: number;
  /**
   * Refs that hold originals of rebased and squashed commits, besides branches and tags, as globs: `refs/pull/*`.
   */
  readonly originals?: readonly string[];
  /** Folder for what a second run can start from; null: every run reads the whole history. */
  readonly cacheDirectory: string | null;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Looks for findings in sampled trees of the history; left out: none are looked for, and the document says so. */
  readonly scan?: ScanFiles;
  readonly onScanProgress?: (done: number, total: number) => void;
}

export interface AuditedRepository {
  readonly document: AuditDocument;
  readonly history: FollowedHistory;
  /** Commits read in this run: all of them, or the new ones where an earlier run could be continued. */
  readonly commitsRead: number;
  /** Why a second run cannot start from this one, in the system's words: a full disk, a folder of another user. */
  readonly notCached: string | null;
}

export const CHURN_WINDOW_DAYS = 14;

/** Refs whose commits may have come into the history in another form; candidates that Lathe made are among them. */
const ORIGINALS = ['--branches', '--remotes', '--tags', '--glob=refs/lathe'];

/**
 * Audits the repository at `directory`.
 *
 * @throws {GitFailure} not a repository, no commit yet, an unknown revision, a damaged object database.
 */
export async function auditRepository(options: AuditRepositoryOptions): Promise<AuditedRepository> {
  const { directory } = options;
  const walk = options.walk ?? 'all';
  const asked = headOf(directory, options.revision ?? 'HEAD');
  // Where it fails, that this is no repository is the better answer.
  asked.catch(() => {});
  const { gitDirectory, shallow } = await repositoryAt(directory);
  const head = await asked;
  const originals = [...ORIGINALS, ...(options.originals ?? []).map((glob) => `--glob=${glob}`)];
  const key = { gitDirectory, walk, originals };
  const earlier = options.cacheDirectory === null || shallow ? null : await readCache(options.cacheDirectory, key);
  const from = earlier && (await canContinue(directory, earlier, head, walk)) ? earlier : undefined;
  const already = from?.commits.length ?? 0;
  const follow = { directory, head, walk, now: options.nowMs / 1000, onProgress: options.onProgress, originals };
  const history = from?.head === head ? from : await followReadable({ ...follow, from }, gitDirectory);
  // What is missing today may be there tomorrow.
  const whole = history.notFollowed.filesWithoutContent === 0;
  let notCached: string | null = null;
  if (options.cacheDirectory !== null && !shallow && whole && history.commits.length > already) {
    notCached = await writeCache(options.cacheDirectory, key, history).then(() => null, systemError);
  }
  const document = audit(history, {
    repository: directory,
    since: options.since ?? null,
    windowDays: options.windowDays ?? CHURN_WINDOW_DAYS,
    shallow,
  });
  const commitsRead = history.commits.length - already;
  if (!options.scan) {
    document.notFollowed.notes.push('Security findings were not looked for.');
    return { document, history, commitsRead, notCached };
  }
  const { scan, onScanProgress: onProgress, since = null } = options;
  Object.assign(document, await findingsOverTime({ directory, history, scan, since, onProgress }));
  document.notFollowed.notes.push('A finding that came and went between two of the trees looked at is not seen.');
  return { document, history, commitsRead, notCached };
}

/** What the operating system refused; any other error is thrown on. */
function systemError(error: unknown): string {
  if (error instanceof Error && 'syscall' in error) return error.message;
  throw error;
}

/** Follows a history without the files whose contents are not all there: which, is looked up where some may be missing. */
async function followReadable(options: FollowOptions, gitDirectory: string): Promise<FollowedHistory> {
  const { directory } = options;
  const revisions = [options.head, ...(options.originals ?? [])];
  if (await isPartial(gitDirectory)) {
    const leftOut = await filesWithoutContent(directory, revisions);
    return followHistory(leftOut.length === 0 ? options : { ...options, from: undefined, leftOut });
  }
  try {
    return await followHistory(options);
  } catch (error) {
    if (!(error instanceof GitFailure && error.unreadable)) throw error;
    const leftOut = await filesWithoutContent(directory, revisions).catch((cause: GitFailure) => {
      // Where not even the trees can be read, what failed first says more.
      throw cause.unreadable ? error : cause;
    });
    if (leftOut.length === 0) throw error;
    return followHistory({ ...options, from: undefined, leftOut });
  }
}

/** Packs of a clone that was made without all objects have a file of this name beside them. */
async function isPartial(gitDirectory: string): Promise<boolean> {
  const names = await readdir(join(gitDirectory, 'objects/pack')).catch(() => []);
  return names.some((name) => name.endsWith('.promisor'));
}

async function repositoryAt(directory: string): Promise<{ gitDirectory: string; shallow: boolean }> {
  const text = await answer(
    directory,
    ['rev-parse', '--is-shallow-repository', '--path-format=absolute', '--git-common-dir'],
    () =>
      new GitFailure(
        `${directory} is not inside a git repository.`,
        'Give the path of a repository: `lathe audit PATH`.',
      ),
  );
  const end = text.indexOf('\n');
  return { gitDirectory: await realpath(text.slice(end + 1)), shallow: text.slice(0, end) === 'true' };
}

function headOf(directory: string, revision: string): Promise<string> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`];
  return answer(directory, args, async () => {
    if (revision !== 'HEAD') {
      return new GitFailure(
        `No commit is named ${revision} here.`,
        '`git log --oneline --all` shows the commits there are.',
      );
    }
    // A name may stand for an object that is not there.
    const named = await gitText(directory, ['rev-parse', '--verify', '--quiet', 'HEAD']).catch(() => null);
    return named === null
      ? new GitFailure('This repository has no commit yet: there is no history to audit.', 'Commit something first.')
      : new GitFailure(
          `The commit that HEAD names, ${named.slice(0, 10)}, cannot be read.`,
          'The object database is damaged or incomplete: `git fsck` says what is missing.',
          { unreadable: true },
        );
  });
}

async function canContinue(directory: string, earlier: FollowedHistory, head: string, walk: Walk): Promise<boolean> {
  if (earlier.head === head) return true;
  try {
    await gitText(directory, ['merge-base', '--is-ancestor', earlier.head, head]);
    return continues(earlier, await commitGraph(directory, head, walk, earlier.head));
  } catch (error) {
    if (error instanceof GitFailure) return false;
    throw error;
  }
}

async function answer(
  directory: string,
  args: string[],
  problem: () => GitFailure | Promise<GitFailure>,
): Promise<string> {
  try {
    const text = (await gitText(directory, args)).trim();
    if (text !== '') return text;
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    if (/could not be started|cannot change to|dubious ownership/.test(error.message)) throw error;
  }
  throw await problem();
}
