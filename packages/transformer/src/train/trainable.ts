import type { Device, Value } from '@lathe/graph';
import type { Schedule } from './schedule.ts';
import type { Tokens } from './token-file.ts';
import type { TrainedConfig } from './trained-config.ts';
import { checkTrainingConfig, type ParameterSpec, parameterSpecs, type TrainingConfig } from './training-config.ts';
import { type TrainingGraph, trainingGraph } from './training-graph.ts';

/** What a trainer trains. */
export interface Trainable {
  /** What a checkpoint must agree with. */
  readonly config: TrainedConfig;
  readonly specs: readonly ParameterSpec[];
  /** Inputs of the graphs that are not trained, the same at every run. */
  readonly frozen: Readonly<Record<string, Value>>;
  graph(shape: GraphShape): TrainingGraph;
}

export interface GraphShape {
  readonly batchSize: number;
  readonly gradients: boolean;
  readonly recompute?: boolean;
  /** Tokens of a sequence; the config's where left out. */
  readonly blockSize?: number;
}

/** A model of the given sizes with every parameter trained. Throws `TrainError` where the sizes do not fit. */
export function fromScratch(config: TrainingConfig): Trainable {
  checkTrainingConfig(config);
  return {
    config,
    specs: parameterSpecs(config),
    frozen: {},
    graph: ({ batchSize, gradients, recompute, blockSize = config.blockSize }) =>
      trainingGraph({ ...config, blockSize }, batchSize, gradients, recompute),
  };
}

export interface StepOptions {
  /** Sequences a graph run sees at once. */
  readonly batchSize: number;
  /** Graph runs whose gradients are added up to one step. */
  readonly accumulation: number;
  readonly optimiser:
    | {
        readonly kind: 'adamw';
        readonly beta1: number;
        readonly beta2: number;
        readonly epsilon: number;
        readonly weightDecay: number;
      }
    | { readonly kind: 'sgd'; readonly momentum: number; readonly weightDecay: number };
  readonly schedule: Schedule;
  /** Largest norm of all gradients together; 0: never clipped. */
  readonly clip: number;
  readonly seed: number;
  readonly threads: number;
  /** Whether idle threads wait actively: faster where nothing else runs, ruinous where something does. Not by default. */
  readonly spinning?: boolean | undefined;
  /** Compute each block a second time for its gradient instead of keeping what it computed: less memory, more time. */
  readonly recompute?: boolean | undefined;
  /** `cpu` by default. */
  readonly device?: Device | undefined;
  readonly train: Tokens;
  readonly validation: Tokens;
}
