import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { type BpeVocabulary, learnBpe, tokenizerJson, WordCounts } from './bpe.ts';
import { readCheckpoint } from './checkpoint.ts';
import { type Corpus, overDocuments, tokenise } from './corpus.ts';
import { exportGguf } from './export-gguf.ts';
import { BEST, type LoopEnd, type LoopOptions, trainIn } from './loop.ts';
import { TrainError } from './train-error.ts';
import { fromScratch } from './trainable.ts';
import { checkData } from './trainer.ts';
import type { TrainingConfig } from './training-config.ts';

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
  const earlier = await earlierVocabulary(options);
  const vocabulary = earlier ?? (await learnVocabulary(corpus, options));
  const tokenizer = new HuggingFaceTokenizer(tokenizerJson(vocabulary), {});
  const config: TrainingConfig = { ...options.config, vocabSize: vocabulary.tokens.length };
  const encode = (text: string) => tokenizer.encode(text).ids;
  const tokenised = await tokenise(corpus, { ...options, encode, endToken: END_TOKEN, vocabSize: config.vocabSize });
  try {
    const data = {
      ...tokenised,
      endToken: END_TOKEN,
      decode: (tokens: readonly number[]) => tokenizer.decode([...tokens]),
    };
    const subject = fromScratch(config);
    checkData('training', data.train, config);
    checkData('validation', data.validation, config);
    if (earlier === null) await keepVocabulary(vocabulary, options);
    const end = await trainIn(subject, data, options);
    return { ...end, model: end.bestValidationLoss === null ? null : await exportBest(directory, vocabulary) };
  } finally {
    tokenised.close();
  }
}

async function exportBest(directory: string, vocabulary: BpeVocabulary): Promise<string | null> {
  const { config, parameters } = await readCheckpoint(join(directory, BEST));
  if (config.preset !== 'llama') return null;
  const path = join(directory, FILES.model);
  await exportGguf(`${path}.part`, { name: 'trained with Lathe', config, parameters, vocabulary });
  await rename(`${path}.part`, path);
  return path;
}

const StoredVocabulary = z.object({
  tokens: z.array(z.string()),
  merges: z.array(z.tuple([z.string(), z.string()])),
  special: z.array(z.string()),
  /** What it was learned with: fewer tokens may have come out. */
  asked: z.number().optional(),
});

/** The vocabulary an earlier run in the folder learned; null where there was none. */
async function earlierVocabulary({ directory, vocabSize }: RunOptions): Promise<BpeVocabulary | null> {
  const path = join(directory, FILES.vocabulary);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const stored = StoredVocabulary.safeParse(parsed(text));
  if (!stored.success)
    throw new TrainError('LATHE_TRAIN_CHECKPOINT', `${path}: expected a vocabulary, got something else`, {
      remedy: 'Remove the folder to start anew, or name another one.',
    });
  const { asked, ...vocabulary } = stored.data;
  if (asked !== undefined && asked !== vocabSize)
    throw new TrainError(
      'LATHE_TRAIN_CHECKPOINT',
      `${path}: expected a vocabulary learned for ${vocabSize} tokens, got one for ${asked}`,
      { remedy: `Go on with --vocab ${asked}, or train in another folder.` },
    );
  return vocabulary;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function learnVocabulary(corpus: Corpus, { vocabSize, ...hooks }: RunOptions): Promise<BpeVocabulary> {
  const counts = new WordCounts();
  let isBlank = true;
  await overDocuments([corpus.train], 'counting words', hooks, (text) => {
    counts.add(text);
    isBlank &&= text.trim() === '';
  });
  if (isBlank)
    throw new TrainError('LATHE_TRAIN_DATA', 'training data: expected text, got none', {
      remedy: 'Name files or folders that hold source text.',
    });
  return learnBpe(counts, vocabSize);
}

async function keepVocabulary(vocabulary: BpeVocabulary, { directory, vocabSize }: RunOptions): Promise<void> {
  for (const [file, content] of [
    [FILES.tokenizer, tokenizerJson(vocabulary)],
    [FILES.vocabulary, { ...vocabulary, asked: vocabSize }],
  ] as const) {
    await writeFile(join(directory, `${file}.part`), JSON.stringify(content));
    await rename(join(directory, `${file}.part`), join(directory, file));
  }
}

/** The first token of every vocabulary that is learned here. */
const END_TOKEN = 0;
