import { LatheError, type RunStore, type RunSummary } from '@lathe/protocol';

/**
 * The run a user means by `last`, an id or the beginning of one. Throws `LATHE_NOT_FOUND_RUN` where there is none and
 * `LATHE_USAGE_RUN` where there are several.
 */
export async function findRun(name: string, store: RunStore): Promise<RunSummary> {
  const runs = await store.list();
  const exact = name === 'last' ? runs[0] : runs.find((run) => run.runId === name);
  if (exact !== undefined) return exact;
  const matching = runs.filter((run) => run.runId.startsWith(name));
  if (matching.length === 1) return matching[0]!;
  if (matching.length > 1) {
    const ids = matching.map((run) => run.runId);
    throw new LatheError('LATHE_USAGE_RUN', `"${name}" begins ${ids.length} runs: ${ids.join(', ')}`, {
      remedy: 'give more of the id',
    });
  }
  const remedy = runs.length === 0 ? 'make one: lathe make --help' : 'see them: lathe list';
  const message = runs.length === 0 ? 'this repository has no runs yet' : `no run "${name}" in this repository`;
  throw new LatheError('LATHE_NOT_FOUND_RUN', message, { remedy });
}

/** The member of a run with this id (`c3`; a bare `3` will do). Throws `LATHE_NOT_FOUND_CANDIDATE`. */
export function findCandidate<T extends { readonly id: string }>(
  id: string,
  runId: string,
  candidates: readonly T[],
): T {
  const wanted = /^\d+$/.test(id) ? `c${id}` : id;
  const found = candidates.find((candidate) => candidate.id === wanted);
  if (found !== undefined) return found;
  const ids = candidates.map((candidate) => candidate.id).join(', ');
  throw new LatheError('LATHE_NOT_FOUND_CANDIDATE', `run ${runId} has no candidate "${id}"`, {
    remedy: candidates.length === 0 ? 'it has none yet' : `it has ${ids}`,
  });
}
