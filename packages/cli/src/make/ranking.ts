import type { Candidate, RunDocument } from '@lathe/protocol';
import cliTruncate from 'cli-truncate';
import wrapAnsi from 'wrap-ansi';
import { formatCount, formatDiff, formatDuration, formatStatus, formatUsd, plural } from '../format.ts';
import { plainLine } from '../plain-text.ts';
import { type Column, drawTable } from '../table.ts';
import type { Colors } from '../terminal.ts';
import { wrapLine } from '../wrap.ts';

const COLUMNS: readonly Column[] = [
  { header: '', align: 'right', minWidth: 2 },
  { header: '', minWidth: 3 },
  { header: 'result', minWidth: 8 },
  { header: 'checks' },
  { header: 'change' },
  { header: 'time', align: 'right' },
  { header: 'tokens', align: 'right' },
  { header: 'cost', align: 'right' },
  { header: 'model', flexible: true },
];

/** The ranking as a table, each place with its reasons below it, then what the run was worth. */
export function drawRanking(run: RunDocument, { width, colors }: { width: number; colors: Colors }): string {
  const byId = new Map(run.candidates.map((candidate) => [candidate.id, candidate]));
  const places = run.ranking.flatMap(({ id, reasons }) => {
    const candidate = byId.get(id);
    return candidate === undefined ? [] : [{ candidate, reasons }];
  });
  const severalModels = new Set(run.candidates.map((candidate) => candidate.model)).size > 1;
  const costs = run.candidates.some((candidate) => candidate.costUsd > 0);
  const [header = '', ...lines] = drawTable(
    COLUMNS,
    places.map(({ candidate }, place) => [
      String(place + 1),
      candidate.id === run.best ? colors.bold(candidate.id) : candidate.id,
      formatStatus(candidate.status, colors),
      `${passedChecks(candidate)}/${candidate.checks.length}`,
      formatDiff(candidate.diff),
      formatDuration(candidate.durationMs),
      candidate.tokens.completion === 0 ? '' : formatCount(candidate.tokens.completion),
      costs ? formatUsd(candidate.costUsd) : '',
      severalModels ? plainLine(candidate.model) : '',
    ]),
    { width, colors },
  );
  const withReasons = lines.flatMap((line, place) => [
    line,
    ...reasonLines(places[place]!, width - INDENT.length).map((part) => `${INDENT}${colors.dim(part)}`),
  ]);
  const table = places.length === 0 ? ['  No candidate could be ranked.'] : [header, ...withReasons];
  return [
    ...table,
    ...unranked(run, { width, colors }),
    '',
    ...summary(run).flatMap((line) => wrapLine(`  ${line}`, width, 2)),
  ].join('\n');
}

/** Below the column of the results. */
const INDENT = ' '.repeat(11);

/** Why a candidate stands where it does: in full where it passed, what went wrong on one line where it did not. */
function reasonLines(
  { candidate, reasons }: { candidate: Candidate; reasons: readonly string[] },
  width: number,
): string[] {
  if (candidate.status !== 'passed') return [cliTruncate(plainLine(candidate.reason ?? reasons[0] ?? ''), width)];
  const text = reasons.map(plainLine).filter(Boolean).join(' · ');
  return text === '' ? [] : wrapAnsi(text, Math.max(20, width), { hard: true }).split('\n');
}

/** Candidates with no place of their own: the same code as a ranked one, or nothing usable. */
function unranked(run: RunDocument, { width, colors }: { width: number; colors: Colors }): string[] {
  const ranked = new Set(run.ranking.map(({ id }) => id));
  const groups = new Map(run.candidates.filter(({ id }) => ranked.has(id)).map(({ id, behaviour }) => [behaviour, id]));
  const lines = drawTable(
    [
      { header: '', minWidth: 2 },
      { header: '', minWidth: 3 },
      { header: '', minWidth: 8 },
      { header: '', flexible: true },
    ],
    run.candidates
      .filter(({ id }) => !ranked.has(id))
      .map((candidate) => {
        const twin = candidate.behaviour === null ? undefined : groups.get(candidate.behaviour);
        const why = twin === undefined ? plainLine(candidate.reason ?? '') : `same code as ${twin}`;
        return [colors.dim('–'), candidate.id, formatStatus(candidate.status, colors), colors.dim(why)];
      }),
    { width, colors },
  );
  return lines.slice(1);
}

function passedChecks(candidate: Candidate): number {
  return candidate.checks.filter((check) => check.status === 'passed').length;
}

function summary(run: RunDocument): string[] {
  const { statistics, totals } = run;
  const rate = statistics.passAt['1'];
  const passed = `${statistics.passed} of ${statistics.n} passed`;
  const interval =
    rate === undefined
      ? ''
      : ` (pass@1 ${percent(rate.value)}, 95 % interval ${percent(rate.low)} to ${percent(rate.high)})`;
  const time = `${formatDuration(totals.durationMs)} in all: making ${formatDuration(totals.makeMs)}, checking ${formatDuration(totals.checkMs)}`;
  return [
    `${passed}${interval}; ${plural(statistics.distinct, 'distinct solution')}${repeats(statistics)}`,
    `${time} · ${formatCount(totals.tokens.completion)} tokens · ${formatUsd(totals.costUsd)}`,
  ];
}

function repeats({ duplicates, identical }: RunDocument['statistics']): string {
  if (duplicates === 0) return '';
  const letters =
    identical === 0 ? '' : identical === duplicates ? ', letter for letter' : `, ${identical} letter for letter`;
  return ` (${plural(duplicates, 'duplicate')}${letters})`;
}

function percent(rate: number): string {
  return `${Math.round(rate * 100)} %`;
}

/** The commands that make sense now, ready to be typed. */
export function drawNextCommands(run: RunDocument, outcome: string | null, colors: Colors): string[] {
  const next = nextCommands(run, outcome);
  const width = Math.max(0, ...next.map(([command]) => command.length));
  return next.map(([command, what]) => `  ${colors.cyan(command.padEnd(width))}  ${colors.dim(what)}`);
}

function nextCommands(
  { runId, best, kept, ranking, candidates }: RunDocument,
  outcome: string | null,
): [string, string][] {
  const resume: [string, string][] = [[`lathe resume ${runId}`, 'go on where it stopped']];
  if (outcome === 'cancelled' || outcome === null) return resume;
  if (best === null) {
    const first = ranking[0]?.id ?? candidates[0]?.id;
    return [
      ...(outcome === 'budget' ? resume : []),
      ...(first === undefined ? [] : ([[`lathe show ${runId} ${first}`, 'see why it failed']] as [string, string][])),
      ['lathe models list', 'see stronger models'],
    ];
  }
  const other = ranking.map(({ id }) => id).find((id) => id !== best);
  return [
    [`lathe show ${runId} ${best}`, 'its evidence and its change'],
    ...(other === undefined
      ? []
      : ([[`lathe compare ${runId} ${best} ${other}`, 'lay two side by side']] as [string, string][])),
    ...(kept === null ? ([[`lathe keep ${runId} ${best}`, 'apply it to your checkout']] as [string, string][]) : []),
  ];
}
