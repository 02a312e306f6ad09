/**
 * Adapters as PEFT stores them: `adapter_model.safetensors` with one tensor for each factor and `adapter_config.json`.
 * https://huggingface.co/docs/peft/developer_guides/checkpoint
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../../config.ts';
import { type FloatTensor, readSafetensors, SafetensorsError, writeSafetensors } from '../../weights/safetensors.ts';
import { TrainError } from '../train-error.ts';
import { type Adapter, ALL_MODULES, adaptersOf, type LoraConfig, type LoraModule } from './lora-config.ts';

export const ADAPTER_FILES = { weights: 'adapter_model.safetensors', config: 'adapter_config.json' } as const;

const ATTENTION: readonly LoraModule[] = ['q_proj', 'k_proj', 'v_proj', 'o_proj'];

/** PEFT's name of a factor: the path of the module in the transformers model, wrapped twice. */
export function peftName({ layer, module }: Pick<Adapter, 'layer' | 'module'>, factor: 'A' | 'B'): string {
  const part = ATTENTION.includes(module) ? 'self_attn' : 'mlp';
  return `base_model.model.model.layers.${layer}.${part}.${module}.lora_${factor}.weight`;
}

/** The factors by their names in a checkpoint, as `rank`, `alpha` and the parameters of a run have them. */
export interface Adapters {
  readonly rank: number;
  readonly alpha: number;
  /** A [rank, in] and B [out, rank] under `<matrix>.lora_A` and `.lora_B`. */
  readonly factors: ReadonlyMap<string, Float32Array>;
}

/**
 * Writes both files into a folder. Rows of B for q and k of a llama file are put from the file's order of rotary pairs into
 * that of transformers, in which the halves of a head are apart.
 */
export async function writeAdapters(
  directory: string,
  model: { config: LoraConfig; architecture: Config['architecture']; baseName: string; factors: Adapters['factors'] },
): Promise<void> {
  const { config, architecture, baseName, factors } = model;
  const tensors = new Map<string, FloatTensor>();
  for (const adapter of adaptersOf(config)) {
    const { matrix, outputs, inputs } = adapter;
    const b = factors.get(`${matrix}.lora_B`)!;
    const order = rowOrder(adapter, architecture, config);
    tensors.set(peftName(adapter, 'A'), { shape: [config.rank, inputs], data: factors.get(`${matrix}.lora_A`)! });
    tensors.set(peftName(adapter, 'B'), {
      shape: [outputs, config.rank],
      data: order === null ? b : rowsFrom(b, order, config.rank),
    });
  }
  await writeSafetensors(join(directory, ADAPTER_FILES.weights), {
    metadata: { format: 'pt', base: baseName, base_sha256: config.base },
    tensors,
  });
  const described = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    // A name that is no repository's would send PEFT looking for it.
    base_model_name_or_path: repositoryOf(baseName),
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    target_modules: config.modules.split(','),
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
    inference_mode: true,
    use_rslora: false,
    use_dora: false,
  };
  const path = join(directory, ADAPTER_FILES.config);
  await writeFile(`${path}.part`, `${JSON.stringify(described, null, 2)}\n`);
  await rename(`${path}.part`, path);
}

/** `owner/name` where the base's name has that form. */
function repositoryOf(name: string): string | null {
  return /^[\w.-]+\/[\w.-]+$/.test(name) ? name : null;
}

const Described = z.object({
  peft_type: z.literal('LORA'),
  r: z.int().min(1).max(1024),
  lora_alpha: z.number().positive(),
  target_modules: z.array(z.enum(ALL_MODULES as [LoraModule, ...LoraModule[]])).min(1),
  bias: z.literal('none').default('none'),
  fan_in_fan_out: z.literal(false).default(false),
  use_rslora: z.literal(false).default(false),
  use_dora: z.literal(false).default(false),
});

/**
 * Reads a folder of adapters, PEFT's or Lathe's own, for a base. Throws `TrainError` where it holds something else, a kind of
 * adapter that is not plain LoRA, or factors of another model.
 */
export async function readAdapters(directory: string, base: Config): Promise<Adapters> {
  const fail = (message: string, cause?: unknown): never => {
    throw new TrainError('LATHE_TRAIN_ADAPTER', `${directory}: ${message}`, {
      cause,
      remedy: 'Name a folder of plain LoRA adapters (PEFT, no DoRA, no bias) made for this base.',
    });
  };
  const path = join(directory, ADAPTER_FILES.config);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => fail(`expected ${ADAPTER_FILES.config}`, cause));
  const described = parsed(text);
  if (typeof described === 'string') return fail(`${ADAPTER_FILES.config}: ${described}`);
  const { r: rank, lora_alpha: alpha, target_modules: modules } = described;
  const { tensors } = await readSafetensors(join(directory, ADAPTER_FILES.weights)).catch((cause: unknown) => {
    if (cause instanceof SafetensorsError || (cause as NodeJS.ErrnoException).code === 'ENOENT')
      return fail(cause instanceof Error ? cause.message : String(cause), cause);
    throw cause;
  });
  const config: LoraConfig = { ...base, preset: 'lora', base: '', rank, alpha, modules: modules.join(','), dropout: 0 };
  const factors = new Map<string, Float32Array>();
  const take = (name: string, shape: readonly [number, number]): Float32Array => {
    const tensor = tensors.get(name);
    if (tensor === undefined || tensor.shape.join() !== shape.join())
      return fail(
        `${name}: expected [${shape.join(', ')}], got ${tensor ? `[${tensor.shape.join(', ')}]` : 'no such tensor'}`,
      );
    return tensor.data;
  };
  for (const adapter of adaptersOf(config)) {
    const { matrix, outputs, inputs } = adapter;
    const b = take(peftName(adapter, 'B'), [outputs, rank]);
    const order = rowOrder(adapter, base.architecture, config);
    factors.set(`${matrix}.lora_A`, take(peftName(adapter, 'A'), [rank, inputs]));
    factors.set(`${matrix}.lora_B`, order === null ? b : rowsFrom(b, inverse(order), rank));
  }
  return { rank, alpha, factors };
}

function parsed(text: string): z.infer<typeof Described> | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'expected JSON';
  }
  const result = Described.safeParse(value);
  return result.success ? result.data : z.prettifyError(result.error);
}

/**
 * For each row of transformers' matrix the row of the file's. Converters of llama models put the pair (i, i + D/2) of each
 * head beside each other, at 2i and 2i + 1; other architectures keep the order: null.
 */
function rowOrder(
  { module, outputs }: Adapter,
  architecture: Config['architecture'],
  { headSize: D }: LoraConfig,
): Uint32Array | null {
  if (architecture !== 'llama' || (module !== 'q_proj' && module !== 'k_proj')) return null;
  return Uint32Array.from({ length: outputs }, (_, row) => {
    const place = row % D;
    return row - place + (place < D / 2 ? 2 * place : 2 * (place - D / 2) + 1);
  });
}

function inverse(order: Uint32Array): Uint32Array {
  const places = new Uint32Array(order.length);
  for (const [to, from] of order.entries()) places[from] = to;
  return places;
}

/** Row i of the result is row order[i] of `rows`. */
function rowsFrom(rows: Float32Array, order: Uint32Array, width: number): Float32Array {
  const result = new Float32Array(rows.length);
  for (const [to, from] of order.entries()) result.set(rows.subarray(from * width, (from + 1) * width), to * width);
  return result;
}
