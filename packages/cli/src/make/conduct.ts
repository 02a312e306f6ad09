import type { RunNews, RunParts, RunState } from '@lathe/best-of-n';
import type { Maker, RunOptions, RunStore, Task } from '@lathe/protocol';
import type { Repository } from '@lathe/repository';
import { formatBaseCheck } from '../format.ts';
import { plainLine } from '../plain-text.ts';
import { openMakers } from './models.ts';
import type { Session } from './session.ts';
import { emptyView, nextView, type RunView, type ViewNews } from './view.ts';
import { withParts } from './wiring.ts';

export interface ConductRequest {
  readonly runId: string;
  readonly task: Task;
  readonly options: RunOptions;
  readonly baseCommit: string;
  readonly repository: Repository;
  readonly store: RunStore;
  /** State of a run that is resumed. */
  readonly before?: RunState;
}

/** Opens the makers, makes copies possible, lets `drive` do the run while it is shown, and puts everything away. */
export async function conduct(
  request: ConductRequest,
  session: Session,
  drive: (parts: RunParts) => Promise<RunState>,
): Promise<RunState> {
  const makers = await openMakers(request.options, session);
  try {
    session.throwIfStopped();
    session.display.doing('laying out the base for the copies');
    return await withParts(
      {
        ...request,
        makers,
        signal: session.signal,
        observe: (news) => show(news, session),
        onLeftOut: (path, why) => session.warn(`the copies lack ${plainLine(path)}: ${why}`),
      },
      (parts) => {
        session.fact('copies', parts.workspaces.isolation);
        session.throwIfStopped();
        session.display.begin(firstView(request));
        return drive(parts);
      },
    );
  } finally {
    await closeAll(makers);
  }
}

async function closeAll(makers: readonly Maker[]): Promise<void> {
  await Promise.all(makers.map((maker) => maker.close()));
}

/** Rows as they are at the start: empty, or as a run that is resumed had left them. */
function firstView({ options, task, before }: ConductRequest): RunView {
  const startedAtMs = Date.now();
  const view = emptyView({ n: options.n, models: options.models, checks: task.checks, startedAtMs });
  if (before === undefined) return view;
  const events = [...before.candidates.values()].flatMap(({ made, recorded, checks, finished }) => [
    made,
    ...(recorded === null ? [] : [recorded]),
    ...checks.map((check) => ({ type: 'check-finished' as const, atMs: startedAtMs, index: made.index, check })),
    ...(finished === null ? [] : [finished]),
  ]);
  return events.reduce((seen, event) => nextView(seen, { type: 'event', event }), view);
}

function show(news: RunNews, session: Session): void {
  if (news.type === 'event' && news.event.type === 'base-checked') {
    for (const check of news.event.checks) session.fact('base', formatBaseCheck(check));
  }
  const seen = toViewNews(news);
  if (seen !== null) session.display.update(seen);
}

function toViewNews(news: RunNews): ViewNews | null {
  switch (news.type) {
    case 'event':
      return { type: 'event', event: news.event };
    case 'maker':
      return { type: 'maker', news: news.news, atMs: Date.now() };
    case 'checking':
      return news;
    case 'checking-base':
      return null;
  }
}
