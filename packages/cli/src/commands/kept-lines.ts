import type { FollowedHistory } from '@lathe/history';
import type { KeptCandidate, LineHistory, LineLife } from '@lathe/ledger';
import { isProblem } from '@lathe/protocol';
import { patchBetween, type Repository } from '@lathe/repository';
import type { ReadRun } from '../read-run.ts';
import { type AddedLine, addedLines } from './added-lines.ts';
import type { Signals } from './commit-signals.ts';
import { git } from './git-text.ts';

const DAY_SECONDS = 86_400;

/** Where each kept candidate of the runs is in a history, and what the history tells of all its lines. */
export async function findKeptLines(
  runs: readonly ReadRun[],
  followed: FollowedHistory,
  repository: Repository,
  signals: ReadonlyMap<string, Signals>,
): Promise<{ kept: KeptCandidate[]; history: LineHistory }> {
  const lines = new Lines(followed);
  const reverts = await revertsIn(repository.location.root, followed.head);
  const history: LineHistory = {
    commits: followed.commits.map(({ id, time, origin }) => ({
      id,
      timeMs: time * 1000,
      origin,
      reverts: reverts.get(id) ?? [],
      signals: signals.get(id),
    })),
    lives: lines.all(),
    lastSeenMs: lines.lastSeen * 1000,
  };
  const kept: KeptCandidate[] = [];
  for (const run of runs) {
    const one = await findKept(run, lines, repository);
    if (one !== null) kept.push(one);
  }
  return { kept, history };
}

/** The lines of a followed history as lives. Generated and vendored ones, and those lost in merges, are left out. */
class Lines {
  readonly lastSeen: number;
  readonly #followed: FollowedHistory;
  readonly #standing: Uint8Array;
  readonly #commitNumbers: ReadonlyMap<string, number>;

  constructor(followed: FollowedHistory) {
    this.#followed = followed;
    this.#standing = new Uint8Array(followed.table.length);
    for (const file of followed.tree.values()) for (const record of file.lines ?? []) this.#standing[record] = 1;
    this.#commitNumbers = new Map(followed.commits.map(({ id }, number) => [id, number]));
    this.lastSeen = followed.commits.reduce((latest, { time }) => Math.max(latest, time), 0);
  }

  commitNumber(id: string): number | undefined {
    return this.#commitNumbers.get(id);
  }

  /**
   * Lives to their end: a line that was moved or slightly updated is one life, told by its last record. One that came by a
   * rebase or a squash is as old, and whose, as where it was written.
   */
  all(): LineLife[] {
    const { table, rewrites } = this.#followed;
    return this.#ended().flatMap((record) => {
      const original = rewrites.originals[table.original.get(record) ?? -1];
      return this.#life(record, original) ?? [];
    });
  }

  /** The lives that began in a commit. Theirs begin with it, however long a candidate lay before it was kept. */
  ofCommit(commit: number): LineLife[] {
    const { table } = this.#followed;
    return this.#ended()
      .filter((record) => table.began[record] === commit)
      .flatMap((record) => this.#life(record) ?? []);
  }

  #ended(): number[] {
    const { table } = this.#followed;
    const records: number[] = [];
    for (let record = 0; record < table.length; record += 1) if (table.carried[record] === 0) records.push(record);
    return records;
  }

  /**
   * The lives that began with these lines of a commit. A line whose record is not sure (two files of one directory have a
   * line of that number) is counted, not guessed. A line that was moved since is watched up to its move.
   */
  ofLines(commit: number, wanted: readonly AddedLine[]): { lives: LineLife[]; notFollowed: number } {
    const { table, places } = this.#followed;
    const records = new Map<string, number[]>();
    for (let record = 0; record < table.length; record += 1) {
      if (table.born[record] !== commit) continue;
      const key = `${places[table.place[record]!]!.directory}:${table.originalLine[record]}`;
      records.set(key, [...(records.get(key) ?? []), record]);
    }
    const lives: LineLife[] = [];
    let notFollowed = 0;
    for (const { path, line } of wanted) {
      const [record, ...others] = records.get(`${topDirectory(path)}:${line}`) ?? [];
      const life = record === undefined || others.length > 0 ? null : this.#life(record);
      if (life === null) notFollowed += 1;
      else if (table.began[record!] === commit) lives.push(life);
    }
    return { lives, notFollowed };
  }

  #life(record: number, original?: { readonly time: number; readonly origin: string }): LineLife | null {
    const { table, commits, places } = this.#followed;
    const place = places[table.place[record]!]!;
    const gone = this.#standing[record] === 0;
    const died = table.died[record]!;
    if (!place.counted || (gone && died < 0)) return null;
    const commit = table.began[record]!;
    const carried = table.carried[record] === 1;
    const until = gone ? commits[died]!.time : this.lastSeen;
    const { time } = original ?? commits[commit]!;
    return {
      commit,
      directory: place.directory,
      ...(original && { written: { timeMs: time * 1000, origin: original.origin } }),
      days: Math.floor(Math.max(0, until - time) / DAY_SECONDS),
      endedBy: gone && !carried ? died : null,
      moved: carried || table.born[record] !== commit,
    };
  }
}

