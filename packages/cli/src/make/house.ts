import { stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { resolveModel } from '@lathe/makers';
import { HOUSE_SIGNAL, type RunOptions } from '@lathe/protocol';
import { git } from '../commands/git-text.ts';
import type { OpenRuns } from '../open-runs.ts';
import { plainLine } from '../plain-text.ts';
import { readRun } from '../read-run.ts';
import type { Session } from './session.ts';

/** Kept candidates with the signal that there must be before the ledger is asked what came of them. */
const FEWEST_KEPT = 30;

/**
 * The model of the repository's own code that reads a run's candidates: the one named, else the one git's setting
 * `lathe.house` names, which is the repository's own and out of a candidate's reach. Null where neither is.
 *
 * What it says ranks candidates only where the ledger has shown that it predicts: more of it meant more churn, by an
 * interval that leaves out chance, and the signals together know something of what they have not seen.
 */
export async function chooseHouse(
  named: string | null,
  open: OpenRuns,
  session: Session,
): Promise<NonNullable<RunOptions['house']> | null> {
  const { root } = open.repository.location;
  const name = named ?? (await git(['config', '--get', 'lathe.house'], root).catch(() => '')).trim();
  if (name === '') return null;
  const asked = name.replace(/^local:/, '');
  const path = isAbsolute(asked) ? asked : resolve(named === null ? root : session.terminal.cwd, asked);
  const isThere = (await stat(path).catch(() => null)) !== null;
  const model = await resolveModel(isThere ? path : asked, { env: session.terminal.env, signal: session.signal });
  const evidence = await evidenceFor(open, session);
  session.fact(
    'house',
    `${plainLine(name)}, ${evidence.ranks ? evidence.why : `recorded, not used for ranking: ${evidence.why}`}`,
  );
  return { model, ...evidence };
}

async function evidenceFor(open: OpenRuns, session: Session): Promise<{ ranks: boolean; why: string }> {
  let kept = 0;
  for (const { runId } of await open.store.list()) {
    const { document } = await readRun(runId, open.store);
    const candidate = document.candidates.find(({ id }) => id === document.kept);
    if (candidate?.signals?.[HOUSE_SIGNAL] !== undefined) kept++;
  }
  if (kept < FEWEST_KEPT)
    return { ranks: false, why: `the ledger has no evidence yet, ${kept} of ${FEWEST_KEPT} kept candidates were read` };
  const { readReport } = await import('../commands/ledger.ts');
  const { tooFew, signals, skill } = (await readReport(open, 0, session.terminal)).prediction.kept;
  const found = signals.find(({ signal }) => signal === HOUSE_SIGNAL);
  if (found === undefined) return { ranks: false, why: `the ledger cannot tell yet: ${tooFew ?? 'it hardly differs'}` };
  const { value, low, high } = found.oddsRatio;
  const odds = `odds of churn × ${value.toFixed(2)} [${low?.toFixed(2)}, ${high?.toFixed(2)}] for one deviation more`;
  const predicts = found.verdict === 'more churn' && (skill?.low ?? 0) > 0;
  return { ranks: predicts, why: `the ledger ${predicts ? 'shows' : 'does not show'} that it predicts, ${odds}` };
}
