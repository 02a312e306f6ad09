import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { type BpeVocabulary, tokenizerJson, trainBpe } from './bpe.ts';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { exportGguf } from './export-gguf.ts';
import { TrainError } from './train-error.ts';
import { Trainer, type TrainingOptions } from './trainer.ts';
import { parameterCount, type TrainingConfig } from './training-config.ts';

export interface Corpus {
  /** Documents, in their order; the end of each is marked. */
  readonly train: readonly string[];
  readonly validation: readonly string[];
}

export interface RunOptions extends Omit<TrainingOptions, 'train' | 'validation' | 'config'> {
  readonly config: Omit<TrainingConfig, 'vocabSize'>;
  /** Most tokens of the vocabulary that is learned from the corpus. */
  readonly vocabSize: number;
  readonly iterations: number;
  /** Steps between two validations, each of which also saves. */
  readonly validateEvery: number;
  readonly validationBatches: number;
  /** Ends the run where so many validations in a row brought nothing better; 0: never. */
  readonly patience: number;
  /** Folder for the checkpoints, the tokenizer and the model; an earlier run in it is continued. */
  readonly directory: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

export type RunEvent =
  | {
      readonly type: 'started';
      readonly parameters: number;
      readonly trainTokens: number;
      readonly validationTokens: number;
      readonly vocabSize: number;
      readonly resumedAt: number;
    }
  | {
      readonly type: 'step';
      readonly step: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly gradientNorm: number;
      readonly tokensPerSecond: number;
    }
  | { readonly type: 'validated'; readonly step: number; readonly loss: number; readonly best: boolean }
  | { readonly type: 'saved'; readonly path: string };

export interface FinishedRun {
  readonly reason: 'iterations' | 'patience' | 'cancelled';
  readonly steps: number;
  readonly bestValidationLoss: number | null;
  /** `[step, nats a token]` */
  readonly training: readonly (readonly [number, number])[];
  readonly validation: readonly (readonly [number, number])[];
  /** The best model as GGUF; null where the preset has no published form. */
  readonly model: string | null;
}

const FILES = {
  last: 'last.safetensors',
  best: 'best.safetensors',
  tokenizer: 'tokenizer.json',
  vocabulary: 'vocabulary.json',
  model: 'model.gguf',
} as const;
/** Training losses kept in the record: the mean over this many steps each. */
const RECORDED_STEPS = 10;

/**
 * Trains from scratch on a corpus, or goes on where an earlier run in the same folder stopped. Writes the tokenizer once,
 * then `last.safetensors` at every validation and at the end, `best.safetensors` whenever validation was best, and at the
 * end `model.gguf` of the best.
 */
export async function runTraining(corpus: Corpus, options: RunOptions): Promise<FinishedRun> {
  const { directory, signal, onEvent } = options;
  await mkdir(directory, { recursive: true });
  const vocabulary = await vocabularyOf(corpus, options);
  const tokenizer = new HuggingFaceTokenizer(tokenizerJson(vocabulary), {});
  const config: TrainingConfig = { ...options.config, vocabSize: vocabulary.tokens.length };
  const train = tokenise(tokenizer, corpus.train);
  const validation = tokenise(tokenizer, corpus.validation);
  const earlier = await checkpointIn(directory, config);
  const trainer = await Trainer.start({ ...options, config, train, validation }, earlier);
  onEvent?.({
    type: 'started',
    parameters: parameterCount(config),
    trainTokens: train.length,
    validationTokens: validation.length,
    vocabSize: config.vocabSize,
    resumedAt: trainer.steps,
  });

  const training: [number, number][] = (earlier?.progress.training ?? []).map(([step, loss]) => [step, loss]);
  const validated: [number, number][] = (earlier?.progress.validation ?? []).map(([step, loss]) => [step, loss]);
  let best = earlier?.progress.bestValidationLoss ?? null;
  const save = async (name: string) => {
    const path = join(directory, name);
    await writeCheckpoint(path, trainer.checkpoint({ bestValidationLoss: best, training, validation: validated }));
    onEvent?.({ type: 'saved', path });
  };
  let reason: FinishedRun['reason'] = 'iterations';
  let recent: number[] = [];
  try {
    while (trainer.steps < options.iterations) {
      if (signal?.aborted) {
        reason = 'cancelled';
        break;
      }
      const started = performance.now();
      const { step, loss, learningRate, gradientNorm, tokens } = await trainer.step();
      recent.push(loss);
      if (step % RECORDED_STEPS === 0) {
        training.push([step, recent.reduce((a, b) => a + b, 0) / recent.length]);
        recent = [];
      }
      onEvent?.({
        type: 'step',
        step,
        loss,
        learningRate,
        gradientNorm,
        tokensPerSecond: (1000 * tokens) / (performance.now() - started),
      });
      if (step % options.validateEvery !== 0 && step !== options.iterations) continue;
      const now = await trainer.validate(options.validationBatches);
      validated.push([step, now]);
      const isBest = best === null || now < best;
      if (isBest) best = now;
      onEvent?.({ type: 'validated', step, loss: now, best: isBest });
      if (isBest) await save(FILES.best);
      await save(FILES.last);
      if (options.patience > 0 && sinceBest(validated) >= options.patience) {
        reason = 'patience';
        break;
      }
    }
    if (reason === 'cancelled') await save(FILES.last);
    const model = best === null ? null : await exportBest(directory, vocabulary);
    return { reason, steps: trainer.steps, bestValidationLoss: best, training, validation: validated, model };
  } finally {
    await trainer.close();
  }
}

function sinceBest(validated: readonly (readonly [number, number])[]): number {
  const losses = validated.map(([, loss]) => loss);
  return losses.length - 1 - losses.indexOf(Math.min(...losses));
}

async function exportBest(directory: string, vocabulary: BpeVocabulary): Promise<string | null> {
  const { config, parameters } = await readCheckpoint(join(directory, FILES.best));
  if (config.preset !== 'llama') return null;
  const path = join(directory, FILES.model);
  await exportGguf(`${path}.part`, { name: 'trained with Lathe', config, parameters, vocabulary });
  await rename(`${path}.part`, path);
  return path;
}

async function checkpointIn(directory: string, config: TrainingConfig): Promise<Checkpoint | undefined> {
  try {
    return await readCheckpoint(join(directory, FILES.last), config);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The vocabulary an earlier run in the folder learned, or a new one. */
async function vocabularyOf(corpus: Corpus, { directory, vocabSize }: RunOptions): Promise<BpeVocabulary> {
  const path = join(directory, FILES.vocabulary);
  try {
    return JSON.parse(await readFile(path, 'utf8')) as BpeVocabulary;
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new TrainError('LATHE_TRAIN_CHECKPOINT', `${path}: expected a vocabulary, got something else`, {
        remedy: 'Remove the folder to start anew, or name another one.',
      });
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (corpus.train.every((text) => text.trim() === ''))
    throw new TrainError('LATHE_TRAIN_DATA', 'training data: expected text, got none', {
      remedy: 'Name files or folders that hold source text.',
    });
  const vocabulary = trainBpe(corpus.train, vocabSize);
  for (const [file, content] of [
    [FILES.tokenizer, tokenizerJson(vocabulary)],
    [FILES.vocabulary, vocabulary],
  ] as const) {
    await writeFile(join(directory, `${file}.part`), JSON.stringify(content));
    await rename(join(directory, `${file}.part`), join(directory, file));
  }
  return vocabulary;
}

/** All documents in one row, each with the end token (id 0) behind it. */
function tokenise(tokenizer: HuggingFaceTokenizer, documents: readonly string[]): Uint32Array {
  const ids: number[] = [];
  for (const document of documents) {
    for (const id of tokenizer.encode(document).ids) ids.push(id);
    ids.push(0);
  }
  return Uint32Array.from(ids);
}
