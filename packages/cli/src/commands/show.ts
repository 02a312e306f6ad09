import type { Candidate, RunDocument } from '@lathe/protocol';
import { patchBetween } from '@lathe/repository';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { formatBaseCheck, formatDiff, formatDuration, formatStatus, formatUsd, plural } from '../format.ts';
import { drawNextCommands, drawRanking } from '../make/ranking.ts';
import { withRuns } from '../open-runs.ts';
import { plainLine, plainText } from '../plain-text.ts';
import { readRun } from '../read-run.ts';
import { findCandidate, findRun } from '../runs.ts';
import { taskTitle } from '../task-title.ts';
import { type Terminal, writeJson } from '../terminal.ts';
import { wrapLine } from '../wrap.ts';
import { drawDiff } from './diff.ts';
import { writeRunSarif } from './run-sarif.ts';

export function show(
  runName: string,
  id: string | undefined,
  { diff, json, sarif }: { diff?: boolean; json?: boolean; sarif?: string },
  terminal: Terminal,
): Promise<ExitStatus> {
  return withRuns(terminal.cwd, async (open) => {
    const { runId } = await findRun(runName, open.store);
    const { document, outcome, started } = await readRun(runId, open.store);
    const named = id === 'best' ? (document.best ?? undefined) : id;
    const chosen = named ?? (diff === true ? (document.best ?? document.ranking[0]?.id) : undefined);
    if (sarif !== undefined) {
      const { candidates } = document;
      const of = chosen === undefined ? candidates : [findCandidate(chosen, runId, candidates)];
      await writeRunSarif(document, of, sarif, terminal.cwd);
    }
    if (chosen === undefined) {
      if (json === true) writeJson(terminal.out, document);
      else terminal.out.write(runInWords(document, { outcome, instruction: taskTitle(started.task) }, terminal));
      return EXIT.done;
    }
    const candidate = findCandidate(chosen, runId, document.candidates);
    const patch =
      candidate.ref === null ? '' : await patchBetween(document.baseCommit, candidate.ref, open.repository.location);
    if (json === true) writeJson(terminal.out, { schemaVersion: 1, runId, candidate, diff: patch });
    else {
      if (diff !== true) terminal.out.write(candidateInWords(candidate, document, terminal));
      if (patch !== '') terminal.out.write(drawDiff(patch, terminal.out.colors));
      else if (diff === true)
        terminal.err.write(
          `${candidate.id} changes nothing${candidate.reason === null ? '' : `: ${plainLine(candidate.reason)}`}\n`,
        );
    }
    return EXIT.done;
  });
}

function runInWords(
  run: RunDocument,
  about: { outcome: string | null; instruction: string },
  { out }: Terminal,
): string {
  const { colors, columns: width } = out;
  const lines = [
    `${colors.bold(about.instruction)}  ${colors.dim(`run ${run.runId}, ${about.outcome ?? 'unfinished'}, on ${run.baseCommit.slice(0, 10)}`)}`,
    ...run.baseChecks.map((check) => `  ${colors.dim('base')}  ${formatBaseCheck(check)}`),
    '',
  ];
  if (run.ranking.length > 0) lines.push(drawRanking(run, { width, colors }), '');
  lines.push(...drawNextCommands(run, about.outcome, colors));
  return `${lines.join('\n')}\n`;
}

/** Columns before the value of a fact. */
const FACT = 12;

function candidateInWords(
  candidate: Candidate,
  run: RunDocument,
  { out: { colors, columns: width } }: Terminal,
): string {
  const place = run.ranking.findIndex((entry) => entry.id === candidate.id);
  const reasons = run.ranking[place]?.reasons ?? [];
  const fact = (name: string, value: string) => {
    if (value === '') return [];
    const [first = '', ...rest] = wrapLine(`${' '.repeat(FACT)}${value}`, width, FACT);
    return [`  ${colors.dim(name.padEnd(FACT - 3))} ${first.slice(FACT)}`, ...rest];
  };
  const probability = candidate.meanLogProbability;
  const lines = [
    `${colors.bold(candidate.id)}  ${formatStatus(candidate.status, colors)}${candidate.reason === null ? '' : `  ${plainLine(candidate.reason)}`}`,
    ...fact('rank', place < 0 ? '' : `${place + 1} of ${run.ranking.length}`),
    ...reasons.flatMap((reason) => fact('', plainLine(reason))),
    ...fact('model', `${plainLine(candidate.model)}, seed ${candidate.seed}`),
    ...fact('change', formatDiff(candidate.diff)),
    ...fact(
      'made in',
      `${formatDuration(candidate.durationMs)}, ${plural(candidate.tokens.completion, 'token')}, ${formatUsd(candidate.costUsd)}`,
    ),
    ...fact('certainty', probability === null ? '' : `${probability.toFixed(2)} nats a token on average`),
    ...fact('commit', candidate.ref ?? ''),
    ...fact('reverted', candidate.reverted.map(plainLine).join(', ')),
    ...candidate.findings.flatMap((finding) =>
      fact(finding.severity, plainLine(`${finding.path}:${finding.line} ${finding.message}`)),
    ),
    ...candidate.notLookedFor.flatMap(({ what, why }) => fact('unseen', plainLine(`${what}: ${why}`))),
  ];
  for (const check of candidate.checks) {
    const why = check.reason === undefined ? '' : `: ${plainLine(check.reason)}`;
    lines.push(
      '',
      `  ${colors.bold(plainLine(check.command))}  ${check.status}${why}  ${colors.dim(formatDuration(check.durationMs))}`,
    );
    const tail = plainText(check.outputTail ?? '').trimEnd();
    if (check.status !== 'passed' && tail !== '') lines.push(...tail.split('\n').map((line) => `    ${line}`));
  }
  return `${lines.join('\n')}\n\n`;
}
