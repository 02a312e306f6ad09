import { LatheError } from '@lathe/protocol';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { plural } from '../format.ts';
import { keepOne } from '../keep-one.ts';
import { withRuns } from '../open-runs.ts';
import { plainLine } from '../plain-text.ts';
import { readRun } from '../read-run.ts';
import { findCandidate, findRun } from '../runs.ts';
import { taskTitle } from '../task-title.ts';
import { type Terminal, writeJson } from '../terminal.ts';

export function keep(
  runName: string,
  id: string,
  { commit, json }: { commit?: boolean; json?: boolean },
  terminal: Terminal,
): Promise<ExitStatus> {
  return withRuns(terminal.cwd, async (open) => {
    const { runId } = await findRun(runName, open.store);
    const { document, started } = await readRun(runId, open.store);
    if (id === 'best' && document.best === null) {
      throw new LatheError('LATHE_NOT_FOUND_BEST', `no candidate of run ${runId} passed`, {
        remedy: `keep one by its id all the same: lathe show ${runId}`,
      });
    }
    const candidate = findCandidate(id === 'best' ? document.best! : id, runId, document.candidates);
    const kept = await keepOne(candidate, document, {
      ...open,
      commit: commit === true,
      title: taskTitle(started.task),
    });
    if (json === true) {
      writeJson(terminal.out, { schemaVersion: 1, runId, id: candidate.id, ...kept });
      return EXIT.done;
    }
    const { colors } = terminal.out;
    const where = kept.commit === null ? 'in the checkout, not committed' : `committed as ${kept.commit.slice(0, 10)}`;
    terminal.out.write(`${colors.green('✔')} kept ${candidate.id}: ${plural(kept.files.length, 'file')} ${where}\n`);
    for (const file of kept.files) terminal.out.write(`  ${plainLine(file)}\n`);
    if (candidate.status !== 'passed') {
      terminal.err.write(
        `${terminal.err.colors.yellow('note:')} ${candidate.id} did not pass its checks (${candidate.status})\n`,
      );
    }
    return EXIT.done;
  });
}
