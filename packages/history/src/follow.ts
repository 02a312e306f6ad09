import { AgentTraces, originByTrace, TRACE_RECORDS, tracesInWorkingTree } from './agent-trace.ts';
import { type AuthorClass, authorClassOf, type Origin, originOf } from './authorship.ts';
import { CommitFeed } from './commit-feed.ts';
import { FileTree, PathNumbers } from './file-tree.ts';
import { committedFiles, gitText, graphArguments, type Part, type Walk } from './git-log.ts';
import { languageOf } from './languages.ts';
import { type AppliedHunk, applyChange, applyMerge, type FileState, LineTable, type TreeState } from './line-table.ts';
import { allBut } from './missing-contents.ts';
import {
  copiedHashes,
  DUPLICATE_BLOCK_LINES,
  duplicateBlocks,
  findReplacements,
  noOperations,
  type OperationCounts,
  replacement,
  updatedPairs,
  type WordChange,
} from './operations.ts';
import { commitsOutside, noRewrites, Originals, type Rewrites, type WrittenLine } from './originals.ts';
import type { FileChange, Hunk, HunkLine, LoggedCommit } from './patch-stream.ts';
import { CountedPaths, directoryOf, readablePath } from './paths.ts';
import { RecallPool } from './recall-pool.ts';

/** What is kept of a commit after its lines were followed. */
export interface FollowedCommit {
  readonly id: string;
  /** Seconds since the epoch; an impossible date is replaced by the commit's other one or by its parents' (counted). */
  readonly time: number;
  readonly author: AuthorClass;
  readonly origin: Origin;
  readonly operations: OperationCounts;
  readonly duplicateBlocks: number;
}

/** Lines of one directory, language and kind, so that a line record needs one number for all three. */
export interface Place {
  readonly directory: string;
  readonly language: string;
  /** False for generated, vendored and lock files: followed, never counted. */
  readonly counted: boolean;
}

/** What could not be followed, by reason. Never silent. */
export interface NotFollowed {
  /** Files git took for binary, at the commit where that happened. */
  binaryFiles: number;
  /** Files whose diff did not fit the lines known of them; their lines leave the counts from there on. */
  misfitFiles: number;
  /** Lines that vanished in a merge without any commit taking them out. */
  lostInMerges: number;
  /** Commits with an impossible date. */
  repairedDates: number;
  /** Files left out because the repository lacks some of their contents. */
  filesWithoutContent: number;
  /** Lines of Agent Trace files of which nothing could be made. */
  unreadTraces: number;
}

/** The lines of a repository and what became of them: all that an audit is computed from. */
export interface FollowedHistory {
  readonly head: string;
  readonly walk: Walk;
  readonly commits: FollowedCommit[];
  readonly places: Place[];
  readonly table: LineTable;
  /** Lines at HEAD. */
  readonly tree: TreeState;
  readonly notFollowed: NotFollowed;
  /** Lines taken out less than the recall window ago, which may yet come back. */
  readonly recall: RecallPool;
  /** What came into the history by a rebase or a squash, as far as its originals are still there. */
  readonly rewrites: Rewrites;
}

const DAY = 86_400;
const EARLIEST = Date.UTC(1990, 0, 1) / 1000;

export interface FollowOptions {
  readonly directory: string;
  /** Full id of the commit whose history is followed. */
  readonly head: string;
  readonly walk: Walk;
  /** Seconds since the epoch; later dates are impossible. */
  readonly now: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Arguments of rev-list: where originals of rebased and squashed commits are looked for. Left out: nowhere. */
  readonly originals?: readonly string[];
  /** Files, by path as latin1 of git's bytes, whose contents are not all there: left out as if they had never been. */
  readonly leftOut?: readonly string[];
  /** Where an earlier run stopped; its history is continued in place. */
  readonly from?: FollowedHistory;
}

/** Whether `from` can be continued: every new commit hangs on a new commit or on the old HEAD itself. */
export function continues(from: FollowedHistory, graph: readonly (readonly string[])[]): boolean {
  const known = new Set([from.head]);
  for (const [commit, ...parents] of graph) {
    if (!parents.every((parent) => known.has(parent))) return false;
    known.add(commit);
  }
  return true;
}

