import type { Event } from './event.ts';

export interface RunSummary {
  readonly runId: string;
  readonly startedAtMs: number;
  readonly repository: string;
  readonly instruction: string;
  readonly n: number;
  /** Null while it runs or after it was cut off. */
  readonly outcome: string | null;
  readonly best: string | null;
  readonly kept: string | null;
}

/** Where runs are recorded. `append` returns after the event is on disk. */
export interface RunStore {
  append(runId: string, event: Event): Promise<void>;
  /** Events of one run in order; empty where there is no such run. */
  read(runId: string): Promise<readonly Event[]>;
  /** Newest first. */
  list(): Promise<readonly RunSummary[]>;
  remove(runId: string): Promise<void>;
  close(): Promise<void>;
}
