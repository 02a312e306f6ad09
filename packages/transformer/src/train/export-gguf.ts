import type { GgufValue, GgufValueType } from '../weights/gguf.ts';
import { writeGguf } from '../weights/gguf-writer.ts';
import type { BpeVocabulary } from './bpe.ts';
import { TrainError } from './train-error.ts';
import { NORM_EPSILON, parameterSpecs, ROPE_BASE, type TrainingConfig } from './training-config.ts';

/** Kinds of tokens in a GGUF vocabulary. */
const NORMAL = 1;
const CONTROL = 3;

/**
 * Writes a trained model as a GGUF file (F32) that any runtime of the Llama family can load. Throws `TrainError` for
 * `vaswani-2017`: no published architecture name has that block.
 */
export async function exportGguf(
  path: string,
  model: {
    name: string;
    config: TrainingConfig;
    parameters: ReadonlyMap<string, Float32Array>;
    vocabulary: BpeVocabulary;
  },
): Promise<void> {
  const { config, parameters, vocabulary } = model;
  if (config.preset !== 'llama')
    throw new TrainError('LATHE_TRAIN_CONFIG', `export: expected preset llama, got ${config.preset}`, {
      remedy: 'Train with --preset llama to export, or use the checkpoint itself.',
    });
  const headSize = config.nEmbd / config.nHead;
  const entries: [string, GgufValue, GgufValueType?][] = [
    ['general.architecture', 'llama'],
    ['general.name', model.name],
    ['general.file_type', 0, 'uint32'],
    ['llama.block_count', config.nLayer, 'uint32'],
    ['llama.context_length', config.blockSize, 'uint32'],
    ['llama.embedding_length', config.nEmbd, 'uint32'],
    ['llama.feed_forward_length', config.nFeedForward, 'uint32'],
    ['llama.attention.head_count', config.nHead, 'uint32'],
    ['llama.attention.head_count_kv', config.nKvHead, 'uint32'],
    ['llama.attention.layer_norm_rms_epsilon', NORM_EPSILON, 'float32'],
    ['llama.rope.dimension_count', headSize, 'uint32'],
    ['llama.rope.freq_base', ROPE_BASE, 'float32'],
    ['llama.vocab_size', config.vocabSize, 'uint32'],
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'gpt-2'],
    ['tokenizer.ggml.tokens', [...vocabulary.tokens]],
    [
      'tokenizer.ggml.token_type',
      Int32Array.from(vocabulary.tokens, (_, id) => (id < vocabulary.special.length ? CONTROL : NORMAL)),
    ],
    ['tokenizer.ggml.merges', vocabulary.merges.map((pair) => pair.join(' '))],
    ['tokenizer.ggml.bos_token_id', 0, 'uint32'],
    ['tokenizer.ggml.eos_token_id', 0, 'uint32'],
    ['tokenizer.ggml.add_bos_token', false],
  ];
  await writeGguf(path, {
    metadata: new Map(entries.map(([key, value]) => [key, value])),
    valueTypes: new Map(entries.flatMap(([key, , type]) => (type ? [[key, type] as const] : []))),
    tensors: parameterSpecs(config).map(({ name, shape }) => ({
      name,
      type: 'F32' as const,
      shape,
      bytes: () => {
        const values = parameters.get(name)!;
        return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      },
    })),
  });
}
