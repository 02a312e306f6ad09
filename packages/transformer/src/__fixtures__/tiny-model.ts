/** Small models with random weights in real GGUF files. */
import { uniform } from '../random.ts';
import { writeGguf } from '../weights/gguf-writer.ts';

export const TINY = {
  llama: { architecture: 'llama', nLayer: 2, nHead: 6, nKvHead: 2, headSize: 16, nEmbd: 64, nFeedForward: 96, tied: true },
  qwen2: { architecture: 'qwen2', nLayer: 3, nHead: 4, nKvHead: 4, headSize: 32, nEmbd: 96, nFeedForward: 64, tied: false },
} as const;
export type TinyKind = keyof typeof TINY;

const alphabet = byteAlphabet();
const VOCABULARY = [...alphabet, 'Ġt', '<|end|>'];
export const END_TOKEN = VOCABULARY.length - 1;

/** F32 weights, uniform in ±scale; `storeAs` Q8_0 stores the matrices in blocks of 32 with random bytes. */
export async function writeTinyModel(path: string, kind: TinyKind, storeAs: 'F32' | 'Q8_0' | 'Q4_1' = 'F32', blockCount?: number): Promise<void> {
  const { architecture, nLayer, nHead, nKvHead, headSize, nEmbd, nFeedForward, tied } = TINY[kind];
  const metadata = new Map<string, string | number | boolean | string[] | Int32Array>([
    ['general.architecture', architecture],
    [`${architecture}.block_count`, blockCount ?? nLayer],
    [`${architecture}.attention.head_count`, nHead],
    [`${architecture}.attention.head_count_kv`, nKvHead],
    [`${architecture}.attention.key_length`, headSize],
    [`${architecture}.attention.value_length`, headSize],
    [`${architecture}.embedding_length`, nEmbd],
    [`${architecture}.feed_forward_length`, nFeedForward],
    [`${architecture}.context_length`, 256],
    [`${architecture}.attention.layer_norm_rms_epsilon`, 1e-5],
    [`${architecture}.rope.freq_base`, 10000],
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'gpt-2'],
    ['tokenizer.ggml.tokens', VOCABULARY],
    ['tokenizer.ggml.token_type', Int32Array.from(VOCABULARY, (word) => (word === '<|end|>' ? 3 : 1))],
    ['tokenizer.ggml.merges', ['Ġ t']],
    ['tokenizer.ggml.eos_token_id', END_TOKEN],
  ]);
  const valueTypes = new Map(
    [...metadata].flatMap(([key, value]) =>
      typeof value === 'number' ? [[key, Number.isInteger(value) && key !== `${architecture}.rope.freq_base` ? 'uint32' : 'float32'] as const] : [],
    ),
  );

  const tensors: Parameters<typeof writeGguf>[1]['tensors'][number][] = [];
  const add = (name: string, shape: number[], scale: number, offset = 0) => {
    const seed = tensors.length + 1;
    const matrix = shape.length === 2;
    const type = matrix ? storeAs : 'F32';
    const elements = shape.reduce((a, b) => a * b, 1);
    tensors.push({
      name: `${name}`,
      type,
      shape,
      bytes: () =>
        type === 'F32'
          ? new Uint8Array(Float32Array.from({ length: elements }, (_, i) => offset + scale * (2 * uniform(seed, 0, i) - 1)).buffer)
          : randomBlocks(type, elements / 32, seed, scale),
    });
  };
  add('token_embd.weight', [VOCABULARY.length, nEmbd], 1);
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `blk.${layer}`;
    add(`${block}.attn_norm.weight`, [nEmbd], 0.3, 1);
    for (const [name, heads] of [['attn_q', nHead], ['attn_k', nKvHead], ['attn_v', nKvHead]] as const) {
      add(`${block}.${name}.weight`, [heads * headSize, nEmbd], 0.4);
      if (architecture === 'qwen2') add(`${block}.${name}.bias`, [heads * headSize], 0.5);
    }
    add(`${block}.attn_output.weight`, [nEmbd, nHead * headSize], 0.2);
    add(`${block}.ffn_norm.weight`, [nEmbd], 0.3, 1);
    add(`${block}.ffn_gate.weight`, [nFeedForward, nEmbd], 0.3);
    add(`${block}.ffn_up.weight`, [nFeedForward, nEmbd], 0.3);
    add(`${block}.ffn_down.weight`, [nEmbd, nFeedForward], 0.2);
  }
  add('output_norm.weight', [nEmbd], 0.3, 1);
  if (!tied) add('output.weight', [VOCABULARY.length, nEmbd], 0.3);
  await writeGguf(path, { metadata, valueTypes, tensors });
}

/** Blocks of 32 with scale (and minimum) so that the weights lie within about ±scale. */
function randomBlocks(type: 'Q8_0' | 'Q4_1', blocks: number, seed: number, scale: number): Uint8Array {
  const header = type === 'Q8_0' ? 2 : 4;
  const size = header + (type === 'Q8_0' ? 32 : 16);
  const bytes = Uint8Array.from({ length: blocks * size }, (_, i) => Math.floor(256 * uniform(seed, 1, i)));
  const halves = new Uint16Array(Float16Array.from({ length: 2 * blocks }, (_, i) => {
    const spread = scale * (0.5 + 0.5 * uniform(seed, 2, i >> 1));
    return i % 2 === 1 ? -spread : spread / (type === 'Q8_0' ? 128 : 7.5);
  }).buffer);
  for (let block = 0; block < blocks; block++)
    for (let h = 0; h < header / 2; h++) {
      bytes[block * size + 2 * h] = halves[2 * block + h]! & 255;
      bytes[block * size + 2 * h + 1] = halves[2 * block + h]! >> 8;
    }
  return bytes;
}

/** GPT-2's printable character for every byte: `bytes_to_unicode` of its encoder. */
function byteAlphabet(): string[] {
  const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}
