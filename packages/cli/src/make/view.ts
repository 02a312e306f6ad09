import type { BaseCheck, CandidateStatus, DiffSize, Event, MakerNews } from '@lathe/protocol';

/** What is seen of one candidate while it is made and checked. Times are milliseconds since the epoch. */
export interface Row {
  readonly index: number;
  readonly model: string;
  /** `waiting`, a maker's own word (`loading`, `reading`, `writing`), `made`, `checking`, or how it ended. */
  readonly state: string;
  readonly status: CandidateStatus | null;
  /** What it is about just now: the check that runs, why it failed. */
  readonly detail: string;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  /** Completion tokens so far, with the times of the first and the last news of them: their rate. */
  readonly tokens: number;
  readonly firstTokenAtMs: number | null;
  readonly lastTokenAtMs: number | null;
  readonly checksPassed: number;
  readonly diff: DiffSize | null;
  /** Index of the equal candidate whose checks stand for this one's. */
  readonly sameAs: number | null;
  readonly costUsd: number;
}

/** What is seen of a run. Derived from its events, and from the passing news of makers, which is not recorded. */
export interface RunView {
  readonly rows: readonly Row[];
  readonly checks: readonly string[];
  readonly baseChecks: readonly BaseCheck[] | null;
  readonly startedAtMs: number;
  readonly promptTokens: number;
  /** The last reason a maker gave for waiting: a server that is busy or broken. Null where none did. */
  readonly waitingFor: string | null;
  readonly outcome: string | null;
}

export type ViewNews =
  | { readonly type: 'event'; readonly event: Event }
  | { readonly type: 'maker'; readonly news: MakerNews; readonly atMs: number }
  | { readonly type: 'checking'; readonly index: number; readonly command: string };

export function emptyView(options: {
  n: number;
  models: readonly string[];
  checks: readonly string[];
  startedAtMs: number;
}): RunView {
  return {
    rows: Array.from({ length: options.n }, (_, index) => ({
      index,
      model: options.models[index % options.models.length] ?? '',
      state: 'waiting',
      status: null,
      detail: '',
      startedAtMs: null,
      endedAtMs: null,
      tokens: 0,
      firstTokenAtMs: null,
      lastTokenAtMs: null,
      checksPassed: 0,
      diff: null,
      sameAs: null,
      costUsd: 0,
    })),
    checks: options.checks,
    baseChecks: null,
    startedAtMs: options.startedAtMs,
    promptTokens: 0,
    waitingFor: null,
    outcome: null,
  };
}

export function nextView(view: RunView, news: ViewNews): RunView {
  switch (news.type) {
    case 'checking':
      return changeRow(view, news.index, { state: 'checking', detail: news.command });
    case 'maker':
      return afterMakerNews(view, news.news, news.atMs);
    case 'event':
      return afterEvent(view, news.event);
  }
}

function afterMakerNews(view: RunView, news: MakerNews, atMs: number): RunView {
  if (news.type === 'phase') {
    const waitingFor = (news.phase === 'waiting' && news.detail) || view.waitingFor;
    return news.indices.reduce(
      (next, index) =>
        changeRow(next, index, (row) => ({
          state: news.phase,
          // Which file is loaded is the same for all rows, and too long for each.
          detail: news.phase === 'loading' ? '' : (news.detail ?? ''),
          startedAtMs: row.startedAtMs ?? atMs,
        })),
      { ...view, waitingFor },
    );
  }
  if (news.type === 'tokens') {
    return changeRow(view, news.index, (row) => ({
      state: 'writing',
      detail: '',
      tokens: news.completion,
      startedAtMs: row.startedAtMs ?? atMs,
      firstTokenAtMs: row.firstTokenAtMs ?? atMs,
      lastTokenAtMs: atMs,
    }));
  }
  return view;
}

function afterEvent(view: RunView, event: Event): RunView {
  switch (event.type) {
    case 'base-checked':
      return { ...view, baseChecks: event.checks };
    case 'candidate-made':
      return changeRow({ ...view, promptTokens: view.promptTokens + event.tokens.prompt }, event.index, (row) => ({
        model: event.model,
        state: 'made',
        detail: event.reason ?? '',
        tokens: event.tokens.completion,
        startedAtMs: row.startedAtMs ?? event.atMs - event.durationMs,
        costUsd: event.costUsd,
      }));
    case 'candidate-recorded':
      return changeRow(view, event.index, { diff: event.diff });
    case 'check-finished':
      return changeRow(view, event.index, (row) => ({
        checksPassed: row.checksPassed + (event.check.status === 'passed' ? 1 : 0),
        detail:
          event.check.status === 'passed'
            ? row.detail
            : `${event.check.command}: ${event.check.reason ?? event.check.status}`,
      }));
    case 'candidate-finished':
      return changeRow(view, event.index, (row) => ({
        state: event.status,
        status: event.status,
        detail: event.status === 'passed' ? '' : (event.reason ?? row.detail),
        sameAs: event.sameAs,
        checksPassed: event.status === 'passed' ? view.checks.length : row.checksPassed,
        endedAtMs: event.atMs,
      }));
    case 'run-finished':
      return { ...view, outcome: event.outcome };
    default:
      return view;
  }
}

type RowChange = Partial<Row> | ((row: Row) => Partial<Row>);

function changeRow(view: RunView, index: number, change: RowChange): RunView {
  const row = view.rows[index];
  // A row that has ended stays as it ended: late news of its maker is of no interest.
  if (row === undefined || row.status !== null) return view;
  const rows = view.rows.slice();
  rows[index] = { ...row, ...(typeof change === 'function' ? change(row) : change) };
  return { ...view, rows };
}

/** Tokens a second between the first and the last news of a row; null where there is nothing to divide yet. */
export function tokenRate(row: Row): number | null {
  if (row.firstTokenAtMs === null || row.lastTokenAtMs === null || row.lastTokenAtMs - row.firstTokenAtMs < 100)
    return null;
  return (row.tokens * 1000) / (row.lastTokenAtMs - row.firstTokenAtMs);
}
