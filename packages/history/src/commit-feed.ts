import { availableParallelism } from 'node:os';
import { diffArguments, GitFailure, gitStream, type Part } from './git-log.ts';
import { END_OF_CHUNK, type LoggedCommit, readCommits } from './patch-stream.ts';

/** Commits a git process is given at a time: enough to share out, few enough that what waits to be read stays small. */
const CHUNK = 64;
/** More of them than this only wait for the one who reads. */
const MOST_PROCESSES = 4;

export interface FeedOptions {
  readonly directory: string;
  readonly part: Part;
  /** Full ids, in the order in which they will be asked for. */
  readonly commits: readonly string[];
  /** Note refs to read along. */
  readonly notes: readonly string[];
  /** Pathspecs; none for everything. */
  readonly paths: readonly string[];
}

/**
 * The diffs of given commits, in their order. Git's own work is most of an audit's, so several processes share it: the
 * commits are dealt out in chunks, turn by turn, and each process works ahead of the reader.
 */
export class CommitFeed {
  readonly #streams: { readonly batches: AsyncGenerator<LoggedCommit[], void, void>; ready: LoggedCommit[] }[];
  readonly #over = new AbortController();
  #taken = 0;

  constructor({ directory, part, commits, notes, paths }: FeedOptions) {
    const chunks = Math.ceil(commits.length / CHUNK);
    const most = part === 'plain' ? Math.min(MOST_PROCESSES, availableParallelism()) : 1;
    const args = diffArguments(part, notes, paths);
    this.#streams = Array.from({ length: Math.min(most, chunks) }, (_, process) => {
      const turns: string[] = [];
      for (let chunk = process; chunk < chunks; chunk += Math.min(most, chunks)) {
        turns.push(...commits.slice(chunk * CHUNK, (chunk + 1) * CHUNK), END_OF_CHUNK);
      }
      return {
        batches: readCommits(gitStream(directory, args, { input: `${turns.join('\n')}\n`, signal: this.#over.signal })),
        ready: [],
      };
    });
  }

  /** The next commit, which must be `id`. */
  async next(id: string): Promise<LoggedCommit> {
    const stream = this.#streams[Math.floor(this.#taken++ / CHUNK) % this.#streams.length];
    while (stream?.ready.length === 0) {
      const { value, done } = await stream.batches.next();
      if (done) break;
      stream.ready = value;
    }
    const commit = stream?.ready.shift();
    if (commit?.id === id) return commit;
    throw new GitFailure(
      `git diff-tree gave ${commit ? commit.id : 'nothing'} where rev-list had ${id}.`,
      'Another process may have changed the repository meanwhile: try again.',
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#streams.map(({ batches }) => batches.return()));
    this.#over.abort();
  }
}
