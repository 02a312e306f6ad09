import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Config, readConfig } from '../../config.ts';
import { ModelError } from '../../model-error.ts';
import { dequantise } from '../../weights/dequantise.ts';
import type { GgufFile } from '../../weights/gguf.ts';
import type { FloatTensor } from '../../weights/safetensors.ts';
import { LORA_MODULES } from './lora-config.ts';

/** A model whose weights stay as they are. */
export interface Base {
  readonly config: Config;
  /** SHA-256 of its file. */
  readonly sha256: string;
  /** Every number exactly as the file's blocks stand for it, by the tensor's name; as f32, four bytes each. */
  readonly tensors: ReadonlyMap<string, FloatTensor>;
  /** Divisors of the rotary frequencies [D/2], where the file has them. */
  readonly ropeFactors: Float32Array | null;
}

/** Reads and dequantises what the decoder's formulas use. Throws `ModelError` where a tensor is missing or has another shape. */
export async function loadBase(file: GgufFile): Promise<Base> {
  const config = readConfig(file);
  const { nLayer, nHead, nKvHead, headSize, nEmbd: C, nFeedForward: F, vocabSize: V, tiedOutput } = config;
  const tensors = new Map<string, FloatTensor>();
  const add = async (name: string, shape: readonly number[]) => {
    const tensor = file.tensors.get(name);
    if (tensor === undefined || tensor.shape.join() !== shape.join())
      throw new ModelError(
        'LATHE_MODEL_TENSOR',
        `${file.path}: tensor ${name}: expected [${shape.join(', ')}], got ${tensor ? `[${tensor.shape.join(', ')}]` : 'none'}`,
      );
    tensors.set(name, { shape, data: dequantise(tensor.type, await file.read(name)) });
  };
  const matrix = async (name: string, outputs: number, inputs: number) => {
    await add(`${name}.weight`, [outputs, inputs]);
    if (file.tensors.has(`${name}.bias`)) await add(`${name}.bias`, [outputs]);
  };

  await add('token_embd.weight', [V, C]);
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `blk.${layer}`;
    await add(`${block}.attn_norm.weight`, [C]);
    await matrix(`${block}.${LORA_MODULES.q_proj}`, nHead * headSize, C);
    await matrix(`${block}.${LORA_MODULES.k_proj}`, nKvHead * headSize, C);
    await matrix(`${block}.${LORA_MODULES.v_proj}`, nKvHead * headSize, C);
    await matrix(`${block}.${LORA_MODULES.o_proj}`, C, nHead * headSize);
    await add(`${block}.ffn_norm.weight`, [C]);
    await matrix(`${block}.${LORA_MODULES.gate_proj}`, F, C);
    await matrix(`${block}.${LORA_MODULES.up_proj}`, F, C);
    await matrix(`${block}.${LORA_MODULES.down_proj}`, C, F);
  }
  await add('output_norm.weight', [C]);
  if (!tiedOutput) await matrix('output', V, C);
  if (file.tensors.has('rope_freqs.weight')) await add('rope_freqs.weight', [headSize / 2]);
  const ropeFactors = tensors.get('rope_freqs.weight')?.data ?? null;
  tensors.delete('rope_freqs.weight');
  return { config, sha256: await sha256Of(file.path), tensors, ropeFactors };
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
