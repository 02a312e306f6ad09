import type { GraphBuilder, Tensor } from '@lathe/graph';
import type { Config } from '../config.ts';
import { rotaryTables, type Weights } from '../model.ts';
import { ModelError } from '../model-error.ts';
import type { Precision } from '../precision.ts';
import { dequantise } from './dequantise.ts';
import type { GgufFile } from './gguf.ts';
import { exactLinear, f32Linear, type Linear, type Projector } from './linear.ts';
import { type DenseMatrix, int8Constants, int8Linear } from './linear-int8.ts';
import { powerOfTwoIn, rotate, rotateBlocks } from './rotation.ts';

/** Turns looked-up embeddings [tokens, C] in place into the basis that `loadWeights` gives the matrices. */
export function residualBasis({ nEmbd }: Config, precision: Precision): (embedded: Float32Array) => void {
  return (embedded) => {
    if (precision === 'int8') rotate(embedded, embedded.length / nEmbd, nEmbd, 1);
  };
}

/**
 * Reads every matrix the config calls for and lays it out for `precision`; `packs8Bits`: in `exact`, blocks of 8 bits stay
 * as they are, which pays where the kernels multiply them directly. Throws `ModelError` where a tensor is missing
 * or has another shape than the config says.
 */
export async function loadWeights(
  g: GraphBuilder,
  file: GgufFile,
  config: Config,
  precision: Precision,
  maxPosition: number,
  packs8Bits = false,
): Promise<Weights> {
  const { nLayer, nEmbd, headSize, tiedOutput } = config;
  const linears = new Map<string, Linear>();
  const eight = precision === 'int8' ? int8Constants(g) : null;
  const add = async (name: string, kind: MatrixKind, gain: Float32Array | null) => {
    const [outputs, inputs] = matrixShape(config, kind);
    const tensor = expectTensor(file, `${name}.weight`, [outputs, inputs]);
    const bytes = await file.read(tensor.name);
    const biasName = `${name}.bias`;
    const biasValues = file.tensors.has(biasName) ? await vector(file, biasName, outputs) : null;
    if (eight !== null) {
      const dense = { name, values: dequantise(tensor.type, bytes), outputs, inputs };
      const mixBlock = turn(dense, biasValues, kind, config, gain);
      const bias = biasValues && g.constant(biasName, 'float32', [outputs], biasValues);
      linears.set(name, int8Linear(g, eight, { ...dense, bias, mixBlock }));
    } else {
      const bias = biasValues && g.constant(biasName, 'float32', [outputs], biasValues);
      const stored = { name, type: tensor.type, bytes, outputs, inputs, bias };
      linears.set(name, precision === 'f32' ? f32Linear(g, stored) : exactLinear(g, stored, packs8Bits));
    }
  };

  const gains = new Map<string, Float32Array>();
  const gain = async (name: string) => {
    const values = await vector(file, `${name}.weight`, nEmbd);
    gains.set(name, values);
    return values;
  };
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `blk.${layer}`;
    const attention = await gain(`${block}.attn_norm`);
    const feedForward = await gain(`${block}.ffn_norm`);
    await add(`${block}.attn_q`, 'attn_q', attention);
    await add(`${block}.attn_k`, 'attn_k', attention);
    await add(`${block}.attn_v`, 'attn_v', attention);
    await add(`${block}.attn_output`, 'attn_output', null);
    await add(`${block}.ffn_gate`, 'ffn_gate', feedForward);
    await add(`${block}.ffn_up`, 'ffn_up', feedForward);
    await add(`${block}.ffn_down`, 'ffn_down', null);
  }
  await add(tiedOutput ? 'token_embd' : 'output', 'output', await gain('output_norm'));

  // In int8 the gains are folded into the matrices behind them.
  const ones = eight !== null ? g.constant('ones', 'float32', [nEmbd], new Float32Array(nEmbd).fill(1)) : null;
  const gainTensors = new Map<string, Tensor>();
  for (const [name, values] of gains) gainTensors.set(name, ones ?? g.constant(name, 'float32', [nEmbd], values));

  const factors = file.tensors.has('rope_freqs.weight') ? await vector(file, 'rope_freqs.weight', headSize / 2) : null;
  const { cos, sin } = rotaryTables(config, maxPosition, factors);
  return {
    project: (x, names) => {
      // One preparation of x (its rows quantised, its blocks summed) serves every matrix it is multiplied with.
      const prepared: Projector = { x, shared: new Map() };
      return names.map((name) => linears.get(name)!(prepared));
    },
    gain: (name) => gainTensors.get(name)!,
    cos: g.constant('rotary_cos', 'float32', [maxPosition, headSize / 2], cos),
    sin: g.constant('rotary_sin', 'float32', [maxPosition, headSize / 2], sin),
  };
}

