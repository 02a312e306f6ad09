import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readConfig } from '../../config.ts';
import { loadTokenizer } from '../../tokenizer/tokenizer.ts';
import { type GgufFile, openGguf } from '../../weights/gguf.ts';
import { optionalString } from '../../weights/metadata.ts';
import type { WritableType } from '../../weights/quantise.ts';
import { readCheckpoint } from '../checkpoint.ts';
import { type Corpus, tokenise } from '../corpus.ts';
import { BEST, type LoopOptions, trainIn } from '../loop.ts';
import { memoryNeed } from '../memory.ts';
import type { FinishedRun } from '../run.ts';
import { TrainError } from '../train-error.ts';
import type { StepOptions, Trainable } from '../trainable.ts';
import { writeAdapters } from './adapter-files.ts';
import { type Base, baseAsFloats, loadBase } from './base.ts';
import { bytesHeld, type Holding } from './frozen-matrix.ts';
import { checkLoraOptions, type LoraConfig, type LoraOptions } from './lora-config.ts';
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
  /**
   * How the base is held while adapters train: the result is the same to the bit. `blocks`, as in the file, takes less memory and
   * more time; left out, it is f32 where the run then fits into what is free. A GPU through WebGPU takes f32 alone.
   */
  readonly holding?: Holding | undefined;
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
    await mkdir(options.directory, { recursive: true });
    const encode = (text: string) => tokenizer.encode(text);
    const tokenised = await tokenise(corpus, { ...options, encode, endToken, vocabSize: tokenizer.vocabSize });
    try {
      const data = { ...tokenised, endToken, decode: (tokens: readonly number[]) => tokenizer.decode(tokens) };
      // Not kept by a name here: the base as it was read is let go where it is held otherwise.
      const subject = subjectOn(await loadBase(file, 'blocks'), { ...options, ...data });
      const end = await trainIn(subject, data, options);
      return { ...end, model: end.bestValidationLoss === null ? null : await exportBest(file, options) };
    } finally {
      tokenised.close();
    }
  } finally {
    await file.close();
  }
}

/**
 * Throws what `runLora` would throw about the base and the options, without reading a weight: `GgufError`, `ModelError`,
 * `TrainError`.
 */
export async function checkLoraBase(path: string, lora: LoraOptions, blockSize: number): Promise<void> {
  const file = await openGguf(path);
  try {
    checkLoraOptions(readConfig(file), lora, blockSize);
  } finally {
    await file.close();
  }
}

function subjectOn(base: Base, options: LoraRunOptions & StepOptions): Trainable {
  const config = loraConfig(base, options.lora, options.blockSize);
  const subject = adapters(base, config);
  const bytes = (as?: Holding) => [...base.matrices.values()].reduce((sum, matrix) => sum + bytesHeld(matrix, as), 0);
  const { neededBytes, freeBytes } = memoryNeed(subject, options);
  const fits = neededBytes - bytes() + bytes('f32') <= freeBytes;
  const holding = options.holding ?? (fits || options.device === 'webgpu' ? 'f32' : 'blocks');
  if (holding === 'blocks' && options.device === 'webgpu')
    throw new TrainError('LATHE_TRAIN_CONFIG', 'a base for WebGPU: expected held as f32, got blocks', {
      remedy: 'Leave out --hold blocks, or --device webgpu.',
    });
  options.onEvent?.({ type: 'held', holding, bytes: bytes(holding) });
  return holding === 'blocks' ? subject : adapters(baseAsFloats(base), config);
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
