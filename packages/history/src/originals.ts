import { type AuthorClass, authorClassOf, type Origin, originOf } from './authorship.ts';
import { CommitFeed } from './commit-feed.ts';
import { gitText } from './git-log.ts';
import type { LoggedCommit } from './patch-stream.ts';

/** A commit outside the history from which lines of the history come: rebased, cherry-picked or squashed into it. */
export interface OriginalCommit {
  readonly id: string;
  /** Author's clock, seconds since the epoch. */
  readonly time: number;
  readonly author: AuthorClass;
  readonly origin: Origin;
}

/** A line a commit of the history wrote, as far as its original is concerned. */
export interface WrittenLine {
  readonly record: number;
  readonly hash: number;
}

/** What was recognised of a commit: whose lines it carries, and which of them were found there. */
export interface Recognised {
  /** `rebased`: all from one commit. `squashed`: from several of one branch. */
  readonly how: 'rebased' | 'squashed';
  readonly lines: readonly { readonly record: number; readonly original: OriginalCommit }[];
}

/** What was recognised over a whole history, and what was not. */
export interface Rewrites {
  /** Commits of the history that are another commit's change, and those that are a branch's. */
  rebased: number;
  squashed: number;
  /** What the line table's `original` refers to. */
  readonly originals: OriginalCommit[];
  /** Lines of recognised commits that have another age or origin there. */
  tracedLines: number;
  /** Lines of recognised commits that stand in none of their originals. */
  untracedLines: number;
  /** Ids of the commits outside the history that were found again in it. */
  readonly found: Set<string>;
  /** Commits outside the history that were read and found nowhere in it: not merged, or changed beyond recognition. */
  unmatchedCommits: number;
  /** Commits outside the history beyond the most that are read. */
  unreadCommits: number;
}

export function noRewrites(): Rewrites {
  return {
    rebased: 0,
    squashed: 0,
    originals: [],
    tracedLines: 0,
    untracedLines: 0,
    found: new Set(),
    unmatchedCommits: 0,
    unreadCommits: 0,
  };
}

/** Commits outside the history that are looked at, the newest; a repository with every pull request has tens of thousands. */
export const MOST_ORIGINALS = 2000;
/** Share of a commit's new lines that must stand in one branch for it to be that branch's squash. */
const LEAST_SHARE = 0.8;
/** Fewer lines than this are alike by chance, unless they are the whole of both commits and have one author. */
const FEWEST_LINES = 5;
const DAY = 86_400;

interface Candidate extends OriginalCommit {
  readonly email: string;
  /** Commits outside the history that hang together have the same number. */
  readonly branch: number;
  /** Lines it put in that say something. */
  readonly written: number;
}

/**
 * Finds again what came into the history in another form. Two commits are the same change where they put in the same
 * lines, white space aside: a patch-id without context and line numbers, so that a rebase that met other changes is
 * recognised as well. A commit is the squash of a branch where at least 80 % of its new lines were put in there, earlier;
 * each of them is then as old as the latest commit of the branch that put it in.
 */
export class Originals {
  readonly #candidates: Candidate[];
  readonly #writings: Writings;
  /** Commits there were beyond the most that are read. */
  readonly unread: number;

  private constructor(candidates: Candidate[], writings: Writings, unread: number) {
    this.#candidates = candidates;
    this.#writings = writings;
    this.unread = unread;
  }

  /** Reads commits outside the history: `graph`, as `commitsOutside` gives them. */
  static async read({
    directory,
    graph,
    notes,
    paths,
  }: {
    directory: string;
    graph: readonly (readonly string[])[];
    notes: readonly string[];
    paths: readonly string[];
  }): Promise<Originals> {
    const branchOf = connected(graph);
    // Merges are left out: what one brings was written in its parents.
    const plain = graph.filter((ids) => ids.length <= 2).map(([id]) => id);
    // Parents first, so that of two commits that put in the same line the later one comes last.
    const commits = plain.slice(0, MOST_ORIGINALS).reverse();
    const candidates: Candidate[] = [];
    const writings = new Writings();
    const feed = new CommitFeed({ directory, part: 'plain', commits, notes, paths });
    try {
      for (const id of commits) {
        const commit = await feed.next(id);
        const number = candidates.length;
        const hashes = writtenIn(commit);
        for (const hash of hashes) writings.add(hash, number);
        candidates.push({
          id,
          time: commit.authorTime,
          author: authorClassOf(commit),
          origin: originOf(commit),
          email: commit.authorEmail,
          branch: branchOf.get(id) ?? -1,
          written: hashes.length,
        });
      }
    } finally {
      await feed.close();
    }
    return new Originals(candidates, writings, plain.length - commits.length);
  }

  get size(): number {
    return this.#candidates.length;
  }

  /** Those that put lines in and are not among `found`. */
  without(found: ReadonlySet<string>): number {
    return this.#candidates.filter(({ id, written }) => written > 0 && !found.has(id)).length;
  }

