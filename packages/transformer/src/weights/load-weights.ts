import type { GraphBuilder, Tensor } from '@lathe/graph';
import type { Config } from '../config.ts';
import { rotaryTables, type Weights } from '../model.ts';
import { ModelError } from '../model-error.ts';
import type { Precision } from '../precision.ts';
import { dequantise } from './dequantise.ts';
import type { GgufFile } from './gguf.ts';
import { exactLinear, f32Linear, type Linear, type Projector } from './linear.ts';
import { int8Linear } from './linear-int8.ts';

/**
 * Reads every matrix the config calls for and lays it out for `precision`. Throws `ModelError` where a tensor is missing
 * or has another shape than the config says.
 */
export async function loadWeights(
  g: GraphBuilder,
  file: GgufFile,
  config: Config,
  precision: Precision,
  maxPosition: number,
): Promise<Weights> {
  const { nLayer, nHead, nKvHead, headSize, nEmbd, nFeedForward, vocabSize, tiedOutput } = config;
  const matrices = new Map<string, readonly [outputs: number, inputs: number]>([
    [tiedOutput ? 'token_embd' : 'output', [vocabSize, nEmbd]],
  ]);
  const gains = ['output_norm'];
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `blk.${layer}`;
    matrices.set(`${block}.attn_q`, [nHead * headSize, nEmbd]);
    matrices.set(`${block}.attn_k`, [nKvHead * headSize, nEmbd]);
    matrices.set(`${block}.attn_v`, [nKvHead * headSize, nEmbd]);
    matrices.set(`${block}.attn_output`, [nEmbd, nHead * headSize]);
    matrices.set(`${block}.ffn_gate`, [nFeedForward, nEmbd]);
    matrices.set(`${block}.ffn_up`, [nFeedForward, nEmbd]);
    matrices.set(`${block}.ffn_down`, [nEmbd, nFeedForward]);
    gains.push(`${block}.attn_norm`, `${block}.ffn_norm`);
  }

  const vector = async (name: string, length: number): Promise<Float32Array> => {
    const tensor = expectTensor(file, name, [length]);
    return dequantise(tensor.type, await file.read(name));
  };
  const linears = new Map<string, Linear>();
  for (const [name, [outputs, inputs]] of matrices) {
    const tensor = expectTensor(file, `${name}.weight`, [outputs, inputs]);
    const bytes = await file.read(tensor.name);
    const biasName = `${name}.bias`;
    const bias = file.tensors.has(biasName)
      ? g.constant(biasName, 'float32', [outputs], await vector(biasName, outputs))
      : null;
    linears.set(name, LINEAR[precision](g, { name, type: tensor.type, bytes, outputs, inputs, bias }));
  }
  const gainTensors = new Map<string, Tensor>();
  for (const name of gains)
    gainTensors.set(name, g.constant(name, 'float32', [nEmbd], await vector(`${name}.weight`, nEmbd)));

  const factors = file.tensors.has('rope_freqs.weight') ? await vector('rope_freqs.weight', headSize / 2) : null;
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

const LINEAR = { f32: f32Linear, exact: exactLinear, int8: int8Linear } as const satisfies Record<Precision, unknown>;

function expectTensor(file: GgufFile, name: string, shape: readonly number[]) {
  const tensor = file.tensors.get(name);
  if (tensor === undefined || tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i]))
    throw new ModelError(
      'LATHE_MODEL_TENSOR',
      `${file.path}: tensor ${name}: expected [${shape.join(', ')}], got ${tensor === undefined ? 'none' : `[${tensor.shape.join(', ')}]`}`,
    );
  return tensor;
}
