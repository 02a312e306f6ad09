import { join } from 'node:path';
import { auditRepository, CHURN_WINDOW_DAYS, type FollowedHistory } from '@lathe/history';
import {
  type ChurnPrediction,
  FATES,
  FEWEST_LINES,
  type LedgerReport,
  type Outcome,
  reportLedger,
} from '@lathe/ledger';
import type { Repository } from '@lathe/repository';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { formatCount, percent, plural } from '../format.ts';
import type { Display } from '../make/display.ts';
import { endAtInterrupt } from '../make/interrupt.ts';
import { openDisplay } from '../make/open-display.ts';
import { type OpenRuns, withRuns } from '../open-runs.ts';
import { CACHE_ROOT } from '../places.ts';
import { plainLine } from '../plain-text.ts';
import { type ReadRun, readRun } from '../read-run.ts';
import { drawTable } from '../table.ts';
import { type Output, type Terminal, writeJson } from '../terminal.ts';
import { commitSignals, gateSignals, type Signals } from './commit-signals.ts';
import { findKeptLines } from './kept-lines.ts';

export interface LedgerCommandOptions {
  json?: boolean;
  /** How many past commits the gates look at. */
  gates?: number;
}

export function ledger({ json, gates }: LedgerCommandOptions, terminal: Terminal): Promise<ExitStatus> {
  endAtInterrupt();
  return withRuns(terminal.cwd, async (open) => {
    const report = await readReport(open, gates ?? 0, terminal);
    if (json === true) writeJson(terminal.out, report);
    else terminal.out.write(`${inWords(report, terminal.out).join('\n')}\n`);
    return EXIT.done;
  });
}

export async function readReport(
  { repository, store }: OpenRuns,
  gates: number,
  terminal: Terminal,
): Promise<LedgerReport> {
  const runs: ReadRun[] = [];
  for (const { runId } of await store.list()) runs.push(await readRun(runId, store));
  const documents = runs.map(({ document }) => document);
  const display = await openDisplay(terminal.err);
  try {
    const { history: followed } = await auditRepository({
      directory: repository.location.root,
      cacheDirectory: join(CACHE_ROOT, 'audit'),
      nowMs: Date.now(),
      onProgress: (done, total) => display.doing(`read ${formatCount(done)} of ${plural(total, 'commit')}`),
    });
    const signals = await signalsOf(followed, gates, repository, display);
    const { kept, history } = await findKeptLines(runs, followed, repository, signals);
    const notLookedFor = gates > 0 ? [DUPLICATES] : [PAST_FINDINGS];
    return reportLedger(documents, kept, history, CHURN_WINDOW_DAYS, notLookedFor);
  } finally {
    display.close();
  }
}

const PAST_FINDINGS = {
  what: 'weaknesses and dirt that past commits added',
  why: 'scanning them takes about a second each; `lathe ledger --gates 300` looks at 300 of them',
};
const DUPLICATES = {
  what: 'duplicates among the dirt that past commits added',
  why: 'every commit has another repository to compare with; blocks doubled within a commit are counted',
};

/** Signals of past commits; where the gates are asked, of those they looked at only, so that all have the same ones. */
async function signalsOf(
  followed: FollowedHistory,
  gates: number,
  repository: Repository,
  display: Display,
): Promise<ReadonlyMap<string, Signals>> {
  const known = commitSignals(followed);
  if (gates === 0) return known;
  const newest = Math.max(...followed.commits.map(({ time }) => time));
  const watched = followed.commits.filter(
    ({ id, time, operations }) =>
      known.has(id) &&
      time <= newest - CHURN_WINDOW_DAYS * 86_400 &&
      operations.added + operations.updated + operations.copyPasted >= FEWEST_LINES,
  );
  const gated = await gateSignals(
    watched.map(({ id }) => id),
    gates,
    followed.head,
    repository,
    (done, total) => display.doing(`looked at ${formatCount(done)} of ${plural(total, 'past commit')}`),
  );
  return new Map([...gated].map(([id, signals]) => [id, { ...known.get(id), ...signals }]));
}

function inWords(report: LedgerReport, out: Output): string[] {
  const { attempts } = report;
  const notLookedFor = report.notLookedFor.map(({ what, why }) => out.colors.dim(`  not looked for: ${what}: ${why}`));
  if (attempts.runs === 0) {
    return [
      'No runs in this repository yet. Make one: lathe make --help',
      '',
      ...predictionInWords('past commit', report.prediction.commits, report, out),
      ...notLookedFor,
    ];
  }
  const statuses = Object.entries(attempts.statuses).map(([status, count]) => `${formatCount(count)} ${status}`);
  return [
    `${out.colors.bold(plural(attempts.runs, 'run'))}, ${plural(attempts.candidates, 'candidate')}: ${statuses.join(', ')}`,
    `  ${formatCount(attempts.runsPassed)} with a candidate that passed, ${formatCount(attempts.runsKept)} with one that was kept`,
    ...attemptsInWords(report),
    '',
    ...keptInWords(report, out),
    ...predictionInWords('kept candidate', report.prediction.kept, report, out),
    ...predictionInWords('past commit', report.prediction.commits, report, out),
    ...notLookedFor,
  ];
}

