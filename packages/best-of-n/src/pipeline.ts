import type { BaseCheck, FileEdit, Proposal } from '@lathe/protocol';
import pLimit, { type LimitFunction } from 'p-limit';
import { checkBase } from './base-check.ts';
import { finishCandidate, inspectCandidate, takeProposal } from './candidate.ts';
import { madeEvent } from './provenance.ts';
import type { CandidateState } from './replay.ts';
import type { Session } from './session.ts';

/**
 * Takes candidates from proposal to verdict while others are still being made. The base is checked meanwhile; the
 * first candidate's checks wait for it. At most `concurrency` candidates are inspected at once; candidates with equal
 * code are inspected once.
 */
export class Pipeline {
  readonly #session: Session;
  readonly #limit: LimitFunction;
  readonly #work: Promise<void>[] = [];
  /** By fingerprint: the candidate that is inspected for its group. */
  readonly #heads = new Map<string, { index: number; verdict: Promise<void> }>();
  #base: Promise<readonly BaseCheck[]> | null = null;
  #taken = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(session: Session) {
    this.#session = session;
    this.#limit = pLimit(session.state.started.options.concurrency);
  }

  /** Proposals taken in this session. */
  get taken(): number {
    return this.#taken;
  }

  /** Starts the base's checks, and takes up the candidates an earlier session left unfinished. */
  goOn(): void {
    this.#track(async () => {
      await this.#baseChecks();
    });
    const candidates = [...this.#session.state.candidates.values()];
    // Finished heads first: an unfinished equal of theirs needs no inspection of its own.
    for (const { index, recorded, finished } of candidates) {
      if (recorded === null || finished === null || finished.sameAs !== null) continue;
      this.#heads.set(recorded.fingerprint, { index, verdict: Promise.resolve() });
    }
    for (const { index, finished } of candidates) if (finished === null) this.#track(() => this.#conclude(index, null));
  }

  take(proposal: Proposal, model: string): void {
    this.#taken += 1;
    this.#track(async () => {
      let edits: readonly FileEdit[] | null = null;
      try {
        edits = await takeProposal(this.#session, proposal, model);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        // Only where the proposal itself is the trouble: a store that fails does so here again, and ends the run.
        if (this.#session.state.candidates.has(proposal.index)) {
          await finishCandidate(this.#session, proposal.index, 'error', reason);
        } else {
          const failed = { ...proposal, outcome: 'error' as const, reason };
          await this.#session.append(madeEvent(failed, model, this.#session.now()));
        }
      }
      await this.#conclude(proposal.index, edits);
    });
  }

  /** Waits until nothing is under way. @throws what ended the run from within */
  async drained(): Promise<void> {
    for (let i = 0; i < this.#work.length; i += 1) await this.#work[i];
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** A failure of the store or of the base's checks stops the whole run. */
  #track(work: () => Promise<void>): void {
    this.#work.push(
      work().catch((error: unknown) => {
        // What was interrupted by the stop is not a failure.
        if (this.#session.signal.aborted && error === this.#session.signal.reason) return;
        this.#failure ??= { error };
        this.#session.stop(error);
      }),
    );
  }

  async #conclude(index: number, edits: readonly FileEdit[] | null): Promise<void> {
    const candidate = this.#session.state.candidates.get(index);
    if (candidate === undefined || candidate.finished !== null) return;
    const { made, recorded } = candidate;
    if (made.outcome !== 'made') {
      await finishCandidate(this.#session, index, made.outcome, made.reason);
      return;
    }
    if (recorded === null) {
      await finishCandidate(this.#session, index, 'error', 'its commit is not in the repository');
      return;
    }
    const head = this.#heads.get(recorded.fingerprint);
    if (head !== undefined) {
      await head.verdict;
      await this.#concludeLike(head.index, index);
      return;
    }
    const verdict = this.#limit(() => this.#inspect(candidate, edits));
    this.#heads.set(recorded.fingerprint, { index, verdict });
    await verdict;
  }

  async #inspect(candidate: CandidateState, edits: readonly FileEdit[] | null): Promise<void> {
    if (this.#session.signal.aborted) return;
    const base = await this.#baseChecks();
    await inspectCandidate(this.#session, candidate, edits, base);
  }

  async #concludeLike(head: number, index: number): Promise<void> {
    const finished = this.#session.state.candidates.get(head)?.finished;
    // The head was cut off: so is this one, and both are taken up again on resume.
    if (finished == null) return;
    await finishCandidate(this.#session, index, finished.status, finished.reason, { sameAs: head });
  }

  #baseChecks(): Promise<readonly BaseCheck[]> {
    this.#base ??= this.#checkBase();
    return this.#base;
  }

  async #checkBase(): Promise<readonly BaseCheck[]> {
    const { state, parts, signal, checking } = this.#session;
    if (state.baseChecks !== null) return state.baseChecks;
    const { checks } = state.started.task;
    this.#session.tell({ type: 'checking-base', checks });
    const { workspaces, limits } = parts;
    const results = await checking.during(() => checkBase({ checks, workspaces, limits, signal }));
    await this.#session.append({ type: 'base-checked', atMs: this.#session.now(), checks: results });
    return results;
  }
}
