import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeWorkDirectory } from '@lathe/sandbox';
import prettyBytes from 'pretty-bytes';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { plural } from '../format.ts';
import { type OpenRuns, withRuns } from '../open-runs.ts';
import { livingOwner } from '../run-owner.ts';
import { type Terminal, writeJson } from '../terminal.ts';
import { listRunDirectories, listUnmarkedDirectories } from '../work-directories.ts';

interface Removal {
  readonly what: string;
  readonly why: string;
  remove(): Promise<unknown>;
}

interface Left {
  readonly what: string;
  readonly why: string;
}

/** What can go, each proven to be of no use to anyone, and what is left, each with the reason. */
interface Survey {
  readonly removals: Removal[];
  readonly left: Left[];
}

interface CleanOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
  /** Converted models and prompts that were read as well: they are of use, and can be made again. */
  readonly caches?: boolean;
}

export function clean({ dryRun, json, caches }: CleanOptions, terminal: Terminal): Promise<ExitStatus> {
  return withRuns(terminal.cwd, async (open) => {
    const { removals, left } = merge([
      await copies(open),
      await owners(open),
      await runs(open),
      await temporary(open),
      ...(caches === true ? [await modelCaches(terminal)] : []),
    ]);
    if (dryRun !== true) for (const removal of removals) await removal.remove();
    const removed = removals.map(({ what, why }) => ({ what, why }));
    if (json === true) {
      writeJson(terminal.out, { schemaVersion: 1, dryRun: dryRun === true, removed, left });
      return EXIT.done;
    }
    const { colors } = terminal.out;
    const verb = dryRun === true ? 'would remove' : 'removed';
    for (const { what, why } of removed) terminal.out.write(`  ${colors.green(verb)}  ${what}  ${colors.dim(why)}\n`);
    for (const { what, why } of left) terminal.out.write(`  ${colors.dim('left')}  ${what}  ${colors.dim(why)}\n`);
    terminal.out.write(
      `${plural(removed.length, 'thing')} ${verb.replace('would remove', 'to remove')}, ${left.length} left\n`,
    );
    return EXIT.done;
  });
}

function merge(surveys: readonly Survey[]): Survey {
  return { removals: surveys.flatMap(({ removals }) => removals), left: surveys.flatMap(({ left }) => left) };
}

/**
 * Copies of candidates, of every repository: each candidate is a commit before it is copied, so nothing is in them alone.
 * A process that was killed while it made or removed a directory may leave one that does not say whose run it is; the
 * base of the run, a ref of this repository that is there before any copy, tells.
 */
async function copies({ repository }: OpenRuns): Promise<Survey> {
  const { location } = repository;
  const survey: Survey = { removals: [], left: [] };
  const ours = new Set((await repository.listRunRefs()).map(({ runId }) => runId));
  const ownerOf = (runId: string, latheDir: string | null) =>
    latheDir === null && !ours.has(runId) ? null : livingOwner(runId, latheDir ?? location.latheDir);
  for (const { path, runId, latheDir } of await listRunDirectories()) {
    const owner = await ownerOf(runId, latheDir);
    if (owner !== null) survey.left.push({ what: path, why: `process ${owner} is at work on run ${runId}` });
    else if (latheDir === null && !ours.has(runId))
      survey.left.push({ what: path, why: 'it does not say whose run it is; remove it by hand' });
    else {
      const why = `copies of run ${runId}, whose process is gone`;
      survey.removals.push({ what: path, why, remove: () => removeWorkDirectory(path) });
    }
  }
  for (const { path, runId } of await listUnmarkedDirectories()) {
    if (!ours.has(runId) || (await ownerOf(runId, null)) !== null) continue;
    survey.removals.push({
      what: path,
      why: `empty, of run ${runId}, whose process is gone`,
      remove: () => rmdir(path),
    });
  }
  return survey;
}

async function modelCaches({ env }: Terminal): Promise<Survey> {
  const { clearModelCache, modelCacheUsage } = await import('@lathe/makers');
  const kept = (await modelCacheUsage(env)).filter(({ entries }) => entries > 0);
  const removals = kept.map((usage) => ({
    what: usage.path,
    why: `${usage.what}, ${prettyBytes(usage.bytes)}; they are made again when they are needed`,
    remove: () => clearModelCache(usage),
  }));
  return { removals, left: [] };
}

/** Notes of processes that are gone. */
async function owners({ repository: { location } }: OpenRuns): Promise<Survey> {
  const directory = join(location.latheDir, 'owners');
  const survey: Survey = { removals: [], left: [] };
  for (const runId of await readdir(directory).catch(() => [])) {
    if ((await livingOwner(runId, location.latheDir)) !== null) continue;
    const what = join(directory, runId);
    survey.removals.push({ what, why: 'its process is gone', remove: () => rm(what, { force: true }) });
  }
  return survey;
}

/** A run's commits are its evidence and stay; a base whose run never began is of no use. */
async function runs({ repository, store }: OpenRuns): Promise<Survey> {
  const survey: Survey = { removals: [], left: [] };
  const recorded = new Map((await store.list()).map((run) => [run.runId, run]));
  for (const { runId, refs } of await repository.listRunRefs()) {
    const run = recorded.get(runId);
    const candidates = refs.filter(({ ref }) => !ref.endsWith('/base')).length;
    const what = `refs/lathe/${runId}`;
    const owner = await livingOwner(runId, repository.location.latheDir);
    if (owner !== null) survey.left.push({ what, why: `process ${owner} is at work on it` });
    else if (run === undefined && candidates === 0) {
      const why = 'base of a run that never began';
      survey.removals.push({ what, why, remove: () => repository.deleteRunRefs(runId) });
    } else if (run === undefined) {
      survey.left.push({ what, why: `${plural(candidates, 'candidate')} that the record does not know` });
    } else {
      const end = run.outcome ?? `unfinished: lathe resume ${runId}`;
      survey.left.push({ what, why: `${plural(candidates, 'candidate')} with their evidence (${end})` });
    }
  }
  return survey;
}

/** Folders in which git objects were being put together when the process was killed. */
async function temporary({ repository }: OpenRuns): Promise<Survey> {
  const directory = join(repository.location.latheDir, 'tmp');
  const names = await readdir(directory).catch(() => []);
  if (names.length === 0) return { removals: [], left: [] };
  const why = 'those of processes that are gone';
  return { removals: [{ what: `temporary folders in ${directory}`, why, remove: () => repository.sweep() }], left: [] };
}
