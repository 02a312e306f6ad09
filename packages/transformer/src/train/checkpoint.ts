import { z } from 'zod';
import { type FloatTensor, readSafetensors, SafetensorsError, writeSafetensors } from '../weights/safetensors.ts';
import { TrainError } from './train-error.ts';
import { type TrainedConfig, trainedSpecs } from './trained-config.ts';

const VERSION = 1;

/** What a run needs to go on as if it had never stopped, besides the numbers. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  readonly bestValidationLoss: number | null;
  /** Losses so far: `[step, loss]`. */
  readonly training: readonly (readonly [number, number])[];
  readonly validation: readonly (readonly [number, number])[];
}

export interface Checkpoint {
  readonly config: TrainedConfig;
  readonly progress: Progress;
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly optimiser: ReadonlyMap<string, Float32Array>;
}

const Pairs = z.array(z.tuple([z.number(), z.number()]));
const Stored = z.object({
  version: z.number(),
  config: z.record(z.string(), z.union([z.string(), z.number()])),
  progress: z.object({
    step: z.int().min(0),
    bestValidationLoss: z.number().nullable(),
    training: Pairs,
    validation: Pairs,
  }),
});

/** One safetensors file: parameters under their names, optimiser state under `optimiser.` and its own. Written whole or not at all. */
export async function writeCheckpoint(
  path: string,
  { config, progress, parameters, optimiser }: Checkpoint,
): Promise<void> {
  const shapes = new Map(trainedSpecs(config).map(({ name, shape }) => [name, shape]));
  const tensors = new Map<string, FloatTensor>();
  for (const [name, data] of parameters) tensors.set(name, { shape: shapes.get(name)!, data });
  for (const [name, data] of optimiser) tensors.set(`optimiser.${name}`, { shape: [data.length], data });
  await writeSafetensors(path, {
    metadata: { lathe: JSON.stringify({ version: VERSION, config, progress }) },
    tensors,
  });
}

/** Throws `TrainError` where the file is not a checkpoint, comes from a newer version, or was made with another config. */
export async function readCheckpoint(path: string, expected?: TrainedConfig): Promise<Checkpoint> {
  const { metadata, tensors } = await readSafetensors(path).catch((cause: unknown) => {
    if (cause instanceof SafetensorsError)
      throw new TrainError('LATHE_TRAIN_CHECKPOINT', cause.message, {
        cause,
        remedy: 'Go on from an earlier checkpoint, or start anew in another folder.',
      });
    throw cause;
  });
  const fail = (message: string, remedy: string): never => {
    throw new TrainError('LATHE_TRAIN_CHECKPOINT', `${path}: ${message}`, { remedy });
  };
  const stored =
    parse(metadata.lathe) ??
    fail('expected a checkpoint of Lathe, got other tensors', 'Name a folder that `lathe train` has written.');
  if (stored.version > VERSION)
    fail(`expected version ${VERSION} at most, got ${stored.version}`, 'Use the Lathe that wrote it, or a newer one.');
  const config = stored.config as unknown as TrainedConfig;
  if (expected !== undefined)
    for (const [field, value] of Object.entries(expected))
      if ((config as unknown as typeof stored.config)[field] !== value)
        fail(
          `${field === 'base' ? 'SHA-256 of the base' : field}: expected ${value}, got ${(config as unknown as typeof stored.config)[field]}`,
          field === 'base'
            ? 'The adapters there were trained on another base: name that one, or another folder.'
            : 'Use the same sizes as the run that made it, or another folder.',
        );
  const parameters = new Map<string, Float32Array>();
  for (const { name, shape } of trainedSpecs(config)) {
    const tensor = tensors.get(name);
    if (tensor === undefined || tensor.shape.join() !== shape.join())
      return fail(
        `${name}: expected [${shape.join(', ')}], got ${tensor ? `[${tensor.shape.join(', ')}]` : 'none'}`,
        'The file is damaged: go on from an earlier checkpoint.',
      );
    parameters.set(name, tensor.data);
  }
  const optimiser = new Map<string, Float32Array>();
  for (const [name, { data }] of tensors)
    if (name.startsWith('optimiser.')) {
      const own = name.slice('optimiser.'.length);
      // m.<parameter>, v.<parameter>, u.<parameter>
      const expectedLength = parameters.get(own.slice(own.indexOf('.') + 1))?.length;
      if (data.length !== expectedLength)
        fail(
          `${name}: expected ${expectedLength ?? 'no such tensor'}, got ${data.length} numbers`,
          'The file is damaged: go on from an earlier checkpoint.',
        );
      optimiser.set(own, data);
    }
  return { config, progress: stored.progress, parameters, optimiser };
}

function parse(text: string | undefined): z.infer<typeof Stored> | null {
  try {
    return Stored.parse(JSON.parse(text ?? ''));
  } catch {
    return null;
  }
}