/** What told beforehand that lines would churn: a row a signal, the ones that tell most first. */
function predictionInWords(
  what: string,
  { observations, lines, churnRate, tooFew, signals, constant, skill }: ChurnPrediction,
  { windowDays }: LedgerReport,
  { colors, columns: width }: Output,
): string[] {
  const head = `  ${colors.bold(`what predicted churn in ${what}s`)}`;
  if (tooFew !== null || skill === null) return [head, `  too few: ${tooFew}`, ''];
  const right = { align: 'right' as const };
  const odds = ({ value, low, high }: Estimate) => `${value.toFixed(2)} (${low?.toFixed(2)} to ${high?.toFixed(2)})`;
  const rows = signals.map(({ signal, oddsRatio, verdict }) => [signal, odds(oddsRatio), verdict]);
  const bare = (rate: number | null) => ((rate ?? 0) * 100).toFixed(1).replace('-', '−');
  return [
    head,
    `  ${plural(observations, what)}, ${plural(lines, 'line')}; of one's lines ${percent(churnRate)} churned within ${windowDays} days on average`,
    ...drawTable([{ header: 'signal' }, { header: 'odds, a deviation more', ...right }, { header: 'says' }], rows, {
      width,
      colors,
    }),
    `  all together, on what they have not seen: ${bare(skill.value)} % less surprised (95 %: ${bare(skill.low)} to ${bare(skill.high)})${(skill.low ?? 0) > 0 ? '' : ', no more than chance'}`,
    ...(constant.length === 0 ? [] : [colors.dim(`  always alike here: ${constant.join(', ')}`)]),
    '',
  ];
}

function attemptsInWords({ attempts }: LedgerReport): string[] {
  const { size, passAt, gainOverOne, gainOfLast, tooFew } = attempts;
  if (gainOverOne === null || gainOfLast === null) return [];
  return [
    `  one candidate passes in ${percent(passAt['1'] ?? 0)} of tasks, one of ${size} in ${percent(passAt[String(size)] ?? 0)}: ${points(gainOverOne)}; the last of the ${size} added ${points(gainOfLast)}`,
    ...(tooFew === null ? [] : [`  too few: ${tooFew}`]),
  ];
}

function keptInWords({ kept, comparison, windowDays }: LedgerReport, { colors, columns: width }: Output): string[] {
  if (kept.outcomes.length === 0) return ['  nothing was kept yet: there is no outcome to tell'];
  const right = { align: 'right' as const };
  const lines = kept.outcomes.map(outcomeInWords);
  if (kept.fates.churned + kept.fates.replaced > 0) {
    lines.push('', `  churned: taken out or rewritten within ${windowDays} days; replaced: later`);
  }
  lines.push('');
  const { tooFew } = comparison;
  lines.push(
    `  same months and directories: ${plural(comparison.keptLines, 'kept line')} in ${plural(comparison.keptCommits, 'commit')}, ${formatCount(comparison.handMadeLines)} hand-made in ${formatCount(comparison.handMadeCommits)}` +
      (comparison.unmatchedLines > 0
        ? `; ${formatCount(comparison.unmatchedLines)} kept ones have none beside them`
        : ''),
  );
  if (comparison.survival.length > 0) {
    const rows = comparison.survival.map((row) => [
      formatCount(row.days),
      share(row.kept),
      share(row.handMade),
      difference(row.difference),
    ]);
    const headers = ['days', 'kept, alive', 'hand-made, alive', 'difference'].map((header) => ({ header, ...right }));
    lines.push(...drawTable(headers, rows, { width, colors }));
  }
  if (tooFew !== null) lines.push(`  too few: ${tooFew}`);
  lines.push('');
  return lines;
}

/** One line, never cut: why something has no outcome is the part that matters. */
function outcomeInWords(outcome: Outcome): string {
  const { runId, candidate, reason, commit, by, daysAtRisk, lines, fates, notFollowed } = outcome;
  const name = `  ${runId} ${candidate.padEnd(3)}`;
  if (commit === null) return `${name}  no outcome: ${plainLine(reason ?? '')}`;
  const counts = FATES.filter((fate) => fates[fate] > 0).map((fate) => `${formatCount(fates[fate])} ${fate}`);
  const notes = [
    ...(by === 'content' ? ['found by their content'] : []),
    ...(notFollowed > 0 ? [`${formatCount(notFollowed)} more not followed`] : []),
  ];
  const what = `${plural(lines, 'line')}${lines > 0 ? `: ${counts.join(', ')}` : ''}`;
  const aside = notes.length > 0 ? ` (${notes.join(', ')})` : '';
  return `${name}  ${commit.slice(0, 10)}, ${plural(Math.floor(daysAtRisk ?? 0), 'day')}: ${what}${aside}`;
}

interface Estimate {
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** `96.6 % (93.4 to 99.2)`: a share with its 95 % interval. */
function share({ value, low, high }: Estimate): string {
  const bare = (rate: number) => (rate * 100).toFixed(1);
  return low === null || high === null ? percent(value) : `${percent(value)} (${bare(low)} to ${bare(high)})`;
}

/** `−2.6 (−5.9 to +0.3)`, in points of a hundred: short enough for a column. */
function difference({ value, low, high }: Estimate): string {
  return low === null || high === null ? signed(value) : `${signed(value)} (${signed(low)} to ${signed(high)})`;
}

function signed(rate: number): string {
  return `${rate < 0 ? '−' : '+'}${Math.abs(rate * 100).toFixed(1)}`;
}

/** A difference of shares, in points of a hundred. */
function points({ value, low, high }: Estimate): string {
  return low === null || high === null
    ? `${signed(value)} points`
    : `${signed(value)} points (95 %: ${signed(low)} to ${signed(high)})`;
}
