import { join } from 'node:path';
import { BaseTrees } from './base-trees.ts';
import { undoLeftOver } from './checkout-change.ts';
import { type ExportReport, exportTree } from './export.ts';
import { type KeepRequest, type Kept, keepCandidate } from './keep.ts';
import { type Location, locate } from './location.ts';
import { ObjectReader } from './objects.ts';
import { RepositoryError } from './problem.ts';
import {
  findCandidate,
  type RecordedCandidate,
  type RecordOutcome,
  type RecordRequest,
  recordCandidate,
} from './record.ts';
import { deleteRefs, listRunRefs, type RunRefs } from './run-refs.ts';
import { type BaseSnapshot, snapshotBase } from './snapshot.ts';
import { sweepTemporaryFolders } from './temporary.ts';
import { type Tree, treeAt } from './tree-at.ts';

/**
 * The user's repository. Nothing here moves a branch, changes the index or an ignored file, or runs a hook, but for
 * `keepCandidate`: it writes to the checkout and, where a commit is asked for, makes one.
 */
export class Repository {
  readonly location: Location;
  readonly #reader: ObjectReader;
  readonly #bases: BaseTrees;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(location: Location) {
    this.location = location;
    this.#reader = new ObjectReader(location.root);
    this.#bases = new BaseTrees({ cwd: location.root });
  }

  /** See `snapshotBase`. */
  snapshotBase(runId: string): Promise<BaseSnapshot> {
    requireRunId(runId);
    return this.#inTurn(() => snapshotBase(this.location, runId));
  }

  /** Files of a commit, listed on first use. */
  treeAt(commit: string): Tree {
    return treeAt(commit, this.#reader, { cwd: this.location.root });
  }

  /** See `exportTree`. */
  exportTree(commit: string, directory: string): Promise<ExportReport> {
    return exportTree(commit, directory, this.location);
  }

  /** See `recordCandidate`. */
  recordCandidate(request: RecordRequest): Promise<RecordOutcome> {
    requireRunId(request.runId);
    return this.#inTurn(() => recordCandidate(request, this.location, this.#reader, this.#bases));
  }

  /** The candidate recorded at this place of the run, or null. */
  findCandidate(runId: string, index: number, baseCommit: string): Promise<RecordedCandidate | null> {
    requireRunId(runId);
    return findCandidate(runId, index, baseCommit, this.location, this.#reader);
  }

  /** See `keepCandidate`. */
  keepCandidate(request: KeepRequest): Promise<Kept> {
    requireRunId(request.runId);
    return this.#inTurn(() => keepCandidate(request, this.location, this.#reader));
  }

  listRunRefs(): Promise<RunRefs[]> {
    return listRunRefs(this.location);
  }

  /** Deletes every ref of the run. Whether that is safe is the caller's knowledge. */
  async deleteRunRefs(runId: string): Promise<void> {
    requireRunId(runId);
    const run = (await this.listRunRefs()).find((refs) => refs.runId === runId);
    if (run !== undefined) await this.#inTurn(() => deleteRefs(run.refs, this.location));
  }

  /** Takes back what killed processes left half-done in the checkout and removes their folders; returns how many. */
  async sweep(): Promise<number> {
    await undoLeftOver(join(this.location.latheDir, 'keep'));
    return sweepTemporaryFolders(join(this.location.latheDir, 'tmp'));
  }

  close(): void {
    this.#reader.close();
  }

  /** One writer at a time. A failed turn does not stop the next. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}

/** Opens the repository that holds `directory`. Errors as in `locate`. */
export async function openRepository(directory: string): Promise<Repository> {
  return new Repository(await locate(directory));
}

/** A run id becomes a part of ref names. */
function requireRunId(runId: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(runId)) return;
  throw new RepositoryError('LATHE_USAGE_RUN_ID', `"${runId}" is not a run id: letters, digits, - and _ are expected.`);
}
