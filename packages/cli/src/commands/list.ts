import { listRuns } from '@lathe/ledger';
import type { RunSummary } from '@lathe/protocol';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { findLatheDir } from '../find-lathe-dir.ts';
import { plainLine } from '../plain-text.ts';
import { livingOwner } from '../run-owner.ts';
import { storeLocation } from '../store-location.ts';
import { type Terminal, writeJson } from '../terminal.ts';

export async function list({ json }: { json?: boolean }, terminal: Terminal): Promise<ExitStatus> {
  const latheDir = await findLatheDir(terminal.cwd, terminal.env);
  const summaries = await listRuns(await storeLocation(latheDir, terminal.env));
  const runs = await Promise.all(
    summaries.map(async (run) => ({ ...run, running: (await livingOwner(run.runId, latheDir)) !== null })),
  );
  if (json === true) {
    writeJson(terminal.out, { schemaVersion: 1, runs });
    return EXIT.done;
  }
  if (runs.length === 0) {
    terminal.err.write('No runs in this repository yet. Make one: lathe make --help\n');
    return EXIT.done;
  }
  const { drawTable } = await import('../table.ts');
  const { columns: width, colors } = terminal.out;
  const lines = drawTable(
    [
      { header: 'run' },
      { header: 'when', align: 'right' },
      { header: 'n', align: 'right' },
      { header: 'outcome' },
      { header: 'best' },
      { header: 'kept' },
      { header: 'task', flexible: true, minWidth: 10 },
    ],
    runs.map((run) => [
      run.runId,
      formatAge(Date.now() - run.startedAtMs),
      String(run.n),
      outcome(run, terminal),
      run.best ?? '',
      run.kept ?? '',
      plainLine(run.instruction),
    ]),
    { width, colors },
  );
  terminal.out.write(`${lines.join('\n')}\n`);
  return EXIT.done;
}

function outcome(run: RunSummary & { running: boolean }, { out: { colors } }: Terminal): string {
  if (run.outcome === 'passed') return colors.green('passed');
  if (run.running) return colors.cyan('running');
  return run.outcome ?? colors.yellow('unfinished');
}

const ages = new Intl.RelativeTimeFormat('en', { style: 'short' });

/** `3 min. ago`, in the largest unit that fits. */
function formatAge(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return ages.format(-minutes, 'minute');
  if (minutes < 24 * 60) return ages.format(-Math.floor(minutes / 60), 'hour');
  return ages.format(-Math.floor(minutes / (24 * 60)), 'day');
}
