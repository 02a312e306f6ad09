import cliTruncate from 'cli-truncate';
import { formatCount, formatDiff, formatDuration, formatStatus, formatUsd, plural } from '../format.ts';
import { plainLine } from '../plain-text.ts';
import { type Column, drawTable } from '../table.ts';
import type { Colors } from '../terminal.ts';
import { type Row, type RunView, tokenRate } from './view.ts';

const COLUMNS: readonly Column[] = [
  { header: '', align: 'right', minWidth: 3 },
  { header: 'state', minWidth: 11 },
  { header: 'tokens', align: 'right', minWidth: 6 },
  { header: 'tok/s', align: 'right', minWidth: 5 },
  { header: 'checks', minWidth: 6 },
  { header: 'change', minWidth: 8 },
  { header: 'time', align: 'right', minWidth: 6 },
  { header: '', flexible: true, minWidth: 0 },
];

/** A row that has had no token for so long has stopped writing. */
const RECENT_MS = 2000;

/** Lines kept for what is not a row: header, blank, totals, comparison, what is waited for. */
const FRAME_LINES = 8;
/** Narrower than this there is no room beside a row to say what it is about. */
const ROOM_FOR_DETAILS = 90;

/** One frame of the live view, at most `width` columns and `height` lines. */
export function drawFrame(
  view: RunView,
  { width, height, nowMs, colors }: { width: number; height: number; nowMs: number; colors: Colors },
): string {
  const shown = chooseRows(view.rows, Math.max(1, height - FRAME_LINES));
  const hidden = view.rows.length - shown.length;
  const severalModels = new Set(view.rows.map((row) => row.model)).size > 1;
  const lines = drawTable(
    COLUMNS,
    shown.map((row) => cells(row, view, { nowMs, colors, severalModels })),
    { width, colors },
  );
  if (hidden > 0) lines.push(colors.dim(`     … and ${plural(hidden, 'more candidate')}`));
  lines.push('', ...totals(view, { nowMs, colors }).map((line) => cliTruncate(`  ${line}`, width)));
  const waiting = width < ROOM_FOR_DETAILS && view.rows.find((row) => row.state === 'waiting' && row.detail !== '');
  if (waiting) lines.push(colors.yellow(cliTruncate(`  waiting: ${plainLine(waiting.detail)}`, width)));
  return lines.join('\n');
}

function cells(
  row: Row,
  view: RunView,
  { nowMs, colors, severalModels }: { nowMs: number; colors: Colors; severalModels: boolean },
): string[] {
  const rate = tokenRate(row);
  const ended = row.status !== null;
  const checks = view.checks.length;
  const seconds = row.startedAtMs === null ? '' : formatElapsed((row.endedAtMs ?? nowMs) - row.startedAtMs, ended);
  const detail = row.sameAs === null ? plainLine(row.detail) : `same code as c${row.sameAs + 1}`;
  return [
    `c${row.index + 1}`,
    formatState(row, colors),
    row.tokens === 0 ? '' : formatCount(row.tokens),
    rate === null ? '' : rate.toFixed(rate < 100 ? 1 : 0),
    row.checksPassed > 0 || ended ? `${row.checksPassed}/${checks}` : '',
    formatDiff(row.diff),
    ended ? seconds : colors.dim(seconds),
    colors.dim(severalModels ? [plainLine(row.model), detail].filter(Boolean).join(' · ') : detail),
  ];
}

function formatState(row: Row, colors: Colors): string {
  if (row.status !== null) return formatStatus(row.status, colors);
  if (row.state === 'waiting') return colors.dim('· waiting');
  if (row.state === 'checking') return colors.cyan('▸ checking');
  if (row.state === 'made') return colors.cyan('· made');
  return `${colors.cyan('▸')} ${plainLine(row.state)}`;
}

/** Whole seconds while it runs, so that a row changes once a second; tenths when it has ended. */
function formatElapsed(ms: number, ended: boolean): string {
  return ended
    ? formatDuration(ms)
    : formatDuration(Math.floor(ms / 1000) * 1000)
        .replace('.0 s', ' s')
        .replace('0 ms', '0 s');
}

function totals(view: RunView, { nowMs, colors }: { nowMs: number; colors: Colors }): string[] {
  const { rows } = view;
  const count = (status: string) => rows.filter((row) => row.status === status).length;
  const ended = rows.filter((row) => row.status !== null);
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0);
  const writing = rows.filter((row) => row.lastTokenAtMs !== null && nowMs - row.lastTokenAtMs < RECENT_MS);
  const rate = writing.reduce((sum, row) => sum + (tokenRate(row) ?? 0), 0);
  const costUsd = rows.reduce((sum, row) => sum + row.costUsd, 0);
  const verdicts = [
    colors.green(`${count('passed')} passed`),
    ...(['failed', 'invalid', 'timed-out', 'error'] as const)
      .filter((status) => count(status) > 0)
      .map((status) => `${count(status)} ${status.replace('-', ' ')}`),
  ];
  const first = `${ended.length} of ${rows.length} ended: ${verdicts.join(', ')}`;
  const figures = [
    rate > 0 ? `${formatCount(rate)} tokens/s` : null,
    `${formatCount(tokens)} tokens`,
    formatUsd(costUsd),
    formatElapsed(nowMs - view.startedAtMs, view.outcome !== null),
  ].filter((figure) => figure !== null);
  const one = firstVerdictMs(view);
  const comparison = one === null ? 'no verdict yet' : `first verdict after ${formatDuration(one)}`;
  return [first, colors.dim(figures.join(' · ')), colors.dim(comparison)];
}

/** Time from the beginning of the view to the first verdict, about what one candidate alone takes; null before it. */
export function firstVerdictMs({ rows, startedAtMs }: RunView): number | null {
  const verdicts = rows.flatMap(({ endedAtMs }) => (endedAtMs !== null && endedAtMs >= startedAtMs ? [endedAtMs] : []));
  return verdicts.length === 0 ? null : Math.min(...verdicts) - startedAtMs;
}

/** The rows that fit: where not all do, those at work come first, then the ones that passed. */
function chooseRows(rows: readonly Row[], room: number): readonly Row[] {
  if (rows.length <= room) return rows;
  const interest = (row: Row) =>
    row.status === null ? (row.state === 'waiting' ? 3 : 0) : row.status === 'passed' ? 1 : 2;
  const chosen = [...rows].sort((a, b) => interest(a) - interest(b) || a.index - b.index).slice(0, room);
  return chosen.sort((a, b) => a.index - b.index);
}
