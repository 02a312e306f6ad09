import type { GraphBuilder, Tensor } from '@lathe/graph';
import type { Config } from '../config.ts';
import { rotaryTables, type Weights } from '../model.ts';
import { ModelError } from '../model-error.ts';
import type { Precision } from '../precision.ts';
import { dequantise } from './dequantise.ts';
import type { GgufFile } from './gguf.ts';
import { exactLinear, f32Linear, type Linear, type Projector } from './linear.ts';
import { type DenseMatrix, type Int8Input, int8Constants, int8Linear } from './linear-int8.ts';
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
  const read = async (name: string, kind: MatrixKind) => {
    const [outputs, inputs] = matrixShape(config, kind);
    const { type } = expectTensor(file, `${name}.weight`, [outputs, inputs]);
    const bytes = await file.read(`${name}.weight`);
    const bias = file.tensors.has(`${name}.bias`) ? await vector(file, `${name}.bias`, outputs) : null;
    return { name, kind, type, bytes, outputs, inputs, bias };
  };
  /** Matrices of one input, one above the other: as one in int8, where one large product is faster than several small. */
  const add = async (name: string, kinds: readonly MatrixKind[], gain: Float32Array | null) => {
    const parts: Awaited<ReturnType<typeof read>>[] = [];
    for (const kind of kinds) parts.push(await read(kinds.length === 1 ? name : siblingOf(name, kind), kind));
    if (eight !== null) {
      const turned = parts.map(({ kind, type, bytes, outputs, inputs, bias }) => {
        const dense = { values: dequantise(type, bytes), outputs, inputs, bias };
        return { ...dense, input: turn(dense, kind, config, gain) };
      });
      const { values, bias, outputs } = stacked(turned);
      const { inputs, input } = turned[0]!;
      const biasTensor = bias && g.constant(`${name}.bias`, 'float32', [outputs], bias);
      linears.set(name, int8Linear(g, eight, { name, values, outputs, inputs, bias: biasTensor, input }));
    } else {
      const layers = parts.map((part) => {
        const bias = part.bias && g.constant(`${part.name}.bias`, 'float32', [part.outputs], part.bias);
        const stored = { ...part, bias };
        return precision === 'f32' ? f32Linear(g, stored) : exactLinear(g, stored, packs8Bits);
      });
      linears.set(name, (x) =>
        layers.length === 1
          ? layers[0]!(x)
          : g.concat(
              layers.map((layer) => layer(x)),
              -1,
            ),
      );
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
    await add(`${block}.attn_qkv`, ['attn_q', 'attn_k', 'attn_v'], attention);
    await add(`${block}.attn_output`, ['attn_output'], null);
    await add(`${block}.ffn_gate`, ['ffn_gate'], feedForward);
    await add(`${block}.ffn_up`, ['ffn_up'], feedForward);
    await add(`${block}.ffn_down`, ['ffn_down'], null);
  }
  await add(tiedOutput ? 'token_embd' : 'output', ['output'], await gain('output_norm'));

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

/** The name of another matrix of the same block. */
function siblingOf(name: string, kind: MatrixKind): string {
  return `${name.slice(0, name.lastIndexOf('.'))}.${kind}`;
}

/** Matrices one above the other; where one of them has a bias, the others' is 0. */
function stacked(parts: readonly { values: Float32Array; outputs: number; bias: Float32Array | null }[]) {
  if (parts.length === 1) return parts[0]!;
  const outputs = parts.reduce((sum, part) => sum + part.outputs, 0);
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.values.length, 0));
  const bias = parts.some((part) => part.bias !== null) ? new Float32Array(outputs) : null;
  let [at, row] = [0, 0];
  for (const part of parts) {
    values.set(part.values, at);
    if (part.bias !== null) bias!.set(part.bias, row);
    at += part.values.length;
    row += part.outputs;
  }
  return { values, bias, outputs };
}

const MOST_MIXED = 128;

/**
 * Turns a matrix (and the bias of a value projection) in place into the bases of the int8 path: the residual stream is held
 * turned by R, values within each head by H, and the wide hidden layer is mixed by H in blocks before its projection down,
 * which is the one change of basis that costs an operation (the function before it is not linear). The gain of the
 * norm before a matrix is multiplied into it. Gives what the matrix is to be multiplied with.
 */
function turn(
  { values, outputs, inputs, bias }: Pick<DenseMatrix, 'values' | 'outputs' | 'inputs'> & { bias: Float32Array | null },
  kind: MatrixKind,
  { headSize }: Config,
  gain: Float32Array | null,
): Int8Input {
  if (gain !== null) for (let n = 0, i = 0; n < outputs; n++) for (let k = 0; k < inputs; k++) values[i++]! *= gain[k]!;

  const headBlock = powerOfTwoIn(headSize);
  if (kind === 'attn_output') {
    rotateBlocks(values, outputs, inputs, 1, headBlock);
    rotate(values, 1, outputs, inputs);
    return { kind: 'any', mixBlock: null };
  }
  if (kind === 'ffn_down') {
    const block = Math.min(powerOfTwoIn(inputs), MOST_MIXED);
    rotateBlocks(values, outputs, inputs, 1, block);
    rotate(values, 1, outputs, inputs);
    return { kind: 'any', mixBlock: block };
  }
  rotate(values, outputs, inputs, 1);
  if (kind === 'attn_v') {
    rotateBlocks(values, 1, outputs, inputs, headBlock);
    if (bias !== null) rotateBlocks(bias, 1, outputs, 1, headBlock);
  }
  return { kind: 'unit' };
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
