import type { AuditDocument } from './document.ts';
import type { FollowedCommit, FollowedHistory } from './follow.ts';
import { noOperations, OPERATIONS, type OperationCounts } from './operations.ts';
import type { OriginalCommit } from './originals.ts';
import { RECALL_DAYS } from './recall-pool.ts';
import { clusteredRate, countLife, kaplanMeier, type Lives, logRank, noLives, survivalOn } from './survival.ts';

export interface AuditOptions {
  /** How it is named in the report. */
  readonly repository: string;
  /** Only lines whose life began, and commits that were made, at or after this time (seconds since the epoch). */
  readonly since: number | null;
  /** Days within which a line counts as churned. */
  readonly windowDays: number;
  readonly shallow: boolean;
}

/** Ages at which survival is tabulated, in days. */
export const HORIZONS = [7, 14, 30, 90, 180, 365, 730, 1825] as const;
/** Groups with fewer lines than this are tabulated nowhere: their curve says nothing. */
const FEWEST_LINES = 30;
const DAY = 86_400;
const MOST_DIRECTORIES = 20;
const MOST_COMMITS = 20;
const MOST_CURVES = 8;
/** Commits that are named beside a month or a folder. */
const MOST_NAMED = 3;

export function monthOf(time: number): string {
  return new Date(time * 1000).toISOString().slice(0, 7);
}

/** Churn of one cluster, a commit: how many of its lines were watched for the whole window, and how many fell in it. */
interface CommitChurn {
  size: number;
  events: number;
}

interface Churn {
  readonly byCommit: Map<number, CommitChurn>;
}

/** What lines of one kind (a month, a language, a folder) add to: how long they lived, and what of them churned. */
interface Group {
  readonly lives: Lives;
  readonly churn: Churn;
}

function noChurn(): Churn {
  return { byCommit: new Map() };
}

interface MonthCounts {
  readonly commits: FollowedCommit[];
  readonly operations: OperationCounts;
  duplicateBlocks: number;
}

/**
 * What became of a repository's lines. A line's life begins where it was written and goes on through moves and small
 * updates; it ends where it is taken out or substantially rewritten. Lines that still stand are censored at HEAD's date.
 */
