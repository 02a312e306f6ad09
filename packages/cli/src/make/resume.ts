import { isComplete, replayRun, resumeRun } from '@lathe/best-of-n';
import type { ExitStatus } from '../exit-status.ts';
import { plural } from '../format.ts';
import { type OpenRuns, withRuns } from '../open-runs.ts';
import { owningRun } from '../run-owner.ts';
import { findRun } from '../runs.ts';
import { taskTitle } from '../task-title.ts';
import type { Terminal } from '../terminal.ts';
import { conduct } from './conduct.ts';
import { reportRun } from './report.ts';
import { type Session, withSession } from './session.ts';

export function resume(name: string, { json }: { json?: boolean }, terminal: Terminal): Promise<ExitStatus> {
  return withRuns(terminal.cwd, async (open) => {
    const { runId } = await findRun(name, open.store);
    const { latheDir } = open.repository.location;
    return withSession(terminal, (session) =>
      owningRun(runId, latheDir, () => goOn(runId, { ...open, session, json: json === true })),
    );
  });
}

async function goOn(runId: string, given: OpenRuns & { session: Session; json: boolean }): Promise<ExitStatus> {
  const { session, store } = given;
  const before = replayRun(runId, await store.read(runId));
  if (before === null) throw new Error(`internal: run ${runId} is listed and has no events`);
  const { task, options, baseCommit } = before.started;
  const { colors } = session;
  session.note(`${colors.bold(`lathe  ${taskTitle(task)}`)}  ${colors.dim(`run ${runId}, resumed`)}`);
  const keepBest = options.keep === 'best';
  if (isComplete(before)) {
    session.note('Every candidate of this run has ended already.');
    return reportRun(before, { ...given, keepBest });
  }
  const done = [...before.candidates.values()].filter(({ finished }) => finished !== null).length;
  session.fact('done', `${done} of ${plural(options.n, 'candidate')} before it stopped`);
  const state = await conduct({ ...given, runId, task, options, baseCommit, before }, session, (parts) =>
    resumeRun(runId, parts),
  );
  return reportRun(state, { ...given, keepBest });
}
