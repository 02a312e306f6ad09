import type { BaseCheck, CandidateStatus, FileEdit, Proposal } from '@lathe/protocol';
import { runChecks } from './check-candidate.ts';
import { fingerprint } from './fingerprint.ts';
import { normaliseCode } from './normalise-code.ts';
import { commitMessage, madeEvent, readCommitMessage } from './provenance.ts';
import type { RecordedCandidate } from './recorder.ts';
import { type CandidateState, candidateId } from './replay.ts';
import { enforceScope } from './scope.ts';
import type { Session } from './session.ts';

/**
 * Turns a proposal into a recorded candidate: scope, commit, events. The commit and its ref come first and carry the
 * whole event in their message; only then is the event stored. A process that dies in between leaves a ref without
 * an event, which `adoptRecorded` picks up.
 *
 * Returns the edits that were recorded; null where there are none, and the candidate has no commit.
 */
export async function takeProposal(
  session: Session,
  proposal: Proposal,
  model: string,
): Promise<readonly FileEdit[] | null> {
  const made = madeEvent(proposal, model, session.now());
  if (proposal.outcome !== 'made') {
    await session.append(made);
    return null;
  }
  const { allowed, reverted } = enforceScope(session.state.started.task, proposal.edits);
  const message = commitMessage(session.runId, { made, reverted: reverted.map(({ path }) => path) });
  const { index } = proposal;
  const request = { runId: session.runId, index, baseCommit: session.baseCommit, edits: allowed, message };
  const { recorded, refused } = await session.parts.recorder.recordCandidate(request);
  const takenBack = [...reverted, ...refused];
  if (recorded === null) {
    await session.append({ ...made, outcome: 'invalid', reason: nothingLeft(takenBack) });
    return null;
  }
  await session.append(made);
  const paths = takenBack.map(({ path }) => path);
  await appendRecorded(session, index, recorded, paths);
  return recorded.edits;
}

/** Stores the events of a candidate whose ref is there though its events are not. True where there is such a ref. */
export async function adoptRecorded(session: Session, index: number): Promise<boolean> {
  const recorded = await session.parts.recorder.findCandidate(session.runId, index, session.baseCommit);
  const provenance = recorded === null ? null : readCommitMessage(recorded.message);
  if (recorded === null || provenance === null) return false;
  if (!session.state.candidates.has(index)) await session.append(provenance.made);
  await appendRecorded(session, index, recorded, provenance.reverted);
  return true;
}

async function appendRecorded(
  session: Session,
  index: number,
  recorded: RecordedCandidate,
  reverted: readonly string[],
): Promise<void> {
  const normalise = session.parts.normalise ?? normaliseCode;
  await session.append({
    type: 'candidate-recorded',
    atMs: session.now(),
    index,
    ref: recorded.ref,
    commit: recorded.commit,
    diff: recorded.diff,
    reverted: [...reverted],
    fingerprint: await fingerprint(recorded.edits, normalise),
  });
}

function nothingLeft(takenBack: readonly { path: string; why: string }[]): string {
  if (takenBack.length === 0) return 'it changes nothing';
  const named = takenBack.map(({ path, why }) => `${path}: ${why}`).join('; ');
  return `nothing is left after taking back what it may not change (${named})`;
}

/**
 * Gates and checks of a recorded candidate, up to its `candidate-finished`. Where the signal fires first, nothing more
 * is stored and the candidate stays unfinished.
 */
