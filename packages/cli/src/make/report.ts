import { type RunState, toRunDocument } from '@lathe/best-of-n';
import type { RunDocument } from '@lathe/protocol';
import { patchBetween } from '@lathe/repository';
import { drawDiff } from '../commands/diff.ts';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { formatDuration, plural } from '../format.ts';
import { keepOne } from '../keep-one.ts';
import type { OpenRuns } from '../open-runs.ts';
import { plainLine } from '../plain-text.ts';
import { findCandidate } from '../runs.ts';
import { taskTitle } from '../task-title.ts';
import { type Output, writeJson } from '../terminal.ts';
import { wrapLine } from '../wrap.ts';
import { firstVerdictMs } from './draw.ts';
import { drawNextCommands, drawRanking } from './ranking.ts';
import type { Session } from './session.ts';
import type { RunView } from './view.ts';

export interface ReportRequest extends OpenRuns {
  readonly session: Session;
  readonly keepBest: boolean;
  readonly json: boolean;
}

/** Lines of the best candidate's change that are shown without being asked for. */
const SHORT_DIFF_LINES = 30;

/**
 * Show how a run ended, keep the best where that was asked, and give the exit status of the contract. A best candidate
 * that cannot be kept is thrown after everything has been shown.
 */
export async function reportRun(state: RunState, request: ReportRequest): Promise<ExitStatus> {
  const { session, json } = request;
  const { terminal } = session;
  const { view } = session.display;
  const firstMs = view === null ? null : firstVerdictMs(view);
  session.display.close();
  const { document, keptFiles, keepError } = await keepIfAsked(toRunDocument(state), state, request);
  const outcome = state.finished?.outcome ?? null;
  // With --json the ranking is for whoever watches, not for whoever reads stdout.
  const screen = json ? terminal.err : terminal.out;
  if (json) writeJson(terminal.out, document);
  const diff = outcome === 'passed' ? await shortDiff(document, request, screen) : null;
  screen.write(
    `\n${inWords(document, { outcome, firstMs, keptFiles, diff, waitingFor: waitedFor(view) }, screen).join('\n')}\n`,
  );
  if (keepError !== null) throw keepError;
  return exitStatus(outcome);
}

async function keepIfAsked(
  document: RunDocument,
  state: RunState,
  request: ReportRequest,
): Promise<{ document: RunDocument; keptFiles: readonly string[] | null; keepError: unknown }> {
  const nothing = { document, keptFiles: null, keepError: null };
  if (!request.keepBest || document.best === null || document.kept !== null) return nothing;
  const best = findCandidate(document.best, document.runId, document.candidates);
  try {
    const { files } = await keepOne(best, document, {
      ...request,
      commit: false,
      title: taskTitle(state.started.task),
    });
    return { document: { ...document, kept: best.id }, keptFiles: files, keepError: null };
  } catch (keepError) {
    return { ...nothing, keepError };
  }
}

/** What candidates that never ended were waiting for, in a maker's words. */
function waitedFor(view: RunView | null): string | null {
  return view?.rows.some(({ status }) => status === null) ? view.waitingFor : null;
}

/** The best candidate's change where it is short enough to stand here, else null. */
async function shortDiff(run: RunDocument, { repository }: OpenRuns, screen: Output): Promise<string | null> {
  const ref = run.candidates.find(({ id }) => id === run.best)?.ref ?? null;
  if (ref === null) return null;
  const lines = (await patchBetween(run.baseCommit, ref, repository.location)).trimEnd().split('\n');
  if (lines.length > SHORT_DIFF_LINES) return null;
  return drawDiff(lines.join('\n'), screen.colors).trimEnd();
}

function exitStatus(outcome: string | null): ExitStatus {
  switch (outcome) {
    case 'passed':
      return EXIT.done;
    case 'none-passed':
      return EXIT.nonePassed;
    case 'budget':
      return EXIT.budget;
    case 'cancelled':
    case null:
      return EXIT.cancelled;
    default:
      return EXIT.error;
  }
}

interface Told {
  readonly outcome: string | null;
  readonly firstMs: number | null;
  readonly keptFiles: readonly string[] | null;
  readonly diff: string | null;
  /** The last reason a maker gave for waiting. */
  readonly waitingFor: string | null;
}

function inWords(run: RunDocument, told: Told, { columns: width, colors }: Output): string[] {
  const lines = [drawRanking(run, { width, colors })];
  if (told.firstMs !== null && told.outcome !== 'cancelled' && run.candidates.length > 1) {
    const all = `all ${run.candidates.length} after ${formatDuration(run.totals.durationMs)}`;
    lines.push(`  the first had its verdict after ${formatDuration(told.firstMs)}, ${all}`);
  }
  lines.push('', `  ${verdict(run, told.outcome, colors)}`);
  // A run that ended while it waited has nothing else that says why.
  if (told.waitingFor !== null && told.outcome !== 'passed')
    lines.push(...wrapLine(`  last heard of a model: ${plainLine(told.waitingFor)}`, width, 2));
  if (told.diff !== null) lines.push('', ...told.diff.split('\n').map((line) => `  ${line}`), '');
  if (told.keptFiles !== null) {
    const files = plural(told.keptFiles.length, 'file');
    lines.push(`  ${colors.green('✔')} kept ${run.kept}: ${files} in the checkout, not committed`);
  }
  return [...lines, ...drawNextCommands(run, told.outcome, colors)];
}

function verdict(run: RunDocument, outcome: string | null, colors: Output['colors']): string {
  switch (outcome) {
    case 'passed':
      return `${colors.green('Best')} ${colors.bold(run.best ?? '')}`;
    case 'none-passed':
      return colors.yellow('None passed.');
    case 'budget':
      return colors.yellow('The budget was reached before one passed.');
    case 'cancelled':
    case null:
      return colors.yellow(`Stopped after ${plural(run.candidates.length, 'candidate')}; nothing made is lost.`);
    default:
      return colors.red('The run ended with an error.');
  }
}
