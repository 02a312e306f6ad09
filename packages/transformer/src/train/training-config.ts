import { TrainError } from './train-error.ts';

/**
 * `llama`: today's block (RMSNorm before each part, rotary positions, SwiGLU, no biases). `vaswani-2017`: the block of the
 * paper (sinusoidal positions, LayerNorm after each part, ReLU feed-forward with biases), decoder only.
 */
export type Preset = 'llama' | 'vaswani-2017';

/** What is trained. Sizes in the field's names; see `Config` for a model that is run. */
export interface TrainingConfig {
  readonly preset: Preset;
  readonly nLayer: number;
  readonly nHead: number;
  /** `vaswani-2017` has as many as query heads. */
  readonly nKvHead: number;
  readonly nEmbd: number;
  readonly nFeedForward: number;
  readonly vocabSize: number;
  /** Tokens seen at once. */
  readonly blockSize: number;
  /** Share of the activations set to 0 while training: of the embedding, of each part's result and, but for `vaswani-2017`, of attention's probabilities. */
  readonly dropout: number;
  /** Share of the target's probability spread over the vocabulary. Vaswani et al. 2017 §5.4 */
  readonly labelSmoothing: number;
}

export const NORM_EPSILON = 1e-5;
export const ROPE_BASE = 10_000;

/** Width of SwiGLU that costs as many weights as a ReLU layer of 4 · nEmbd, rounded up to a multiple of 32. Shazeer 2020 */
export function swiGluWidth(nEmbd: number): number {
  return Math.ceil((8 * nEmbd) / 3 / 32) * 32;
}

/** Throws `TrainError` naming the field, what was expected and what was got. */
export function checkTrainingConfig(config: TrainingConfig): void {
  const fail = (field: string, expected: string, got: unknown): never => {
    throw new TrainError('LATHE_TRAIN_CONFIG', `${field}: expected ${expected}, got ${String(got)}`, {
      remedy: 'On the command line nEmbd is --width, nHead --heads, nLayer --layers, blockSize --block.',
    });
  };
  const whole = (field: keyof TrainingConfig, most: number) => {
    const value = config[field];
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > most)
      fail(field, `a whole number from 1 to ${most}`, value);
  };
  if (config.preset !== 'llama' && config.preset !== 'vaswani-2017')
    fail('preset', 'llama or vaswani-2017', config.preset);
  whole('nLayer', 256);
  whole('nHead', 256);
  whole('nKvHead', 256);
  whole('nEmbd', 16_384);
  whole('nFeedForward', 65_536);
  whole('vocabSize', 1_000_000);
  whole('blockSize', 131_072);
  if (config.nEmbd % config.nHead !== 0) fail('nEmbd', `a multiple of nHead ${config.nHead}`, config.nEmbd);
  if ((config.nEmbd / config.nHead) % 2 !== 0) fail('nEmbd / nHead', 'an even head size', config.nEmbd / config.nHead);
  if (config.nHead % config.nKvHead !== 0) fail('nHead', `a multiple of nKvHead ${config.nKvHead}`, config.nHead);
  if (config.preset === 'vaswani-2017' && config.nKvHead !== config.nHead)
    fail('nKvHead', `${config.nHead}`, config.nKvHead);
  for (const field of ['dropout', 'labelSmoothing'] as const)
    if (!(config[field] >= 0 && config[field] < 1)) fail(field, 'at least 0 and below 1', config[field]);
}

/** How a parameter starts: `normal` with the given deviation, `uniform` within ± the given bound, or one number. */
export type Start = { readonly normal: number } | { readonly uniform: number } | { readonly value: number };

export interface ParameterSpec {
  readonly name: string;
  /** Matrices as [out, in]: a layer computes x · Wᵀ. */
  readonly shape: readonly number[];
  readonly start: Start;
  /** Matrices are decayed, gains and biases are not. */
  readonly decayed: boolean;
}

const DEVIATION = 0.02;

/**
 * All parameters in the order of the model, named as in a GGUF file. Normal starts have deviation 0.02, the two
 * projections back into the residual stream 0.02 / √(2 nLayer) (Radford et al. 2019, §2.3). The output is the embedding.
 */
export function parameterSpecs(config: TrainingConfig): readonly ParameterSpec[] {
  const { preset, nLayer, nHead, nKvHead, nEmbd: C, nFeedForward: F, vocabSize: V } = config;
  const keyWidth = (C / nHead) * nKvHead;
  const matrix = (name: string, shape: readonly number[], residual = false): ParameterSpec => ({
    name: `${name}.weight`,
    shape,
    start: { normal: residual ? DEVIATION / Math.sqrt(2 * nLayer) : DEVIATION },
    decayed: true,
  });
  const vector = (name: string, size: number, value: number): ParameterSpec => ({
    name,
    shape: [size],
    start: { value },
    decayed: false,
  });
  const specs = [matrix('token_embd', [V, C])];
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `blk.${layer}`;
    const projections = [
      matrix(`${block}.attn_q`, [C, C]),
      matrix(`${block}.attn_k`, [keyWidth, C]),
      matrix(`${block}.attn_v`, [keyWidth, C]),
      matrix(`${block}.attn_output`, [C, C], true),
    ];
    if (preset === 'llama')
      specs.push(
        vector(`${block}.attn_norm.weight`, C, 1),
        ...projections,
        vector(`${block}.ffn_norm.weight`, C, 1),
        matrix(`${block}.ffn_gate`, [F, C]),
        matrix(`${block}.ffn_up`, [F, C]),
        matrix(`${block}.ffn_down`, [C, F], true),
      );
    else
      specs.push(
        ...projections,
        vector(`${block}.attn_norm.weight`, C, 1),
        vector(`${block}.attn_norm.bias`, C, 0),
        matrix(`${block}.ffn_up`, [F, C]),
        vector(`${block}.ffn_up.bias`, F, 0),
        matrix(`${block}.ffn_down`, [C, F], true),
        vector(`${block}.ffn_down.bias`, C, 0),
        vector(`${block}.ffn_norm.weight`, C, 1),
        vector(`${block}.ffn_norm.bias`, C, 0),
      );
  }
  if (preset === 'llama') specs.push(vector('output_norm.weight', C, 1));
  return specs;
}

export function parameterCount(config: TrainingConfig): number {
  return parameterSpecs(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
