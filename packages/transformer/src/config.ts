import { ModelError } from './model-error.ts';
import type { GgufFile } from './weights/gguf.ts';

export type Architecture = 'llama' | 'qwen2';

/** Sizes of a decoder-only transformer of the Llama family, in the field's names. */
export interface Config {
  readonly architecture: Architecture;
  readonly nLayer: number;
  /** Query heads. */
  readonly nHead: number;
  /** Key and value heads; each serves nHead / nKvHead query heads. Ainslie et al. 2023, https://arxiv.org/abs/2305.13245 */
  readonly nKvHead: number;
  readonly headSize: number;
  readonly nEmbd: number;
  /** Width inside the feed-forward part. */
  readonly nFeedForward: number;
  readonly vocabSize: number;
  /** Tokens the model was trained to see at once. */
  readonly blockSize: number;
  readonly normEpsilon: number;
  readonly ropeBase: number;
  /** Positions are divided by this. */
  readonly ropeScale: number;
  /** Rotary pairs are neighbours (2i, 2i + 1) rather than (i, i + headSize/2). */
  readonly ropeInterleaved: boolean;
  /** The output projection is the token embedding. */
  readonly tiedOutput: boolean;
}

// The converters permute q and k of llama files so that rotary pairs are neighbours; qwen2 files keep halves.
const INTERLEAVED: Readonly<Record<Architecture, boolean>> = { llama: true, qwen2: false };

/** The config of a model file. Throws `ModelError` where the architecture is unknown or a size is missing or absurd. */
export function readConfig(file: GgufFile): Config {
  const name = file.metadata.get('general.architecture');
  if (typeof name !== 'string' || !isArchitecture(name))
    throw new ModelError(
      'LATHE_MODEL_ARCHITECTURE',
      `${file.path}: expected architecture ${Object.keys(INTERLEAVED).join(' or ')}, got ${JSON.stringify(name ?? null)}`,
      { remedy: 'Use a GGUF file of the Llama or Qwen2 family.' },
    );

  const fail = (key: string, expected: string, got: unknown): never => {
    throw new ModelError('LATHE_MODEL_CONFIG', `${file.path}: ${key}: expected ${expected}, got ${String(got)}`);
  };
  const number = (key: string, fallback?: number): number => {
    const value = file.metadata.get(`${name}.${key}`) ?? fallback;
    return typeof value === 'number' && Number.isFinite(value) ? value : fail(`${name}.${key}`, 'a number', value);
  };
  const size = (key: string, fallback?: number): number => {
    const value = number(key, fallback);
    return Number.isInteger(value) && value > 0 && value < 2 ** 24 ? value : fail(`${name}.${key}`, 'a size', value);
  };

  const nEmbd = size('embedding_length');
  const nHead = size('attention.head_count');
  const nKvHead = size('attention.head_count_kv', nHead);
  if (nHead % nKvHead !== 0) fail(`${name}.attention.head_count`, `a multiple of ${nKvHead} key heads`, nHead);
  const headSize = size('attention.key_length', nEmbd / nHead);
  if (headSize % 2 !== 0) fail(`${name}.attention.key_length`, 'an even size', headSize);
  for (const key of ['attention.value_length', 'rope.dimension_count'])
    if (size(key, headSize) !== headSize) fail(`${name}.${key}`, `${headSize}, the size of a head`, number(key));
  const scaling = file.metadata.get(`${name}.rope.scaling.type`) ?? 'none';
  if (scaling !== 'none' && scaling !== 'linear') fail(`${name}.rope.scaling.type`, 'none or linear', scaling);
  const epsilon = number('attention.layer_norm_rms_epsilon');
  if (!(epsilon >= 0 && epsilon < 1)) fail(`${name}.attention.layer_norm_rms_epsilon`, 'a small number', epsilon);
  const ropeBase = number('rope.freq_base', 10_000);
  if (!(ropeBase > 0)) fail(`${name}.rope.freq_base`, 'a positive number', ropeBase);

  const embedding = file.tensors.get('token_embd.weight');
  if (embedding === undefined || embedding.shape.length !== 2)
    return fail('token_embd.weight', 'a matrix [vocabulary, embedding]', embedding?.shape.join(' × ') ?? 'none');
  const words = file.metadata.get('tokenizer.ggml.tokens');
  if (Array.isArray(words) && words.length !== embedding.shape[0])
    fail(
      'token_embd.weight',
      `a row for each of the vocabulary's ${words.length} tokens`,
      `${embedding.shape[0]} rows`,
    );
  return {
    architecture: name,
    nLayer: size('block_count'),
    nHead,
    nKvHead,
    headSize,
    nEmbd,
    nFeedForward: size('feed_forward_length'),
    vocabSize: embedding.shape[0]!,
    blockSize: size('context_length'),
    normEpsilon: epsilon,
    ropeBase,
    ropeScale: scaling === 'linear' ? number('rope.scaling.factor') : 1,
    ropeInterleaved: INTERLEAVED[name],
    tiedOutput: !file.tensors.has('output.weight'),
  };
}

function isArchitecture(name: string): name is Architecture {
  return Object.hasOwn(INTERLEAVED, name);
}
