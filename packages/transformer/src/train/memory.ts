import { totalmem } from 'node:os';
import { peakBytes } from '@lathe/graph';
import { TrainError } from './train-error.ts';
import type { StepOptions, Trainable } from './trainable.ts';

/** What a run takes over what its shapes add up to: measured 1.3 to 1.4 times, for memory that does not fit together. */
const FRAGMENTATION = 1.4;
/** Node and the runtime themselves. */
const PROCESS_BYTES = 200e6;

export interface MemoryNeed {
  /** Most bytes the run is expected to hold at once. */
  readonly neededBytes: number;
  /** What the machine, or the container the process is in, has free now. */
  readonly freeBytes: number;
}

/** What a training run needs: parameters, gradients and optimiser state, and the most its graph holds at once. */
export function memoryNeed(subject: Trainable, options: StepOptions): MemoryNeed {
  const { batchSize, accumulation, optimiser, recompute = false } = options;
  const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const trained = subject.specs.reduce((sum, { shape }) => sum + count(shape), 0);
  const copies = 2 + (optimiser.kind === 'adamw' ? 2 : 1) + (accumulation > 1 ? 1 : 0);
  const frozen = Object.values(subject.frozen).reduce((sum, { data }) => sum + data.byteLength, 0);
  const { graph, masks } = subject.graph({ batchSize, gradients: true, recompute });
  const masked = masks.reduce((sum, { shape }) => sum + 4 * count(shape), 0);
  return {
    neededBytes: 4 * copies * trained + frozen + masked + FRAGMENTATION * peakBytes(graph) + PROCESS_BYTES,
    freeBytes: process.availableMemory(),
  };
}

/** Throws `TrainError` where the run needs more than there is, free or not, with a batch that would fit. */
export function checkMemory(subject: Trainable, options: StepOptions): void {
  const constrained = process.constrainedMemory();
  const limit = Math.min(totalmem(), constrained > 0 ? constrained : Number.POSITIVE_INFINITY);
  const { neededBytes } = memoryNeed(subject, options);
  if (neededBytes <= limit) return;
  throw new TrainError(
    'LATHE_TRAIN_MEMORY',
    `expected a run that fits into memory, got one that needs about ${inGigabytes(neededBytes)} of ${inGigabytes(limit)}`,
    { remedy: remedyFor(subject, options, limit) },
  );
}

function remedyFor(subject: Trainable, options: StepOptions, limit: number): string {
  for (let batchSize = options.batchSize; batchSize >= 1; batchSize = Math.floor(batchSize / 2))
    for (const recompute of [false, true])
      if (memoryNeed(subject, { ...options, batchSize, recompute }).neededBytes <= limit) {
        const accumulation = Math.ceil((options.batchSize * options.accumulation) / batchSize);
        const smaller =
          batchSize === options.batchSize
            ? []
            : [`--batch ${batchSize} --accumulate ${accumulation} (as large a step)`];
        return `This fits: ${[...smaller, ...(recompute ? ['--recompute'] : [])].join(' ')}.`;
      }
  return 'Not even one sequence fits: take fewer layers, a smaller width, or a shorter block.';
}

/** A failed allocation of the runtime or of Node, as what it means to the user; null for any other error. */
export function outOfMemory(error: unknown): TrainError | null {
  const said = error instanceof Error ? error.message : String(error);
  if (!/bad_alloc|bad allocation|Failed to allocate|Array buffer allocation failed|out of memory/i.test(said))
    return null;
  return new TrainError('LATHE_TRAIN_MEMORY', 'memory ran out while training', {
    cause: error,
    remedy: `The last save is kept. ${LESS_MEMORY}`,
  });
}

export const LESS_MEMORY =
  'Take a smaller --batch with --accumulate to match, --recompute, a shorter --block, or stop what else runs here.';

function inGigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