  /** Where the new lines of a commit come from; null where it is nobody's. `time` is the committer's. */
  recognise(
    commit: { readonly commitTime: number; readonly authorEmail: string; readonly origin: Origin },
    lines: readonly WrittenLine[],
  ): Recognised | null {
    if (lines.length === 0 || this.#candidates.length === 0) return null;
    const branch = this.#branchOfMost(commit.commitTime, lines);
    if (branch === null) return null;
    const found: { record: number; number: number }[] = [];
    for (const { record, hash } of lines) {
      let latest = -1;
      for (let at = this.#writings.first(hash); at >= 0; at = this.#writings.next(at)) {
        const number = this.#writings.candidate(at);
        if (this.#candidates[number].branch === branch && this.#isEarlier(number, commit.commitTime)) latest = number;
      }
      if (latest >= 0) found.push({ record, number: latest });
    }
    if (found.length < LEAST_SHARE * lines.length) return null;
    const sources = [...new Set(found.map(({ number }) => number))].map((number) => this.#candidates[number]);
    const [only] = sources;
    const whole = sources.length === 1 && found.length === lines.length && only.written === lines.length;
    if (found.length < FEWEST_LINES && !(whole && only.email === commit.authorEmail)) return null;
    // A squash often says once, for all, what its commits said each; where they say nothing, it is what counts.
    const silent = sources.every(({ origin }) => origin === 'hand-made');
    return {
      how: sources.length === 1 ? 'rebased' : 'squashed',
      lines: found.map(({ record, number }) => {
        const { id, time, author, origin } = this.#candidates[number];
        return { record, original: { id, time, author, origin: silent ? commit.origin : origin } };
      }),
    };
  }

  /** The branch in which most of the lines were put in, or null. */
  #branchOfMost(commitTime: number, lines: readonly WrittenLine[]): number | null {
    const votes = new Map<number, number>();
    let missed = 0;
    const branches: number[] = [];
    for (const { hash } of lines) {
      branches.length = 0;
      for (let at = this.#writings.first(hash); at >= 0; at = this.#writings.next(at)) {
        const number = this.#writings.candidate(at);
        const { branch } = this.#candidates[number];
        if (this.#isEarlier(number, commitTime) && !branches.includes(branch)) branches.push(branch);
      }
      for (const branch of branches) votes.set(branch, (votes.get(branch) ?? 0) + 1);
      if (branches.length === 0 && ++missed > (1 - LEAST_SHARE) * lines.length) return null;
    }
    let best: number | null = null;
    for (const [branch, count] of votes) if (best === null || count > (votes.get(best) ?? 0)) best = branch;
    return best;
  }

  #isEarlier(number: number, commitTime: number): boolean {
    // Clocks differ by a little; what was written long after is a copy of this commit, not its original.
    return this.#candidates[number].time <= commitTime + DAY;
  }
}

/** `[commit, ...parents]` of what `revisions` (arguments of rev-list, globs included) reach and `head` does not, newest first. */
export async function commitsOutside(
  directory: string,
  head: string,
  revisions: readonly string[],
): Promise<string[][]> {
  if (revisions.length === 0) return [];
  const text = await gitText(directory, ['rev-list', '--topo-order', '--parents', ...revisions, '--not', head, '--']);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' '));
}

/** Which candidates put in a line, by content; of each content a list from the first candidate to the latest. */
class Writings {
  readonly #first = new Map<number, number>();
  readonly #candidates: number[] = [];
  readonly #next: number[] = [];
  /** At the first writing of a content: the latest. */
  readonly #latest: number[] = [];

  /** Candidates come in their order. */
  add(hash: number, candidate: number): void {
    const first = this.#first.get(hash);
    const latest = first === undefined ? -1 : this.#latest[first];
    if (latest >= 0 && this.#candidates[latest] === candidate) return;
    const fresh = this.#candidates.push(candidate) - 1;
    this.#next.push(-1);
    this.#latest.push(fresh);
    if (first === undefined) this.#first.set(hash, fresh);
    else {
      this.#next[latest] = fresh;
      this.#latest[first] = fresh;
    }
  }

  /** The first writing of a content, or −1. */
  first(hash: number): number {
    return this.#first.get(hash) ?? -1;
  }

  /** The writing of the same content after this one, or −1. */
  next(writing: number): number {
    return this.#next[writing];
  }

  candidate(writing: number): number {
    return this.#candidates[writing];
  }
}

function writtenIn(commit: LoggedCommit): number[] {
  const hashes: number[] = [];
  for (const change of commit.changes) {
    for (const { added } of change.hunks) for (const line of added) if (!line.trivial) hashes.push(line.hash);
  }
  return hashes;
}

/** A number for each commit, the same where one reaches the other through the commits given. */
function connected(graph: readonly (readonly string[])[]): Map<string, number> {
  const inside = new Map(graph.map(([id], number) => [id, number]));
  const root = graph.map((_, number) => number);
  const rootOf = (number: number): number => {
    let at = number;
    while (root[at] !== at) {
      root[at] = root[root[at]];
      at = root[at];
    }
    return at;
  };
  graph.forEach(([, ...parents], number) => {
    for (const parent of parents) {
      const known = inside.get(parent);
      if (known !== undefined) root[rootOf(known)] = rootOf(number);
    }
  });
  return new Map(graph.map(([id], number) => [id, rootOf(number)]));
}
