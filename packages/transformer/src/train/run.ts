import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { type BpeVocabulary, tokenizerJson, trainBpe } from './bpe.ts';
import { readCheckpoint } from './checkpoint.ts';
import { exportGguf } from './export-gguf.ts';
import { BEST, type LoopEnd, type LoopOptions, trainIn } from './loop.ts';
import { TrainError } from './train-error.ts';
import { fromScratch } from './trainer.ts';
import type { TrainingConfig } from './training-config.ts';

export interface Corpus {
  /** Documents, in their order; the end of each is marked. */
  readonly train: readonly string[];
  readonly validation: readonly string[];
}

export interface RunOptions extends LoopOptions {
  readonly config: Omit<TrainingConfig, 'vocabSize'>;
  /** Most tokens of the vocabulary that is learned from the corpus. */
  readonly vocabSize: number;
}

export interface FinishedRun extends LoopEnd {
  /** The best model as GGUF; null where there is none yet, or the preset has no published form. */
  readonly model: string | null;
}

const FILES = { tokenizer: 'tokenizer.json', vocabulary: 'vocabulary.json', model: 'model.gguf' } as const;

/**
 * Trains from scratch on a corpus, or goes on where an earlier run in the same folder stopped. Writes the tokenizer once,
 * checkpoints as `trainIn` says, and at the end `model.gguf` of the best.
 */
export async function runTraining(corpus: Corpus, options: RunOptions): Promise<FinishedRun> {
  const { directory } = options;
  await mkdir(directory, { recursive: true });
  const vocabulary = await vocabularyOf(corpus, options);
  const tokenizer = new HuggingFaceTokenizer(tokenizerJson(vocabulary), {});
  const config: TrainingConfig = { ...options.config, vocabSize: vocabulary.tokens.length };
  const data = {
    train: tokenise(tokenizer, corpus.train),
    validation: tokenise(tokenizer, corpus.validation),
    endToken: END_TOKEN,
    decode: (tokens: readonly number[]) => tokenizer.decode([...tokens]),
  };
  const end = await trainIn(fromScratch(config), data, options);
  return { ...end, model: end.bestValidationLoss === null ? null : await exportBest(directory, vocabulary) };
}

async function exportBest(directory: string, vocabulary: BpeVocabulary): Promise<string | null> {
  const { config, parameters } = await readCheckpoint(join(directory, BEST));
  if (config.preset !== 'llama') return null;
  const path = join(directory, FILES.model);
  await exportGguf(`${path}.part`, { name: 'trained with Lathe', config, parameters, vocabulary });
  await rename(`${path}.part`, path);
  return path;
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

/** The first token of every vocabulary that is learned here. */
const END_TOKEN = 0;

/** All documents in one row, each with the end token behind it. */
function tokenise(tokenizer: HuggingFaceTokenizer, documents: readonly string[]): Uint32Array {
  const ids: number[] = [];
  for (const document of documents) {
    for (const id of tokenizer.encode(document).ids) ids.push(id);
    ids.push(END_TOKEN);
  }
  return Uint32Array.from(ids);
}
