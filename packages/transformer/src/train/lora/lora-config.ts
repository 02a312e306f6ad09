import type { Config } from '../../config.ts';
import { TrainError } from '../train-error.ts';
import type { ParameterSpec } from '../training-config.ts';

/** The matrices of a block that can have an adapter: the name in a GGUF file, and PEFT's. */
export const LORA_MODULES = {
  q_proj: 'attn_q',
  k_proj: 'attn_k',
  v_proj: 'attn_v',
  o_proj: 'attn_output',
  gate_proj: 'ffn_gate',
  up_proj: 'ffn_up',
  down_proj: 'ffn_down',
} as const;
export type LoraModule = keyof typeof LORA_MODULES;
export const ALL_MODULES = Object.keys(LORA_MODULES) as readonly LoraModule[];

/** How adapters are laid on a base. Hu et al. 2021, https://arxiv.org/abs/2106.09685, §4.1 */
export interface LoraOptions {
  /** Columns between the two factors: W + (alpha / rank) · B · A with A [rank, in], B [out, rank]. */
  readonly rank: number;
  readonly alpha: number;
  readonly modules: readonly LoraModule[];
  /** Share of an adapter's input set to 0 while training. */
  readonly dropout: number;
}

/**
 * Rank 8 on every linear layer: adapters on all of them, not their rank, is what matching full fine-tuning takes (Dettmers
 * et al. 2023, https://arxiv.org/abs/2305.14314, §4). No dropout, as in PEFT.
 */
export const LORA_DEFAULTS: LoraOptions = { rank: 8, alpha: 16, modules: ALL_MODULES, dropout: 0 };

/** What is trained, with the sizes of the base: everything a checkpoint must agree with. */
export interface LoraConfig {
  readonly preset: 'lora';
  /** SHA-256 of the base's file. */
  readonly base: string;
  readonly rank: number;
  readonly alpha: number;
  /** Names of `LORA_MODULES` with commas between, in that order. */
  readonly modules: string;
  readonly dropout: number;
  readonly blockSize: number;
  readonly vocabSize: number;
  readonly nLayer: number;
  readonly nHead: number;
  readonly nKvHead: number;
  readonly headSize: number;
  readonly nEmbd: number;
  readonly nFeedForward: number;
}

/** Throws `TrainError` naming the field, what was expected and what was got, where the options do not fit the base. */
export function checkLoraOptions(
  base: Config,
  { rank, alpha, modules, dropout }: LoraOptions,
  blockSize: number,
): void {
  const fail = (field: string, expected: string, got: unknown, remedy?: string): never => {
    throw new TrainError('LATHE_TRAIN_CONFIG', `LoRA ${field}: expected ${expected}, got ${String(got)}`, {
      ...(remedy && { remedy }),
    });
  };
  if (!Number.isInteger(rank) || rank < 1 || rank > 1024) fail('rank', 'a whole number from 1 to 1024', rank);
  if (!(alpha > 0 && alpha <= 65_536)) fail('alpha', 'above 0 and at most 65536', alpha);
  if (!(dropout >= 0 && dropout < 1)) fail('dropout', 'at least 0 and below 1', dropout);
  if (modules.length === 0) fail('modules', `some of ${ALL_MODULES.join(', ')}`, 'none');
  for (const name of modules)
    if (!Object.hasOwn(LORA_MODULES, name)) fail('modules', `some of ${ALL_MODULES.join(', ')}`, name);
  const widest = Math.max(...modules.map((module) => Math.min(...moduleShape(base, module))));
  if (rank > widest)
    fail('rank', `at most ${widest}, the highest any of the base's matrices can have`, rank, 'Give a lower --rank.');
  if (blockSize > base.blockSize)
    fail(
      'block size',
      `at most the base's window of ${base.blockSize}`,
      blockSize,
      `Give --block ${base.blockSize} or less.`,
    );
}

export function modulesOf({ modules }: LoraConfig): readonly LoraModule[] {
  return modules.split(',') as LoraModule[];
}

type Sizes = Pick<Config, 'nHead' | 'nKvHead' | 'headSize' | 'nEmbd' | 'nFeedForward'>;

/** [out, in] of a matrix that can have an adapter. */
export function moduleShape(config: Sizes, module: LoraModule): readonly [outputs: number, inputs: number] {
  const { nHead, nKvHead, headSize, nEmbd: C, nFeedForward: F } = config;
  switch (module) {
    case 'q_proj':
      return [nHead * headSize, C];
    case 'k_proj':
    case 'v_proj':
      return [nKvHead * headSize, C];
    case 'o_proj':
      return [C, nHead * headSize];
    case 'gate_proj':
    case 'up_proj':
      return [F, C];
    case 'down_proj':
      return [C, F];
  }
}

export interface Adapter {
  readonly layer: number;
  readonly module: LoraModule;
  /** The matrix it is added to, by its name in a GGUF file without `.weight`. */
  readonly matrix: string;
  readonly outputs: number;
  readonly inputs: number;
}

/** Every adapter, in the order of the model. */
export function adaptersOf(config: LoraConfig): readonly Adapter[] {
  return Array.from({ length: config.nLayer }, (_, layer) =>
    modulesOf(config).map((module) => {
      const [outputs, inputs] = moduleShape(config, module);
      return { layer, module, matrix: `blk.${layer}.${LORA_MODULES[module]}`, outputs, inputs };
    }),
  ).flat();
}

/**
 * A uniform within ±1/√in (Kaiming's rule with a = √5, which PEFT and the authors' code use) and B zero, so that training
 * starts from the base itself.
 */
export function loraSpecs(config: LoraConfig): readonly ParameterSpec[] {
  return adaptersOf(config).flatMap(({ matrix, outputs, inputs }) => [
    {
      name: `${matrix}.lora_A`,
      shape: [config.rank, inputs],
      start: { uniform: 1 / Math.sqrt(inputs) },
      decayed: false,
    },
    { name: `${matrix}.lora_B`, shape: [outputs, config.rank], start: { value: 0 }, decayed: false },
  ]);
}