/** Commits from `from` (exclusive) to `head`, parents first: `[commit, ...parents]`. */
export async function commitGraph(directory: string, head: string, walk: Walk, from?: string): Promise<string[][]> {
  const text = await gitText(directory, graphArguments(head, walk, from ? [from] : []));
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' '))
    .map((ids) => (walk === 'first-parent' ? ids.slice(0, 2) : ids));
}

/**
 * One pass over git's own diffs, parents before children. Each commit's tree is a map from path to line records, shared
 * with its parents wherever nothing changed, and dropped after its last child.
 *
 * @throws {GitFailure} where git cannot read the history.
 */
export async function followHistory(options: FollowOptions): Promise<FollowedHistory> {
  const { directory, head, walk, from } = options;
  // All at once: each is a git process that mostly waits for its own start.
  const [graph, notes, outside, [attributes, committedTraces], looseTraces] = await Promise.all([
    commitGraph(directory, head, walk, from?.head),
    noteRefs(directory),
    commitsOutside(directory, head, options.originals ?? []),
    committedFiles(directory, head, ['.gitattributes', TRACE_RECORDS]),
    tracesInWorkingTree(directory),
  ]);
  if (from && !continues(from, graph)) throw new Error('internal: this history does not continue the earlier one');
  const feeds = new Feeds(options, graph, notes);
  try {
    const paths = allBut(options.leftOut ?? []);
    const follower = new Follower(options, graph, {
      paths: new CountedPaths(attributes ?? ''),
      originals: await Originals.read({ directory, graph: outside, notes, paths }),
      traces: AgentTraces.read([committedTraces ?? '', looseTraces]),
    });
    let done = 0;
    for (const [id, ...parents] of graph) {
      const { commit, merged } = await feeds.next(id, parents.length > 1);
      follower.follow(commit, merged);
      done++;
      options.onProgress?.(done, graph.length);
    }
    return follower.finish();
  } finally {
    await feeds.close();
  }
}

/** What a history is read from: plain commits; where merged branches are walked, merges and the files a merge took whole. */
class Feeds {
  readonly #plain: CommitFeed;
  readonly #merges: CommitFeed;
  readonly #mergedFiles: CommitFeed;

  constructor(
    { directory, walk, leftOut = [] }: FollowOptions,
    graph: readonly (readonly string[])[],
    notes: readonly string[],
  ) {
    const apart = walk === 'all' ? graph.filter((ids) => ids.length > 2).map(([id]) => id) : [];
    const merges = new Set(apart);
    const plain = graph.flatMap(([id]) => (merges.has(id) ? [] : [id]));
    const paths = allBut(leftOut);
    const feed = (part: Part, commits: readonly string[]) => new CommitFeed({ directory, part, commits, notes, paths });
    this.#plain = feed('plain', plain);
    this.#merges = feed('merges', apart);
    this.#mergedFiles = feed('merged-files', apart);
  }

