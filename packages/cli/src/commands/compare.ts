import type { Candidate, RunDocument } from '@lathe/protocol';
import { patchBetween } from '@lathe/repository';
import wrapAnsi from 'wrap-ansi';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { formatCount, formatDiff, formatDuration, formatStatus, formatUsd } from '../format.ts';
import { withRuns } from '../open-runs.ts';
import { plainLine } from '../plain-text.ts';
import { readRun } from '../read-run.ts';
import { findCandidate, findRun } from '../runs.ts';
import { drawTable } from '../table.ts';
import { type Terminal, writeJson } from '../terminal.ts';
import { drawDiff } from './diff.ts';

export function compare(
  runName: string,
  idA: string,
  idB: string,
  { json }: { json?: boolean },
  terminal: Terminal,
): Promise<ExitStatus> {
  return withRuns(terminal.cwd, async (open) => {
    const { runId } = await findRun(runName, open.store);
    const { document } = await readRun(runId, open.store);
    const [a, b] = [sideOf(idA, document), sideOf(idB, document)];
    // A candidate without a commit changed nothing: it is the base.
    const [from, to] = [a.candidate.ref ?? document.baseCommit, b.candidate.ref ?? document.baseCommit];
    const diff = from === to ? '' : await patchBetween(from, to, open.repository.location);
    if (json === true) {
      writeJson(terminal.out, { schemaVersion: 1, runId, a, b, diff });
      return EXIT.done;
    }
    const { colors, columns: width } = terminal.out;
    const columnWidth = Math.max(20, Math.floor((width - NAME_WIDTH - 6) / 2));
    const columns = [
      { header: '', minWidth: NAME_WIDTH },
      { header: a.candidate.id, minWidth: columnWidth },
      { header: b.candidate.id, minWidth: columnWidth },
    ];
    const [left, right] = [facts(a, terminal), facts(b, terminal)];
    const rows = left.flatMap(([name, value], row) => {
      const [cellA, cellB] = [wrap(value, columnWidth), wrap(right[row]![1], columnWidth)];
      const height = value === '' && right[row]![1] === '' ? 0 : Math.max(cellA.length, cellB.length);
      return Array.from({ length: height }, (_, i) => [
        i === 0 ? colors.dim(name) : '',
        cellA[i] ?? '',
        cellB[i] ?? '',
      ]);
    });
    const table = drawTable(columns, rows, { width, colors });
    const same = diff === '' ? colors.dim('  The two are the same, byte for byte.\n') : drawDiff(diff, colors);
    const legend = diff === '' ? '' : `${colors.dim(`  − ${a.candidate.id}   + ${b.candidate.id}`)}\n\n`;
    terminal.out.write(`${table.join('\n')}\n\n${legend}${same}`);
    return EXIT.done;
  });
}

/** Width of the longest name of a fact. */
const NAME_WIDTH = 9;

function wrap(text: string, width: number): string[] {
  return wrapAnsi(text, width, { hard: true }).split('\n');
}

interface Side {
  readonly candidate: Candidate;
  readonly rank: number | null;
  readonly reasons: readonly string[];
}

function sideOf(id: string, run: RunDocument): Side {
  const candidate = findCandidate(id, run.runId, run.candidates);
  const place = run.ranking.findIndex((entry) => entry.id === candidate.id);
  return { candidate, rank: place < 0 ? null : place + 1, reasons: run.ranking[place]?.reasons ?? [] };
}

function facts({ candidate, rank, reasons }: Side, { out: { colors } }: Terminal): [string, string][] {
  return [
    ['result', formatStatus(candidate.status, colors)],
    ['because', plainLine(candidate.reason ?? '')],
    ['rank', rank === null ? '' : String(rank)],
    ['reasons', reasons.map(plainLine).join(' · ')],
    [
      'checks',
      `${candidate.checks.filter((check) => check.status === 'passed').length} of ${candidate.checks.length} passed`,
    ],
    ['behaviour', candidate.behaviour ?? ''],
    ['findings', candidate.findings.length === 0 ? '' : String(candidate.findings.length)],
    ['change', formatDiff(candidate.diff)],
    ['made in', formatDuration(candidate.durationMs)],
    ['tokens', formatCount(candidate.tokens.completion)],
    ['cost', formatUsd(candidate.costUsd)],
    ['certainty', candidate.meanLogProbability === null ? '' : `${candidate.meanLogProbability.toFixed(2)} nats/token`],
    ['model', plainLine(candidate.model)],
  ];
}
