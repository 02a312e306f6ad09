import type { Device } from '@lathe/graph';
import type { Timings } from './generate.ts';
import type { Precision } from './precision.ts';

/** What is kept on disk between processes. */
export interface ModelCache {
  readonly folder: string;
  /** Most bytes of converted models. */
  readonly convertedBytes: number;
  /** Most bytes of prompts' keys and values, from which the prompts can be told; 0 keeps none. */
  readonly prefixBytes: number;
}

import type { GeneratedRow, RowRequest, TokenNews } from './row.ts';

/** What the model's thread is started with. */
export interface WorkerSetup {
  readonly path: string;
  readonly device: Device;
  /** Null: what suits the machine. */
  readonly precision: Precision | null;
  readonly threads: number;
  readonly spinning: boolean;
  readonly contextSize: number;
  readonly cache: ModelCache | null;
  readonly promptMemoryBytes: number;
}

export type WorkerRequest =
  | {
      readonly type: 'generate';
      readonly id: number;
      readonly prompt: readonly number[];
      readonly rows: readonly RowRequest[];
      /** 0: rows do not know of each other; above it they are drawn together (distinct.ts). */
      readonly distinct: number;
      /** Whether few rows read guesses of what comes next along (speculate.ts). */
      readonly speculate: boolean;
      /** One Int32; not 0: cancelled. Shared, so that it is seen between two runs of the graph. */
      readonly cancelled: SharedArrayBuffer;
    }
  | {
      readonly type: 'score';
      readonly id: number;
      readonly tokens: readonly number[];
      readonly cancelled: SharedArrayBuffer;
    }
  | { readonly type: 'close'; readonly id: number };

export type WorkerReply =
  | { readonly type: 'opened'; readonly loadMs: number; readonly precision: Precision; readonly trouble: string | null }
  | { readonly type: 'news'; readonly id: number; readonly news: readonly TokenNews[] }
  | { readonly type: 'progress'; readonly id: number; readonly tokens: number }
  | {
      readonly type: 'generated';
      readonly id: number;
      readonly rows: readonly GeneratedRow[];
      readonly timings: Timings;
    }
  | { readonly type: 'scored'; readonly id: number; readonly logProbabilities: Float32Array }
  | { readonly type: 'closed'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number | null; readonly problem: TransferredProblem };

/** An error as it crosses the thread boundary, where classes and own fields are lost. */
export interface TransferredProblem {
  readonly name: string;
  readonly message: string;
  readonly code: string | null;
  readonly remedy: string | null;
}
