import type { Candidate, RunDocument } from '@lathe/protocol';
import type { OpenRuns } from './open-runs.ts';
import { plainLine } from './plain-text.ts';
import { VERSION } from './version.ts';

/** Apply a candidate to the checkout with a note of where it came from, and record that it was kept. */
export async function keepOne(
  candidate: Candidate,
  run: RunDocument,
  { repository, store, commit, title }: OpenRuns & { commit: boolean; title: string },
): Promise<{ files: string[]; commit: string | null }> {
  const { model, seed, index, id } = candidate;
  const { runId, baseCommit } = run;
  const subject = plainLine(title).slice(0, 60) || `Keep ${id}`;
  const kept = await repository.keepCandidate({
    runId,
    index,
    baseCommit,
    commit,
    message: `${subject}\n\nCandidate ${id} of Lathe run ${runId}, made by ${plainLine(model)} with seed ${seed}.\n`,
    provenance: { model, seed, version: VERSION },
  });
  await store.append(runId, { type: 'kept', atMs: Date.now(), id, commit: kept.commit, files: kept.files });
  return kept;
}