export async function inspectCandidate(
  session: Session,
  candidate: CandidateState,
  /** What its commit changes, where that is known already. */
  edits: readonly FileEdit[] | null,
  base: readonly BaseCheck[],
): Promise<void> {
  const startedMs = session.now();
  const finish = (status: CandidateStatus, reason: string | null) =>
    finishCandidate(session, candidate.index, status, reason, { durationMs: session.now() - startedMs });
  try {
    const commit = candidate.recorded?.commit;
    if (commit === undefined) throw new Error(`internal: ${candidate.id} is not recorded`);
    const changes = edits ?? (await recordedEdits(session, candidate.index));
    if (changes === null) {
      await finish('error', `its commit ${commit} is no longer in the repository`);
      return;
    }
    const rejected = await passGates(session, candidate, commit, changes);
    if (session.signal.aborted) return;
    if (rejected !== null) {
      await finish('invalid', rejected);
      return;
    }
    await checkInCopy(session, candidate, changes, base);
    const verdict = verdictOf(candidate, session.state.started.task.checks.length);
    if (verdict !== null) await finish(verdict.status, verdict.reason);
  } catch (error) {
    if (session.signal.aborted) return;
    await finish('error', error instanceof Error ? error.message : String(error));
  }
}

async function recordedEdits(session: Session, index: number): Promise<readonly FileEdit[] | null> {
  const { runId, baseCommit, parts } = session;
  return (await parts.recorder.findCandidate(runId, index, baseCommit))?.edits ?? null;
}

/**
 * A reason to reject the candidate, or null. After a crash gates look again, since the record of their findings does not
 * hold their verdict; what is recorded already is not recorded twice.
 */
async function passGates(
  session: Session,
  candidate: CandidateState,
  commit: string,
  edits: readonly FileEdit[],
): Promise<string | null> {
  const { gates, recorder } = session.parts;
  const trees = { base: session.base, candidate: recorder.treeAt(commit) };
  for (const gate of gates) {
    if (session.signal.aborted) return null;
    const result = await gate.inspect({ ...trees, edits, signal: session.signal });
    if (!candidate.gated.some((event) => event.gate === gate.name)) {
      await session.append({
        type: 'candidate-gated',
        atMs: session.now(),
        index: candidate.index,
        gate: gate.name,
        findings: [...result.findings],
        notLookedFor: [...result.notLookedFor],
        ...(result.signals === undefined ? {} : { signals: { ...result.signals } }),
      });
    }
    if (result.reject !== null) return `${gate.name}: ${result.reject}`;
  }
  return null;
}

async function checkInCopy(
  session: Session,
  candidate: CandidateState,
  edits: readonly FileEdit[],
  base: readonly BaseCheck[],
): Promise<void> {
  const { checks, kind } = session.state.started.task;
  if (checks.length === 0 || candidate.checks.length === checks.length) return;
  const { index } = candidate;
  const workspace = await session.parts.workspaces.open(`${session.runId}-${candidateId(index)}`);
  try {
    await workspace.write(edits);
    const { limits } = session.parts;
    const onStart = (command: string) => session.tell({ type: 'checking', index, command });
    // A function without a body fails its tests: that the base fails them too says nothing about a candidate.
    const telling = kind === 'hole' ? base.filter(({ outcome }) => outcome === 'flaky') : base;
    const results = runChecks({ checks, workspace, limits, base: telling, signal: session.signal, onStart });
    await session.checking.during(async () => {
      for await (const check of results) {
        await session.append({ type: 'check-finished', atMs: session.now(), index, check });
      }
    });
  } finally {
    await workspace.close();
  }
}

/** Null where checks are missing: the run was stopped meanwhile. */
function verdictOf(
  candidate: CandidateState,
  commands: number,
): { status: CandidateStatus; reason: string | null } | null {
  if (candidate.checks.length < commands) return null;
  const broken = candidate.checks.find((check) => check.status !== 'passed');
  if (broken === undefined) return { status: 'passed', reason: null };
  const reason = `${broken.command}: ${broken.reason ?? broken.status}`;
  if (broken.status === 'timed-out' || broken.status === 'error') return { status: broken.status, reason };
  return { status: 'failed', reason };
}

export async function finishCandidate(
  session: Session,
  index: number,
  status: CandidateStatus,
  reason: string | null,
  { sameAs = null, durationMs = 0 }: { sameAs?: number | null; durationMs?: number } = {},
): Promise<void> {
  await session.append({ type: 'candidate-finished', atMs: session.now(), index, status, reason, sameAs, durationMs });
}
