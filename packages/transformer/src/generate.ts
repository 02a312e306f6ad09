/**
 * N texts from one prompt: the prompt is read once, then all rows take one token each at every step. A row's text depends
 * on the model, the prompt, its sampling, seed and index, and on nothing else: not on how many rows there are, nor on what
 * the others do. Runs in a worker thread.
 */
import { type Chosen, chooseAllowed } from './constraint/restrict.ts';
import type { Evaluator, NextToken, Prefix } from './evaluator.ts';
import { sortedVocabulary } from './followers.ts';
import { uniform } from './random.ts';
import {
  accept,
  end,
  type GeneratedRow,
  generated,
  inverseTemperature,
  newRow,
  type Row,
  type RowRequest,
  type TokenNews,
  type Vocabulary,
} from './row.ts';
import { choose, type Sampling } from './sampling.ts';

export interface Timings {
  /** Tokens of the prompt that had to be read; the rest was known from an earlier request. */
  readonly promptTokensRead: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
  readonly steps: number;
  /** Tokens evaluated in those steps, all rows together. */
  readonly rowSteps: number;
  /** All 0 where nothing was guessed: see `speculate`. */
  readonly drafts: Drafts;
  /** Chosen tokens of all rows per second of decoding. */
  readonly tokensPerSecond: number;
}

/** A prompt that has been read, and what may come after it at each inverse temperature. */
export interface ReadPrompt {
  readonly tokens: readonly number[];
  readonly prefix: Prefix;
  readonly last: ReadonlyMap<number, NextToken>;
}

export interface Steering {
  readonly isCancelled: () => boolean;
  readonly onStep: (news: readonly TokenNews[]) => void;
}

export interface Decoded {
  readonly rows: GeneratedRow[];
  readonly steps: number;
  readonly rowSteps: number;
  readonly drafts?: Drafts;
}

/** Tokens that were guessed and read along, and those of them that came true. */
export interface Drafts {
  readonly drafted: number;
  readonly accepted: number;
}

export async function generate(
  evaluator: Evaluator,
  vocabulary: Vocabulary,
  prompt: ReadPrompt,
  requests: readonly RowRequest[],
  { isCancelled, onStep }: Steering,
): Promise<Decoded> {
  const rows = requests.map((request) => newRow(request, vocabulary));
  // Places of the batch; a finished row keeps its place until enough of them are gone to make moving the others worth it.
  let batch: Row[] = [...rows];
  let news: TokenNews[] = [];
  if (!isCancelled()) {
    for (const row of rows) news.push(await take(row, prompt.last.get(inverseTemperature(row.request))!, vocabulary));
    onStep(news);
  }

  while (batch.length < evaluator.minRows) batch.push(batch[0]!);
  const suffix = evaluator.suffix(batch.length);
  let steps = 0;
  let rowSteps = 0;
  while (rows.some(({ finish }) => finish === null)) {
    if (isCancelled()) {
      for (const row of rows) if (row.finish === null) end(row, 'cancelled');
      break;
    }
    const going = batch.flatMap(({ finish }, place) => (finish === null ? [place] : []));
    if (batch.length - going.length >= Math.max(1, batch.length / 8)) {
      while (going.length < evaluator.minRows) going.push(going[0]!);
      if (going.length < batch.length) {
        batch = going.map((place) => batch[place]!);
        suffix.keep(going);
      }
    }
    const next = await evaluator.step(
      prompt.prefix,
      suffix,
      batch.map(({ tokens }) => tokens.at(-1) ?? 0),
      batch.map(({ request }) => inverseTemperature(request)),
      batch.some(({ constraint, finish }) => constraint !== null && finish === null),
    );
    steps++;
    rowSteps += batch.length;
    news = [];
    const served = new Set<Row>();
    for (const [place, row] of batch.entries()) {
      if (row.finish !== null || served.has(row)) continue;
      served.add(row);
      news.push(await take(row, next[place]!, vocabulary));
    }
    onStep(news);
  }
  return { rows: rows.map(generated), steps, rowSteps };
}

/** Chooses the row's next token and ends the row where that is due. */
export async function take(row: Row, next: NextToken, vocabulary: Vocabulary): Promise<TokenNews> {
  const { request } = row;
  const u = uniform(request.seed, request.index, row.tokens.length);
  const { token, logProbability } =
    row.constraint === null
      ? await chosen(request, next, u)
      : await chooseAllowed(request, next, await row.constraint.maskAfter(row.tokens), u);
  return accept(row, token, logProbability, vocabulary);
}

async function chosen(sampling: Sampling, next: NextToken, u: number): Promise<Chosen> {
  const { topLogProbabilities, topTokens, temperedMaximum } = next;
  const near = choose(sampling, { logProbabilities: topLogProbabilities, temperedMaximum, complete: false }, u);
  if (near !== null) return { token: Number(topTokens[near]!), logProbability: topLogProbabilities[near]! };

  const { tokens, logProbabilities } = await sortedVocabulary(next);
  const far = choose(sampling, { logProbabilities, temperedMaximum, complete: true }, u)!;
  return { token: tokens[far]!, logProbability: logProbabilities[far]! };
}
