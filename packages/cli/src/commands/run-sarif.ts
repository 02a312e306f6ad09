import { resolve } from 'node:path';
import type { Candidate, RunDocument } from '@lathe/protocol';
import { VERSION } from '../version.ts';
import { writeWhole } from '../write-whole.ts';

/**
 * What the candidates of a run add in findings, as SARIF 2.1.0: an analysis for each candidate that could be looked at,
 * its id `lathe/RUN/CANDIDATE`, what was not looked for as its notifications.
 */
export async function writeRunSarif(
  { runId }: RunDocument,
  candidates: readonly Candidate[],
  file: string,
  cwd: string,
): Promise<void> {
  const { joinSarif, toSarif } = await import('@lathe/gates');
  const looked = candidates.filter(({ ref }) => ref !== null);
  const logs = looked.map(({ id, model, status, findings, notLookedFor }) =>
    toSarif(findings, {
      version: VERSION,
      notLookedFor,
      automationId: `lathe/${runId}/${id}`,
      description: `Candidate ${id} of run ${runId} by ${model}: ${status}. Findings the base does not have.`,
    }),
  );
  await writeWhole(resolve(cwd, file), `${JSON.stringify(joinSarif(logs), null, 2)}\n`);
}
