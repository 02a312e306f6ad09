import type { DiffSize, FileEdit, Tree } from '@lathe/protocol';

/** A candidate as a commit. */
export interface RecordedCandidate {
  readonly ref: string;
  readonly commit: string;
  /** The commit's message, as it was given when recording. */
  readonly message: string;
  readonly diff: DiffSize;
  /** What the commit changes, as edits of the base. */
  readonly edits: readonly FileEdit[];
}

export interface RecordOutcome {
  /** Null where nothing was left to record. */
  readonly recorded: RecordedCandidate | null;
  /** Edits that no tree may hold, with the reason. */
  readonly refused: readonly { readonly path: string; readonly why: string }[];
}

/** Where candidates are kept for good; the repository package fits it. */
export interface Recorder {
  /** Idempotent: a candidate that is recorded already is returned as it is. */
  recordCandidate(request: {
    runId: string;
    index: number;
    baseCommit: string;
    edits: readonly FileEdit[];
    message: string;
  }): Promise<RecordOutcome>;
  findCandidate(runId: string, index: number, baseCommit: string): Promise<RecordedCandidate | null>;
  treeAt(commit: string): Tree;
}