type MatrixKind = 'attn_q' | 'attn_k' | 'attn_v' | 'attn_output' | 'ffn_gate' | 'ffn_up' | 'ffn_down' | 'output';

function matrixShape(config: Config, kind: MatrixKind): readonly [outputs: number, inputs: number] {
  const { nHead, nKvHead, headSize, nEmbd, nFeedForward, vocabSize } = config;
  switch (kind) {
    case 'attn_q':
      return [nHead * headSize, nEmbd];
    case 'attn_k':
    case 'attn_v':
      return [nKvHead * headSize, nEmbd];
    case 'attn_output':
      return [nEmbd, nHead * headSize];
    case 'ffn_gate':
    case 'ffn_up':
      return [nFeedForward, nEmbd];
    case 'ffn_down':
      return [nEmbd, nFeedForward];
    case 'output':
      return [vocabSize, nEmbd];
  }
}

const MOST_MIXED = 128;

/**
 * Turns a matrix (and the bias of a value projection) in place into the bases of the int8 path: the residual stream is held
 * turned by R, values within each head by H, and the wide hidden layer is mixed by H in blocks before its projection down,
 * which is the one change of basis that costs an operation (the function before it is not linear). The gain of the
 * norm before a matrix is multiplied into it. Gives the size of the blocks to be mixed, or null.
 */
function turn(
  { values, outputs, inputs }: Pick<DenseMatrix, 'values' | 'outputs' | 'inputs'>,
  bias: Float32Array | null,
  kind: MatrixKind,
  { headSize }: Config,
  gain: Float32Array | null,
): number | null {
  if (gain !== null) for (let n = 0, i = 0; n < outputs; n++) for (let k = 0; k < inputs; k++) values[i++]! *= gain[k]!;

  const headBlock = powerOfTwoIn(headSize);
  if (kind === 'attn_output') {
    rotateBlocks(values, outputs, inputs, 1, headBlock);
    rotate(values, 1, outputs, inputs);
    return null;
  }
  if (kind === 'ffn_down') {
    const block = Math.min(powerOfTwoIn(inputs), MOST_MIXED);
    rotateBlocks(values, outputs, inputs, 1, block);
    rotate(values, 1, outputs, inputs);
    return block;
  }
  rotate(values, outputs, inputs, 1);
  if (kind === 'attn_v') {
    rotateBlocks(values, 1, outputs, inputs, headBlock);
    if (bias !== null) rotateBlocks(bias, 1, outputs, 1, headBlock);
  }
  return null;
}

async function vector(file: GgufFile, name: string, length: number): Promise<Float32Array> {
  const tensor = expectTensor(file, name, [length]);
  return dequantise(tensor.type, await file.read(name));
}

function expectTensor(file: GgufFile, name: string, shape: readonly number[]) {
  const tensor = file.tensors.get(name);
  if (tensor === undefined || tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i]))
    throw new ModelError(
      'LATHE_MODEL_TENSOR',
      `${file.path}: tensor ${name}: expected [${shape.join(', ')}], got ${tensor === undefined ? 'none' : `[${tensor.shape.join(', ')}]`}`,
    );
  return tensor;
}
