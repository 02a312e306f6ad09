import { randomBytes, randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { runBestOfN } from '@lathe/best-of-n';
import type { Device } from '@lathe/graph';
import { prepareTask } from '@lathe/makers';
import { LatheError, type RunOptions, type Task, type Tree } from '@lathe/protocol';
import type { BaseSnapshot } from '@lathe/repository';
import { detectIsolation, noIsolation } from '@lathe/sandbox';
import type { ExitStatus } from '../exit-status.ts';
import { plural } from '../format.ts';
import { type OpenRuns, withRuns } from '../open-runs.ts';
import { WORK_ROOT } from '../places.ts';
import { plainLine } from '../plain-text.ts';
import { owningRun } from '../run-owner.ts';
import { taskTitle } from '../task-title.ts';
import type { Terminal } from '../terminal.ts';
import { conduct } from './conduct.ts';
import { findChecks } from './found-checks.ts';
import { chooseHouse } from './house.ts';
import { chooseModels } from './models.ts';
import { reportRun } from './report.ts';
import { type Session, withSession } from './session.ts';
import { type MakeFlags, type MakeSettings, readSettings } from './settings.ts';

export function make(words: string | undefined, flags: MakeFlags, terminal: Terminal): Promise<ExitStatus> {
  return withRuns(terminal.cwd, async (open) => {
    const { root, latheDir } = open.repository.location;
    const settings = await readSettings(words, flags, { cwd: terminal.cwd, root });
    const runId = newRunId();
    return withSession(terminal, (session) =>
      owningRun(runId, latheDir, () => makeRun(runId, settings, { ...open, session, json: flags.json === true })),
    );
  });
}

async function makeRun(
  runId: string,
  settings: MakeSettings,
  given: OpenRuns & { session: Session; json: boolean },
): Promise<ExitStatus> {
  const { repository, session } = given;
  await requireIsolation(settings, session);
  const snapshot = await repository.snapshotBase(runId);
  let started = false;
  try {
    const base = repository.treeAt(snapshot.baseCommit);
    session.note(heading(settings.task, runId, session));
    session.fact('base', baseInWords(snapshot));
    for (const { path, why } of snapshot.leftOut) session.warn(`not part of the base: ${plainLine(path)}: ${why}`);
    const task: Task = { ...settings.task, checks: [...(await chooseChecks(settings, base, session))] };
    // Says at once what is wrong with the function or the files named, before a model is fetched.
    await prepareTask(task, base, { contextTokens: Number.MAX_SAFE_INTEGER, countTokens: () => 0 });
    const options = await runOptions(settings, given, session);
    const start = { runId, task, options, ...snapshot, repository: repository.location.root };
    const state = await conduct({ ...given, ...start, repository }, session, (parts) => {
      started = true;
      return runBestOfN(start, parts);
    });
    return await reportRun(state, { ...given, keepBest: settings.keep === 'best' });
  } catch (error) {
    // Where nothing has been made the base's ref would only be in the way.
    if (!started) await repository.deleteRunRefs(runId);
    else session.warn(`the run is recorded; once this is mended: lathe resume ${runId}`);
    throw error;
  }
}

/** Eight letters and digits: short to type, and the first three tell a run from some thousand others. */
function newRunId(): string {
  const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
  return Array.from(randomBytes(8), (byte) => alphabet[byte % alphabet.length]).join('');
}

/** Fail closed, and before anything is made. */
async function requireIsolation({ unsafeNoSandbox }: MakeSettings, session: Session): Promise<void> {
  if (unsafeNoSandbox) {
    session.warn('--unsafe-no-sandbox: candidates run as you, with your files and your network; the run records it');
    return;
  }
  const report = await detectIsolation(WORK_ROOT);
  if (!report.available) throw noIsolation(report);
}

async function chooseChecks(settings: MakeSettings, base: Tree, session: Session): Promise<readonly string[]> {
  if (settings.checks !== null) {
    session.fact('checks', settings.checks.map(plainLine).join('; '));
    return settings.checks;
  }
  const found = await findChecks(base);
  if (found.length === 0) {
    throw new LatheError('LATHE_USAGE_NO_CHECK', 'no check was named, and package.json and pyproject.toml name none', {
      remedy:
        'say how to tell good from bad: lathe make … --check "npm test"\nto rank without evidence all the same: --check true',
    });
  }
  for (const { command, source } of found)
    session.fact('checks', `${plainLine(command)} (found in ${plainLine(source)})`);
  return found.map(({ command }) => command);
}

async function runOptions(settings: MakeSettings, open: OpenRuns, session: Session): Promise<RunOptions> {
  const models = [...(settings.models ?? (await chooseModels(session)))];
  if (settings.distinct !== null && settings.distinct > 0) requireDrawing(models, settings, session);
  if (settings.device !== 'cpu') await requireDeviceFor(models, settings.device);
  const house = await chooseHouse(settings.house, open, session);
  return {
    n: settings.n,
    models,
    temperature: settings.temperature,
    ...(settings.distinct === null ? {} : { distinct: settings.distinct }),
    ...(settings.speculation ? {} : { speculate: false }),
    ...(settings.grammar ? {} : { grammar: false }),
    ...(settings.device === 'cpu' ? {} : { device: settings.device }),
    ...(house === null ? {} : { house }),
    seed: settings.seed ?? randomInt(2 ** 31),
    maxCostUsd: settings.maxCostUsd,
    maxSeconds: settings.maxSeconds,
    concurrency: settings.concurrency ?? availableParallelism(),
    keep: settings.keep,
    unsafeNoSandbox: settings.unsafeNoSandbox,
  };
}

/** Only a model whose distribution is at hand can be drawn from without replacement, and only where there is one. */
function requireDrawing(models: readonly string[], { temperature }: MakeSettings, session: Session): void {
  const others = models.filter((model) => !model.startsWith('local:')).map(plainLine);
  if (others.length === models.length) {
    throw new LatheError(
      'LATHE_USAGE_DISTINCT',
      `--distinct needs a local model; ${others.join(', ')} gives answers only`,
      {
        remedy: 'add a local model, e.g. --model local:qwen2.5-coder-0.5b, or leave --distinct out',
      },
    );
  }
  if (temperature === 0) {
    throw new LatheError('LATHE_USAGE_DISTINCT', '--distinct needs a temperature above 0: at 0 there is one answer', {
      remedy: 'leave --temperature out, or give one such as 0.6',
    });
  }
  if (others.length > 0) session.warn(`--distinct does not reach ${others.join(', ')}: it draws nothing itself`);
}

/** Before anything is made or recorded. */
async function requireDeviceFor(models: readonly string[], device: Device): Promise<void> {
  if (!models.some((model) => model.startsWith('local:')))
    throw new LatheError(
      'LATHE_USAGE_DEVICE',
      `--device ${device} is for local models; got ${models.map(plainLine).join(', ')}`,
      {
        remedy: 'add a local model, e.g. --model local:qwen2.5-coder-0.5b, or leave --device out',
      },
    );
  // The runtime behind it is a native library that takes longer to load than most commands take to run.
  const { requireDevice } = await import('@lathe/graph');
  await requireDevice(device);
}

function heading(task: MakeSettings['task'], runId: string, { colors }: Session): string {
  return `${colors.bold(`lathe  ${taskTitle(task).slice(0, 200)}`)}  ${colors.dim(`run ${runId}`)}`;
}

function baseInWords({ baseCommit, headCommit, uncommitted }: BaseSnapshot): string {
  if (uncommitted.length === 0) return headCommit.slice(0, 10);
  const named = uncommitted.slice(0, 3).map(plainLine).join(', ');
  const more = uncommitted.length > 3 ? ', …' : '';
  return `${baseCommit.slice(0, 10)}: ${headCommit.slice(0, 10)} with ${plural(uncommitted.length, 'uncommitted file')} (${named}${more})`;
}