async function findKept(
  { document, events }: ReadRun,
  lines: Lines,
  repository: Repository,
): Promise<KeptCandidate | null> {
  const keeps = events.filter((event) => event.type === 'kept').filter(({ id }) => id === document.kept);
  const [first] = keeps;
  if (first === undefined) return null;
  const about = { runId: document.runId, candidate: first.id, keptAtMs: first.atMs };
  const committed = keeps.map(({ commit }) => (commit === null ? undefined : lines.commitNumber(commit)));
  const commit = committed.findLast((number) => number !== undefined);
  if (commit !== undefined) {
    return { ...about, found: { by: 'commit', commit, lives: lines.ofCommit(commit), notFollowed: 0 }, reason: null };
  }
  const ref = document.candidates.find(({ id }) => id === first.id)?.ref;
  if (ref === undefined || ref === null) return { ...about, found: null, reason: 'the candidate has no commit' };
  const patch = await patchOrWhy(document.baseCommit, ref, repository);
  if ('why' in patch) return { ...about, found: null, reason: patch.why };
  const wanted = new Set(patch.lines.map(contentKey));
  if (wanted.size === 0) return { ...about, found: null, reason: 'it adds no line that could be recognised' };
  for (const [id, parent] of await commitsSince(first.atMs, first.files, repository.location.root)) {
    const number = lines.commitNumber(id);
    if (number === undefined || parent === undefined) continue;
    const change = await patchOrWhy(parent, id, repository);
    if ('why' in change) continue;
    const same = change.lines.filter((line) => wanted.has(contentKey(line)));
    if (new Set(same.map(contentKey)).size * 2 < wanted.size) continue;
    return { ...about, found: { by: 'content', commit: number, ...lines.ofLines(number, same) }, reason: null };
  }
  const reason = keeps.some((keep) => keep.commit !== null)
    ? 'the commit it was kept in is not in the history of HEAD, and no later one holds half of its lines'
    : 'no commit since holds half of its lines: not committed yet, or rewritten before it was';
  return { ...about, found: null, reason };
}

/** Path and content without white space: the same line wherever in the file it stands. */
function contentKey({ path, text }: AddedLine): string {
  return `${path}\0${text.replace(/\s+/g, '')}`;
}

/** Added lines that say something: brackets alone are in every file. */
async function patchOrWhy(
  from: string,
  to: string,
  { location }: Repository,
): Promise<{ lines: AddedLine[] } | { why: string }> {
  try {
    const lines = addedLines(await patchBetween(from, to, location));
    return { lines: lines.filter(({ text }) => /[\p{L}\p{N}]/u.test(text)) };
  } catch (error) {
    if (!isProblem(error)) throw error;
    return { why: `its commit cannot be read here: ${error.message.split('\n', 1)[0]}` };
  }
}

function topDirectory(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? '.' : path.slice(0, slash);
}

/** Commits of HEAD since a time that touch one of the files, oldest first: `[commit, first parent]`. Merges are left out. */
async function commitsSince(sinceMs: number, files: readonly string[], root: string): Promise<string[][]> {
  const since = `--since=@${Math.floor(sinceMs / 1000)}`;
  const args = ['log', '--reverse', '--no-merges', since, '--format=%H %P', 'HEAD', '--', ...files];
  const text = await git(args, root);
  return text.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ')]));
}

/** For every commit that says so, in the sentence `git revert` writes, the commits it reverts. */
async function revertsIn(root: string, head: string): Promise<ReadonlyMap<string, string[]>> {
  const text = await git(['log', '--grep=This reverts commit', '-z', '--format=%H%n%B', head], root);
  return new Map(
    text.split('\0').map((entry) => {
      const [id = '', ...message] = entry.split('\n');
      const named = [...message.join('\n').matchAll(/This reverts commit ([0-9a-f]{40,64})\b/g)];
      return [id, named.map((match) => match[1]!)];
    }),
  );
}
