/** A commit as the ledger needs to know it. */
export interface HistoryCommit {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  /** `hand-made`, `assistant-made` or `lathe-kept`, as far as the commit says. */
  readonly origin: string;
  /** Full ids of the commits it says it reverts. */
  readonly reverts: readonly string[];
  /** What was known of it on its day, by name, null where it was not measured; left out: nothing was asked of it. */
  readonly signals?: Readonly<Record<string, number | null>>;
}

/** One line from the commit that wrote it to the day it was last seen. */
export interface LineLife {
  /** Position in `LineHistory.commits` of the commit it began in. */
  readonly commit: number;
  readonly directory: string;
  /** When and by whom it was written where that is told apart from its commit: it came by a rebase or a squash. */
  readonly written?: { readonly timeMs: number; readonly origin: string };
  /** Whole days it was watched. */
  readonly days: number;
  /** Position of the commit that took it out or rewrote it; null where it still stood when last seen. */
  readonly endedBy: number | null;
  /** Since moved, or changed by a few words, without its life ending there. */
  readonly moved: boolean;
}

/** What a history tells of its lines: the argument through which the ledger knows histories. */
export interface LineHistory {
  readonly commits: readonly HistoryCommit[];
  readonly lives: readonly LineLife[];
  /** When the newest commit was made: lines that still stand were last seen then. */
  readonly lastSeenMs: number;
}

/** A kept candidate and where its lines are in the history. */
export interface KeptCandidate {
  readonly runId: string;
  readonly candidate: string;
  readonly keptAtMs: number;
  /** `commit`: Lathe committed it. `content`: a later commit holds its lines. `null`: neither is in the history. */
  readonly found: {
    readonly by: 'commit' | 'content';
    readonly commit: number;
    readonly lives: readonly LineLife[];
    /** Lines of the candidate that are in the commit, but whose record is not sure. */
    readonly notFollowed: number;
  } | null;
  /** Why it was not found, in words; null where it was. */
  readonly reason: string | null;
}

/** Every line of a kept candidate is counted under exactly one of these. */
export const FATES = ['survived', 'moved', 'churned', 'replaced', 'reverted'] as const;
export type Fate = (typeof FATES)[number];

/**
 * What became of a line.
 *
 * - `reverted`: taken out by a commit that says it reverts the one that brought it
 * - `churned`: else taken out or substantially rewritten within the window
 * - `replaced`: the same, later
 * - `moved`: alive at another place, or with a few words changed
 * - `survived`: alive as it was written
 */
export function fateOf(life: LineLife, commits: readonly HistoryCommit[], windowDays: number): Fate {
  if (life.endedBy === null) return life.moved ? 'moved' : 'survived';
  const brought = commits[life.commit]?.id;
  if (brought !== undefined && commits[life.endedBy]?.reverts.includes(brought)) return 'reverted';
  return life.days <= windowDays ? 'churned' : 'replaced';
}

export interface Outcome {
  readonly runId: string;
  readonly candidate: string;
  readonly keptAt: string;
  readonly status: 'followed' | 'not-found';
  /** In words where it was not found. */
  readonly reason: string | null;
  readonly commit: string | null;
  readonly by: 'commit' | 'content' | null;
  /** Days from the commit to the newest commit of the history. */
  readonly daysAtRisk: number | null;
  readonly lines: number;
  readonly fates: Readonly<Record<Fate, number>>;
  readonly notFollowed: number;
}

const DAY_MS = 86_400_000;

/** Joins a kept candidate with what its lines met. */
export function outcomeOf(kept: KeptCandidate, history: LineHistory, windowDays: number): Outcome {
  const { runId, candidate, keptAtMs, found, reason } = kept;
  const fates: Record<Fate, number> = { survived: 0, moved: 0, churned: 0, replaced: 0, reverted: 0 };
  for (const life of found?.lives ?? []) fates[fateOf(life, history.commits, windowDays)] += 1;
  const commit = found === null ? undefined : history.commits[found.commit];
  return {
    runId,
    candidate,
    keptAt: new Date(keptAtMs).toISOString(),
    status: found === null ? 'not-found' : 'followed',
    reason,
    commit: commit?.id ?? null,
    by: found?.by ?? null,
    daysAtRisk: commit === undefined ? null : Math.max(0, (history.lastSeenMs - commit.timeMs) / DAY_MS),
    lines: found?.lives.length ?? 0,
    fates,
    notFollowed: found?.notFollowed ?? 0,
  };
}
