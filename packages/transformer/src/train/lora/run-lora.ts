import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { loadTokenizer } from '../../tokenizer/tokenizer.ts';
import { type GgufFile, openGguf } from '../../weights/gguf.ts';
import { optionalString } from '../../weights/metadata.ts';
import type { WritableType } from '../../weights/quantise.ts';
import { readCheckpoint } from '../checkpoint.ts';
import { type Corpus, tokenise } from '../corpus.ts';
import { BEST, type LoopOptions, trainIn } from '../loop.ts';
import type { FinishedRun } from '../run.ts';
import { TrainError } from '../train-error.ts';
import { writeAdapters } from './adapter-files.ts';
import { loadBase } from './base.ts';
import type { LoraConfig, LoraOptions } from './lora-config.ts';
import { adapters, loraConfig } from './lora-graph.ts';
import { mergeAdapters } from './merge.ts';

export interface LoraRunOptions extends LoopOptions {
  /** A .gguf file of the Llama or Qwen2 family. */
  readonly base: string;
  readonly lora: LoraOptions;
  /** Tokens seen at once. */
  readonly blockSize: number;
  /** How the merged matrices are stored; what has no adapter stays as the base has it. */
  readonly type: WritableType;
}

/**
 * Trains adapters on a base with the base's own tokenizer, or goes on where an earlier run in the same folder stopped.
 * Checkpoints as `trainIn` says; at the end the best adapters as PEFT stores them and `model.gguf`, the base with these
 * merged.
 */
export async function runLora(corpus: Corpus, options: LoraRunOptions): Promise<FinishedRun> {
  const file = await openGguf(options.base);
  try {
    const tokenizer = loadTokenizer(file);
    const endToken = tokenizer.idOf('<|endoftext|>') ?? tokenizer.eosIds[0] ?? null;
    const base = await loadBase(file);
    if (options.blockSize > base.config.blockSize)
      throw new TrainError(
        'LATHE_TRAIN_CONFIG',
        `block size: expected at most the base's window of ${base.config.blockSize}, got ${options.blockSize}`,
      );
    const config = loraConfig(base, options.lora, options.blockSize);
    await mkdir(options.directory, { recursive: true });
    const encode = (text: string) => tokenizer.encode(text);
    const tokenised = await tokenise(corpus, { ...options, encode, endToken, vocabSize: tokenizer.vocabSize });
    try {
      const data = { ...tokenised, endToken, decode: (tokens: readonly number[]) => tokenizer.decode(tokens) };
      const end = await trainIn(adapters(base, config), data, options);
      return { ...end, model: end.bestValidationLoss === null ? null : await exportBest(file, options) };
    } finally {
      tokenised.close();
    }
  } finally {
    await file.close();
  }
}

async function exportBest(file: GgufFile, { directory, type }: LoraRunOptions): Promise<string> {
  const checkpoint = await readCheckpoint(join(directory, BEST));
  const config = checkpoint.config as LoraConfig;
  const factors = checkpoint.parameters;
  const baseName =
    optionalString(file, 'general.source.huggingface.repository') ??
    optionalString(file, 'general.name') ??
    basename(file.path);
  const architecture = file.metadata.get('general.architecture') as 'llama' | 'qwen2';
  await writeAdapters(directory, { config, architecture, baseName, factors });
  const path = join(directory, 'model.gguf');
  const { rank, alpha } = config;
  await mergeAdapters(path, file, { rank, alpha, factors }, { type, name: `${baseName}, adapted with Lathe` });
  return path;
}
