import { join } from 'node:path';
import { countOf, type Documents, eachDocument } from './documents.ts';
import type { LoopOptions, Preparation } from './loop.ts';
import { TokenFile } from './token-file.ts';
import { TrainError } from './train-error.ts';

export interface Corpus {
  /** Documents, in their order; the end of each is marked. */
  readonly train: Documents;
  readonly validation: Documents;
}

type Hooks = Pick<LoopOptions, 'signal' | 'onEvent'>;

/** Documents between two words on how far it is, and between two looks at whether to stop. */
const TOLD_DOCUMENTS = 64;

/** Goes through documents one at a time. Throws `LATHE_CANCELLED_TRAINING` when asked to stop: nothing is learned yet. */
export async function overDocuments(
  parts: readonly Documents[],
  what: Preparation,
  { signal, onEvent }: Hooks,
  look: (text: string, part: number) => void,
): Promise<void> {
  const of = parts.reduce((sum, documents) => sum + countOf(documents), 0);
  let done = 0;
  for (const [part, documents] of parts.entries())
    for await (const text of eachDocument(documents)) {
      look(text, part);
      if (++done % TOLD_DOCUMENTS !== 0) continue;
      onEvent?.({ type: 'preparing', what, done, of });
      // Texts in memory come without a pause, in which a word from outside could be heard.
      await new Promise((resolve) => setImmediate(resolve));
      if (signal?.aborted)
        throw new TrainError('LATHE_CANCELLED_TRAINING', 'stopped before the first step', {
          remedy: 'The same command begins anew.',
        });
    }
}

/**
 * All documents of each part in one row on disk, with the end token, if there is one, behind each. The rows are to be
 * closed.
 */
export async function tokenise(
  { train, validation }: Corpus,
  options: Hooks & {
    readonly directory: string;
    readonly vocabSize: number;
    readonly endToken: number | null;
    encode(text: string): readonly number[];
  },
): Promise<{ train: TokenFile; validation: TokenFile; close(): void }> {
  const { directory, vocabSize, endToken, encode } = options;
  const rows = [
    new TokenFile(join(directory, 'train.tokens'), vocabSize),
    new TokenFile(join(directory, 'validation.tokens'), vocabSize),
  ] as const;
  const close = () => {
    for (const row of rows) row.close();
  };
  try {
    await overDocuments([train, validation], 'tokenising', options, (text, part) => {
      const row = rows[part]!;
      for (const id of encode(text)) row.push(id);
      if (endToken !== null) row.push(endToken);
    });
  } catch (error) {
    close();
    throw error;
  }
  return { train: rows[0], validation: rows[1], close };
}