  async next(id: string, merge: boolean): Promise<{ commit: LoggedCommit; merged?: LoggedCommit }> {
    if (!merge) return { commit: await this.#plain.next(id) };
    return { commit: await this.#merges.next(id), merged: await this.#mergedFiles.next(id) };
  }

  async close(): Promise<void> {
    await Promise.all([this.#plain.close(), this.#merges.close(), this.#mergedFiles.close()]);
  }
}

async function noteRefs(directory: string): Promise<string[]> {
  const text = await gitText(directory, ['for-each-ref', '--format=%(refname)', 'refs/notes/lathe', 'refs/notes/ai']);
  return text.split('\n').filter((ref) => ref !== '');
}

class Follower {
  readonly #options: FollowOptions;
  readonly #paths: CountedPaths;
  readonly #commits: FollowedCommit[];
  readonly #places: Place[];
  readonly #placeNumbers = new Map<string, number>();
  readonly #placeByPath = new Map<string, number>();
  readonly #table: LineTable;
  readonly #recall: RecallPool;
  readonly #notFollowed: NotFollowed;
  /** Trees that children still need, with the number of those children. */
  readonly #trees = new Map<string, { tree: FileTree; time: number; children: number }>();
  readonly #pathNumbers = new PathNumbers();
  readonly #children = new Map<string, number>();

  readonly #originals: Originals;
  readonly #traces: AgentTraces;
  readonly #rewrites: Rewrites;

  constructor(
    options: FollowOptions,
    graph: readonly (readonly string[])[],
    { paths, originals, traces }: { paths: CountedPaths; originals: Originals; traces: AgentTraces },
  ) {
    this.#options = options;
    this.#paths = paths;
    this.#originals = originals;
    this.#traces = traces;
    const { from } = options;
    this.#commits = from?.commits ?? [];
    this.#places = from?.places ?? [];
    this.#table = from?.table ?? new LineTable();
    this.#recall = from?.recall ?? new RecallPool();
    this.#rewrites = from?.rewrites ?? noRewrites();
    this.#notFollowed = from?.notFollowed ?? {
      binaryFiles: 0,
      misfitFiles: 0,
      lostInMerges: 0,
      repairedDates: 0,
      filesWithoutContent: options.leftOut?.length ?? 0,
      unreadTraces: 0,
    };
    this.#places.forEach((place, number) => {
      this.#placeNumbers.set(`${place.directory}\0${place.language}\0${place.counted}`, number);
    });
    for (const [, ...parents] of graph) {
      for (const parent of parents) this.#children.set(parent, (this.#children.get(parent) ?? 0) + 1);
    }
    if (from) {
      const tree = new FileTree(this.#pathNumbers);
      for (const [path, state] of from.tree) tree.set(path, state);
      const { time } = from.commits[from.commits.length - 1];
      this.#trees.set(from.head, { tree, time, children: this.#children.get(from.head) ?? 0 });
    }
  }

  finish(): FollowedHistory {
    const { head, walk } = this.#options;
    const last = this.#trees.get(head);
    this.#rewrites.unmatchedCommits = this.#originals.without(this.#rewrites.found);
    this.#rewrites.unreadCommits = this.#originals.unread;
    this.#notFollowed.unreadTraces = this.#traces.unread;
    return {
      head,
      walk,
      commits: this.#commits,
      places: this.#places,
      table: this.#table,
      tree: new Map(last?.tree),
      notFollowed: this.#notFollowed,
      recall: this.#recall,
      rewrites: this.#rewrites,
    };
  }

  follow(commit: LoggedCommit, merge: LoggedCommit | undefined): void {
    const number = this.#commits.length;
    const parents = this.#options.walk === 'first-parent' ? commit.parents.slice(0, 1) : commit.parents;
    const time = this.#time(commit, parents);
    const trees = parents.map((parent) => this.#trees.get(parent)?.tree ?? new FileTree(this.#pathNumbers));
    const tree = this.#inherit(parents[0], parents.length === 1);
    const deed = new CommitDeed(this.#table, this.#recall, this.#commits, number, time);
    const written: WrittenLine[] = [];
    const traced: TracedLine[] = [];
    const noteIsTrace = commit.notes !== '' && this.#traces.addNote(commit.id, commit.notes);
    if (commit.parents.length > 1 && this.#options.walk === 'all') {
      this.#followMerge(commit, merge, trees, tree, number, deed);
    } else {
      this.#followPlain(commit, trees[0], tree, number, deed, written, traced);
    }
    for (const parent of parents) this.#release(parent);
    this.#trees.set(commit.id, { tree, time, children: this.#children.get(commit.id) ?? 0 });
    const followed = {
      id: commit.id,
      time,
      author: authorClassOf(commit),
      // A record that says of each line whose it is says nothing of the commit as a whole.
      origin: originOf(noteIsTrace ? { ...commit, notes: '' } : commit),
      ...deed.settle(),
    };
    this.#commits.push(followed);
    this.#recognise(commit, followed, written);
    this.#attribute(followed, traced);
    this.#recall.expire(time);
  }

  /** Gives lines the origin that Agent Trace records say they have, where the commit as a whole says another. */
  #attribute(followed: FollowedCommit, traced: readonly TracedLine[]): void {
    const numbers = new Map<string, number>();
    for (const { record, origin } of traced) {
      const was = this.#table.original.get(record);
      const { id, time, author } = was === undefined ? followed : this.#rewrites.originals[was];
      // What was kept from Lathe's candidates was recorded when it was kept.
      if (followed.origin === 'lathe-kept' || (was === undefined && origin === followed.origin)) continue;
      const key = `${id} ${origin}`;
      const at = numbers.get(key) ?? this.#rewrites.originals.push({ id, time, author, origin }) - 1;
      numbers.set(key, at);
      if (this.#table.began[record] === this.#commits.length - 1) this.#table.original.set(record, at);
    }
  }

  /** Gives lines that came by a rebase or a squash the age and origin they have where they were written. */
  #recognise(commit: LoggedCommit, followed: FollowedCommit, written: readonly WrittenLine[]): void {
    const found = this.#originals.recognise({ ...commit, origin: followed.origin }, written);
    if (!found) return;
    this.#rewrites[found.how]++;
    this.#rewrites.untracedLines += written.length - found.lines.length;
    const numbers = new Map<string, number | null>();
    const number = this.#commits.length - 1;
    for (const { record, original } of found.lines) {
      this.#rewrites.found.add(original.id);
      let at = numbers.get(original.id);
      if (at === undefined) {
        const time = this.#isPossible(original.time) ? Math.min(original.time, followed.time) : followed.time;
        const same =
          time === followed.time && original.origin === followed.origin && original.author === followed.author;
        at = same ? null : this.#rewrites.originals.push({ ...original, time }) - 1;
        numbers.set(original.id, at);
      }
      // A line that goes on with an earlier one's life is older still.
      if (at === null || this.#table.began[record] !== number) continue;
      this.#table.original.set(record, at);
      this.#rewrites.tracedLines++;
    }
  }

  #followPlain(
    commit: LoggedCommit,
    old: FileTree | undefined,
    tree: FileTree,
    number: number,
    deed: CommitDeed,
    written: WrittenLine[],
    traced: TracedLine[],
  ): void {
    // Read every old state first: a commit may rename a to b and b to a.
    const sources = commit.changes.map((change) => old?.get(change.oldPaths[0]));
    for (const change of commit.changes) {
      if (change.status === 'D' || change.status === 'R') tree.delete(change.oldPaths[0]);
    }
    commit.changes.forEach((change, i) => {
      if (!isText(change)) return;
      const place = this.#place(change.newPath);
      const applied = applyChange(this.#table, change.status === 'A' ? undefined : sources[i], change, number, place);
      if (change.status !== 'D') tree.set(change.newPath, applied.state);
      if (change.binary) this.#notFollowed.binaryFiles++;
      if (applied.misfit) this.#notFollowed.misfitFiles++;
      deed.change(change, applied.hunks, this.#places[place].counted);
      const ranges = this.#traces.rangesOf(commit.id, commit.parents, readablePath(change.newPath));
      if (ranges) {
        applied.hunks.forEach(({ firstAdded }, h) => {
          const { newStart, added } = change.hunks[h];
          for (let l = 0; l < added.length; l++) {
            const origin = originByTrace(ranges, newStart + l + 1);
            if (origin) traced.push({ record: firstAdded + l, origin });
          }
        });
      }
      if (this.#originals.size === 0) return;
      applied.hunks.forEach(({ firstAdded }, h) => {
        change.hunks[h].added.forEach(({ hash, trivial }, l) => {
          if (!trivial) written.push({ record: firstAdded + l, hash });
        });
      });
    });
  }

  #followMerge(
    commit: LoggedCommit,
    merge: LoggedCommit | undefined,
    trees: readonly FileTree[],
    tree: FileTree,
    number: number,
    deed: CommitDeed,
  ): void {
    const combined = new Map(commit.changes.map((change) => [change.newPath, change]));
    for (const change of merge?.changes ?? []) {
      const path = change.newPath;
      if (change.status === 'D') {
        tree.delete(path);
        continue;
      }
      if (!isText(change)) continue;
      const whole = trees.map((parent) => parent.get(path)).find((state) => state?.blob === change.newId);
      const moved = whole ?? trees.map((parent) => byBlob(parent, change.newId, combined.get(path))).find(Boolean);
      const merged = combined.get(path);
      const states = merged ? trees.map((parent, p) => parent.get(merged.oldPaths[p] ?? path)) : [];
      const renamed = states.find((state) => state?.blob === change.newId);
      if (whole) tree.set(path, whole);
      else if (renamed) tree.set(path, renamed);
      else if (merged) {
        const applied = applyMerge(this.#table, states, merged, number, this.#place(path));
        tree.set(path, applied.state);
        if (merged.binary) this.#notFollowed.binaryFiles++;
        if (applied.misfit) this.#notFollowed.misfitFiles++;
        deed.merge(applied, this.#places[this.#place(path)].counted);
      } else if (moved) tree.set(path, moved);
      else {
        this.#notFollowed.misfitFiles++;
        tree.set(path, { blob: change.newId, lines: null, lost: true });
      }
    }
  }

  #time(commit: LoggedCommit, parents: readonly string[]): number {
    if (this.#isPossible(commit.authorTime)) return commit.authorTime;
    this.#notFollowed.repairedDates++;
    if (this.#isPossible(commit.commitTime)) return commit.commitTime;
    return Math.max(EARLIEST, ...parents.map((parent) => this.#trees.get(parent)?.time ?? EARLIEST));
  }

  #isPossible(time: number): boolean {
    return time >= EARLIEST && time <= this.#options.now + DAY;
  }

  /** The first parent's tree, to be changed in place if nobody else needs it, or a copy. */
  #inherit(parent: string | undefined, onlyParent: boolean): FileTree {
    const held = parent === undefined ? undefined : this.#trees.get(parent);
    if (!held) return new FileTree(this.#pathNumbers);
    return onlyParent && held.children === 1 ? held.tree : held.tree.fork();
  }

  #release(parent: string): void {
    const held = this.#trees.get(parent);
    if (!held) return;
    held.children--;
    if (held.children <= 0) this.#trees.delete(parent);
  }

  #place(path: string): number {
    const known = this.#placeByPath.get(path);
    if (known !== undefined) return known;
    const readable = readablePath(path);
    const place: Place = {
      directory: directoryOf(readable),
      language: languageOf(readable),
      counted: this.#paths.counted(readable),
    };
    const key = `${place.directory}\0${place.language}\0${place.counted}`;
    let number = this.#placeNumbers.get(key);
    if (number === undefined) {
      number = this.#places.length;
      this.#places.push(place);
      this.#placeNumbers.set(key, number);
    }
    this.#placeByPath.set(path, number);
    return number;
  }
}

/** Submodules and symbolic links have no lines. */
function isText(change: FileChange): boolean {
  return !/^(?:160000|120000)$/.test(change.status === 'D' ? change.oldModes[0] : change.newMode);
}

/** A file that a merge took from a parent under another name. */
function byBlob(tree: FileTree, blob: string, merged: FileChange | undefined): FileState | undefined {
  if (merged) return undefined;
  for (const [, state] of tree) if (state.blob === blob) return state;
  return undefined;
}

interface TracedLine {
  readonly record: number;
  readonly origin: Origin;
}

interface CountedLine {
  readonly record: number;
  readonly line: Pick<HunkLine, 'hash' | 'trivial'>;
  /** Number of its file among those that the commit changed. */
  readonly file: number;
  /** Hash of the heading of the function it stands in. */
  readonly heading: number;
  readonly counted: boolean;
}

/** Collects what one commit did and decides which operation each line was. */
class CommitDeed {
  readonly #table: LineTable;
  readonly #recall: RecallPool;
  readonly #commits: readonly FollowedCommit[];
  readonly #number: number;
  readonly #time: number;
  readonly #updates: { change: WordChange; counted: boolean }[] = [];
  /** Lines that say something; of the others nothing is told. */
  readonly #removed: { record: number; line: HunkLine; counted: boolean }[] = [];
  readonly #added: CountedLine[] = [];
  readonly #runs: HunkLine[][] = [];
  #files = 0;
  #whitespaceOnly = 0;

  constructor(table: LineTable, recall: RecallPool, commits: readonly FollowedCommit[], number: number, time: number) {
    this.#table = table;
    this.#recall = recall;
    this.#commits = commits;
    this.#number = number;
    this.#time = time;
  }

  change(change: FileChange, hunks: readonly AppliedHunk[], counted: boolean): void {
    if (change.status === 'M' && change.hunks.length === 0 && !change.binary && change.oldIds[0] !== change.newId) {
      // Content differs, yet not one line does once white space is put aside.
      if (counted) this.#whitespaceOnly++;
      return;
    }
    this.#files++;
    for (let i = 0; i < hunks.length; i++) this.#hunk(change.hunks[i], hunks[i], counted);
  }

  #hunk(hunk: Hunk, applied: AppliedHunk, counted: boolean): void {
    const file = this.#files;
    let { heading } = hunk;
    for (const record of applied.removed) this.#end(record);
    const pairs = updatedPairs(hunk);
    for (const pair of pairs) {
      this.#table.carry(applied.removed[pair.removed], applied.firstAdded + pair.added);
      this.#updates.push({ change: pair.change, counted });
    }
    // Pairs come in the order of both sides.
    let pair = 0;
    for (let i = 0; i < hunk.removed.length; i++) {
      const line = hunk.removed[i];
      if (pair < pairs.length && pairs[pair].removed === i) pair++;
      else if (!line.trivial) this.#removed.push({ record: applied.removed[i], line, counted });
    }
    pair = 0;
    for (let i = 0; i < hunk.added.length; i++) {
      const line = hunk.added[i];
      if (line.opens) heading = line.hash;
      if (pair < pairs.length && pairs[pair].added === i) pair++;
      else if (!line.trivial) this.#added.push({ record: applied.firstAdded + i, line, file, heading, counted });
    }
    if (counted && hunk.added.length >= DUPLICATE_BLOCK_LINES) this.#runs.push(hunk.added);
  }

  merge(
    applied: { added: readonly { record: number; hash: number; trivial: boolean }[]; removed: readonly number[] },
    counted: boolean,
  ): void {
    const file = ++this.#files;
    for (const record of applied.removed) this.#end(record);
    for (const { record, hash, trivial } of applied.added) {
      if (!trivial) this.#added.push({ record, line: { hash, trivial }, file, heading: 0, counted });
    }
  }

  #end(record: number): void {
    if (this.#table.died[record] < 0) this.#table.died[record] = this.#number;
  }

  settle(): { operations: OperationCounts; duplicateBlocks: number } {
    const operations = noOperations();
    operations.noop = this.#whitespaceOnly;
    const replaced = findReplacements(this.#updates.filter((update) => update.counted).map((update) => update.change));
    for (const { change, counted } of this.#updates) {
      if (!counted) continue;
      const key = replacement(change)?.key;
      if (key !== undefined && replaced.has(key)) operations.findReplaced++;
      else operations.updated++;
    }
    for (const { record, line, counted } of this.#removed) {
      if (counted) operations.deleted++;
      this.#recall.add(line.hash, { record, commit: this.#number }, this.#time);
    }
    const fresh: CountedLine[] = [];
    for (const added of this.#added) {
      const removal = this.#recall.claim(added.line.hash, this.#time);
      if (!removal) {
        fresh.push(added);
        continue;
      }
      this.#table.carry(removal.record, added.record);
      const then = removal.commit === this.#number ? operations : this.#commits[removal.commit].operations;
      if (added.counted) {
        operations.moved++;
        // What comes back was moved, not deleted; the commit that took it out is told so.
        if (then.deleted > 0) then.deleted--;
      }
    }
    const copied = copiedHashes(fresh.filter((added) => added.counted));
    for (const { line, counted } of fresh) {
      if (!counted) continue;
      if (copied.has(line.hash)) operations.copyPasted++;
      else operations.added++;
    }
    return { operations, duplicateBlocks: duplicateBlocks(this.#runs) };
  }
}