export function audit(history: FollowedHistory, options: AuditOptions): AuditDocument {
  const { table, commits, places, rewrites } = history;
  const since = options.since ?? Number.NEGATIVE_INFINITY;
  const headTime = commits.reduce((latest, commit) => Math.max(latest, commit.time), 0);
  const alive = new Uint8Array(table.length);
  let lines = 0;
  for (const file of history.tree.values()) {
    for (const record of file.lines ?? []) {
      alive[record] = 1;
      if (places[table.place[record]].counted) lines++;
    }
  }

  const groups = new Map<string, Group>();
  const groupOf = (name: string): Group => entry(groups, name, () => ({ lives: noLives(), churn: noChurn() }));
  const total = groupOf('all');
  // Looked up once for each commit and place: there are twenty lines and more to each.
  const placeGroups = places.map(({ language, directory }) => [
    groupOf(`language:${language}`),
    groupOf(`directory:${directory}`),
  ]);
  const writers = new Map<FollowedCommit | OriginalCommit, Group[]>();
  const writerGroups = (commit: FollowedCommit | OriginalCommit) =>
    entry(writers, commit, () => [
      groupOf(`origin:${commit.origin}`),
      groupOf(`author:${commit.author}`),
      groupOf(`month:${monthOf(commit.time)}`),
    ]);
  const directoryLines = new Map<string, number>();
  let lostInMerges = 0;
  const live = (began: number, original: number, died: number, place: number, lines: number) => {
    // What was rebased or squashed is as old, and as much an assistant's, as where it was written.
    const commit = original < 0 ? commits[began] : rewrites.originals[original];
    if (commit.time < since) return;
    const ended = died >= 0;
    const age = Math.max(0, (ended ? commits[died].time : headTime) - commit.time);
    const days = Math.floor(age / DAY);
    const [origin, author, month] = writerGroups(commit);
    const [language, directory] = placeGroups[place];
    countLife(total.lives, days, ended, lines);
    countLife(origin.lives, days, ended, lines);
    countLife(author.lives, days, ended, lines);
    countLife(month.lives, days, ended, lines);
    countLife(language.lives, days, ended, lines);
    countLife(directory.lives, days, ended, lines);
    if (!ended) {
      const { directory: name } = places[place];
      directoryLines.set(name, (directoryLines.get(name) ?? 0) + lines);
    }
    if (commit.time > headTime - options.windowDays * DAY) return;
    const churned = ended && age <= options.windowDays * DAY ? lines : 0;
    countChurn(total.churn, began, lines, churned);
    countChurn(month.churn, began, lines, churned);
    countChurn(directory.churn, began, lines, churned);
  };
  // Lines that came together mostly go together: they are counted by the run, not one by one.
  let began = -1;
  let original = -1;
  let died = -1;
  let place = -1;
  let run = 0;
  for (let record = 0; record < table.length; record++) {
    if (table.carried[record] || table.trivial[record] || !places[table.place[record]].counted) continue;
    const end = alive[record] ? -1 : table.died[record];
    if (end < 0 && !alive[record]) {
      lostInMerges++;
      continue;
    }
    const from = table.original.size === 0 ? -1 : (table.original.get(record) ?? -1);
    if (table.began[record] !== began || from !== original || end !== died || table.place[record] !== place) {
      if (run > 0) live(began, original, died, place, run);
      began = table.began[record];
      original = from;
      died = end;
      place = table.place[record];
      run = 0;
    }
    run++;
  }
  if (run > 0) live(began, original, died, place, run);

  const operations = noOperations();
  const months = new Map<string, MonthCounts>();
  const told = commits.filter((commit) => commit.time >= since);
  for (const commit of told) {
    const month = entry(months, monthOf(commit.time), () => ({
      commits: [],
      operations: noOperations(),
      duplicateBlocks: 0,
    }));
    month.commits.push(commit);
    month.duplicateBlocks += commit.duplicateBlocks;
    for (const operation of OPERATIONS) {
      month.operations[operation] += commit.operations[operation];
      operations[operation] += commit.operations[operation];
    }
  }

  const size = (lives: Lives) => sum(lives.deaths) + sum(lives.censored);
  const curves = [...groups]
    .map(([group, { lives }]) => ({ group, lives, lines: size(lives) }))
    .filter(({ group, lines }) => group === 'all' || lines >= FEWEST_LINES)
    .map((one) => ({ ...one, points: kaplanMeier(one.lives) }));
  curves.sort((a, b) => dimension(a.group) - dimension(b.group) || order(a, b));
  const drawn = new Map<string, number>();

  return {
    schemaVersion: 1,
    repository: options.repository,
    head: history.head,
    walk: history.walk,
    shallow: options.shallow,
    since: options.since === null ? null : new Date(options.since * 1000).toISOString(),
    commits: told.length,
    lines,
    operations,
    duplicateBlocks: told.reduce((total, commit) => total + commit.duplicateBlocks, 0),
    churn: churnOf(total.churn, options.windowDays),
    months: [...months]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([month, counts]) => ({
        month,
        ...counts,
        commits: counts.commits.length,
        churn: churnOf(groupOf(`month:${month}`).churn, options.windowDays),
        largest: most(counts.commits, MOST_NAMED, ({ operations }) => changedLines(operations)),
      })),
    operationCommits: Object.fromEntries(
      OPERATIONS.map((operation) => [operation, most(told, MOST_COMMITS, ({ operations }) => operations[operation])]),
    ) as AuditDocument['operationCommits'],
    survival: curves.flatMap(({ group, lives, points }) =>
      HORIZONS.map((days) => ({ group, ...survivalOn(lives, points, days) })).filter((point) => point.atRisk > 0),
    ),
    curves: curves
      .filter(({ group }) => {
        const kind = group.split(':')[0];
        if (kind === 'month') return false;
        drawn.set(kind, (drawn.get(kind) ?? 0) + 1);
        return (drawn.get(kind) ?? 0) <= MOST_CURVES;
      })
      .map(({ group, lines: size, points }) => ({ group, lines: size, points: thin(points) })),
    comparisons: compare(groups),
    directories: [...new Set(places.map(({ directory }) => directory))]
      .map((directory) => {
        const { churn } = groupOf(`directory:${directory}`);
        const { changed, churned, rate, low, high } = churnOf(churn, options.windowDays);
        const lines = directoryLines.get(directory) ?? 0;
        const behind = [...churn.byCommit].map(([number, { events }]) => ({ id: commits[number].id, events }));
        const named = most(behind, MOST_NAMED, ({ events }) => events);
        return { directory, lines, changed, churned, rate, low, high, commits: named };
      })
      .filter(({ changed }) => changed > 0)
      .sort((a, b) => b.churned - a.churned || (a.directory < b.directory ? -1 : 1))
      .slice(0, MOST_DIRECTORIES),
    churnedCommits: [...total.churn.byCommit]
      .filter(([, cluster]) => cluster.events > 0)
      .sort(([a, one], [b, other]) => other.events - one.events || a - b)
      .slice(0, MOST_COMMITS)
      .map(([number, cluster]) => ({
        commit: commits[number].id,
        month: monthOf(commits[number].time),
        changed: cluster.size,
        churned: cluster.events,
      })),
    findings: [],
    findingSamples: [],
    rewrites: {
      rebased: rewrites.rebased,
      squashed: rewrites.squashed,
      tracedLines: rewrites.tracedLines,
    },
    notFollowed: {
      ...history.notFollowed,
      lostInMerges,
      untracedLines: rewrites.untracedLines,
      unmatchedCommits: rewrites.unmatchedCommits,
      unreadCommits: rewrites.unreadCommits,
      notes: [
        ...(options.shallow
          ? ['The clone is shallow: lines older than its oldest commit count as written in that commit.']
          : []),
        `A line that comes back more than ${RECALL_DAYS} days after it was taken out counts as new.`,
        'Copies are recognised within one commit, not against the rest of the tree.',
        'What was squashed or rebased is traced to its originals where branches or tags still hold them; lines that came and went within a squashed branch are not counted.',
      ],
    },
  };
}

