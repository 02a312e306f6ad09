import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Config, readConfig } from '../../config.ts';
import { ModelError } from '../../model-error.ts';
import { dequantise } from '../../weights/dequantise.ts';
import type { GgufFile } from '../../weights/gguf.ts';
import { asFloats, type FrozenMatrix, frozenMatrix, type Holding } from './frozen-matrix.ts';
import { LORA_MODULES } from './lora-config.ts';

/** A model whose weights stay as they are. */
export interface Base {
  readonly config: Config;
  /** SHA-256 of its file. */
  readonly sha256: string;
  /** By their names in the file without `.weight`; every number exactly as the file stands for it. */
  readonly matrices: ReadonlyMap<string, FrozenMatrix>;
  /** Gains and biases, by their names in the file. */
  readonly vectors: ReadonlyMap<string, Float32Array>;
  /** Divisors of the rotary frequencies [D/2], where the file has them. */
  readonly ropeFactors: Float32Array | null;
}

/** Reads what the decoder's formulas use. Throws `ModelError` where a tensor is missing or has another shape. */
export async function loadBase(file: GgufFile, holding: Holding): Promise<Base> {
  const config = readConfig(file);
  const { nLayer, nHead, nKvHead, headSize, nEmbd: C, nFeedForward: F, vocabSize: V, tiedOutput } = config;
  const matrices = new Map<string, FrozenMatrix>();
  const vectors = new Map<string, Float32Array>();
  const read = async (name: string, shape: readonly number[]) => {
    const tensor = file.tensors.get(name);
    if (tensor === undefined || tensor.shape.join() !== shape.join())
      throw new ModelError(
        'LATHE_MODEL_TENSOR',
        `${file.path}: tensor ${name}: expected [${shape.join(', ')}], got ${tensor ? `[${tensor.shape.join(', ')}]` : 'none'}`,
      );
    return { type: tensor.type, bytes: await file.read(name) };
  };
  const vector = async (name: string, size: number) => {
    const { type, bytes } = await read(name, [size]);
    vectors.set(name, dequantise(type, bytes));
  };
  const matrix = async (name: string, outputs: number, inputs: number) => {
    const { type, bytes } = await read(`${name}.weight`, [outputs, inputs]);
    matrices.set(name, frozenMatrix(type, bytes, [outputs, inputs], holding));
    if (file.tensors.has(`${name}.bias`)) await vector(`${name}.bias`, outputs);
  };

  await matrix('token_embd', V, C);
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `blk.${layer}`;
    await vector(`${block}.attn_norm.weight`, C);
    await matrix(`${block}.${LORA_MODULES.q_proj}`, nHead * headSize, C);
    await matrix(`${block}.${LORA_MODULES.k_proj}`, nKvHead * headSize, C);
    await matrix(`${block}.${LORA_MODULES.v_proj}`, nKvHead * headSize, C);
    await matrix(`${block}.${LORA_MODULES.o_proj}`, C, nHead * headSize);
    await vector(`${block}.ffn_norm.weight`, C);
    await matrix(`${block}.${LORA_MODULES.gate_proj}`, F, C);
    await matrix(`${block}.${LORA_MODULES.up_proj}`, F, C);
    await matrix(`${block}.${LORA_MODULES.down_proj}`, C, F);
  }
  await vector('output_norm.weight', C);
  if (!tiedOutput) await matrix('output', V, C);
  if (file.tensors.has('rope_freqs.weight')) await vector('rope_freqs.weight', headSize / 2);
  const ropeFactors = vectors.get('rope_freqs.weight') ?? null;
  vectors.delete('rope_freqs.weight');
  return { config, sha256: await sha256Of(file.path), matrices, vectors, ropeFactors };
}

/** The same base with every matrix as f32. */
export function baseAsFloats(base: Base): Base {
  return { ...base, matrices: new Map([...base.matrices].map(([name, matrix]) => [name, asFloats(matrix)])) };
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