function countChurn({ byCommit }: Churn, commit: number, size: number, events: number): void {
  const cluster = byCommit.get(commit);
  if (cluster) {
    cluster.size += size;
    cluster.events += events;
  } else byCommit.set(commit, { size, events });
}

function entry<K, T>(map: Map<K, T>, key: K, fresh: () => T): T {
  let value = map.get(key);
  if (value === undefined) {
    value = fresh();
    map.set(key, value);
  }
  return value;
}

function changedLines(operations: OperationCounts): number {
  return OPERATIONS.reduce((total, operation) => total + (operation === 'noop' ? 0 : operations[operation]), 0);
}

/** Those with most lines, in that order; of equal ones the earlier first. */
function most<T extends { readonly id: string }>(
  commits: readonly T[],
  count: number,
  linesOf: (commit: T) => number,
): { commit: string; lines: number }[] {
  return commits
    .map((commit) => ({ commit: commit.id, lines: linesOf(commit) }))
    .filter(({ lines }) => lines > 0)
    .sort((a, b) => b.lines - a.lines)
    .slice(0, count);
}

function churnOf(churn: Churn, windowDays: number): AuditDocument['churn'] {
  let changed = 0;
  let churned = 0;
  for (const { size, events } of churn.byCommit.values()) {
    changed += size;
    churned += events;
  }
  const { value, low, high } = clusteredRate(churn.byCommit.values());
  return { windowDays, changed, churned, rate: value, low, high };
}

function sum(counts: ReadonlyMap<number, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}

const DIMENSIONS = ['all', 'origin', 'author', 'language', 'directory', 'month'];

function dimension(group: string): number {
  return DIMENSIONS.indexOf(group.split(':')[0]);
}

/** Months in their order, everything else the largest group first. */
function order(a: { group: string; lines: number }, b: { group: string; lines: number }): number {
  if (a.group.startsWith('month:')) return a.group < b.group ? -1 : 1;
  return b.lines - a.lines || (a.group < b.group ? -1 : 1);
}

/** Steps too small to see are left out of a drawn curve: at most about 300 points stay. */
function thin<T extends { surviving: number }>(points: readonly T[]): T[] {
  const step = 1 / 300;
  let last = Number.POSITIVE_INFINITY;
  return points.filter((point, i) => {
    if (i !== points.length - 1 && last - point.surviving < step) return false;
    last = point.surviving;
    return true;
  });
}

const PAIRS: readonly [string, string][] = [
  ['origin:hand-made', 'origin:assistant-made'],
  ['origin:hand-made', 'origin:lathe-kept'],
  ['origin:assistant-made', 'origin:lathe-kept'],
  ['author:person', 'author:bot'],
];

function compare(groups: ReadonlyMap<string, Group>): AuditDocument['comparisons'] {
  return PAIRS.flatMap(([one, other]) => {
    const a = groups.get(one)?.lives;
    const b = groups.get(other)?.lives;
    const test = a && b ? logRank(a, b) : null;
    return test ? [{ groups: [one, other] as [string, string], chiSquared: test.chiSquared, p: test.p }] : [];
  });
}
