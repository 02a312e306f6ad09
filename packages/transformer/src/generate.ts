/**
 * N texts from one prompt: the prompt is read once, then all rows take one token each at every step. A row's text depends
 * on the model, the prompt, its sampling, seed and index, and on nothing else: not on how many rows there are, nor on what
 * the others do. Runs in a worker thread.
 */
import type { Evaluator, NextToken, Prefix } from './evaluator.ts';
import { uniform } from './random.ts';
import { choose, type Sampling } from './sampling.ts';
import { TextStream } from './text-stream.ts';

export interface RowRequest extends Sampling {
  readonly index: number;
  readonly seed: number;
  readonly maxTokens: number;
  readonly stop: readonly string[];
  /** The model's own end token is a token like others: for measurements that need a fixed length. */
  readonly ignoreEnd: boolean;
}

/** Why a row ended: `end`, the model's own end token; `stop`, a stop string; `length`, maxTokens or the model's window. */
export type FinishReason = 'end' | 'stop' | 'length' | 'cancelled';

export interface GeneratedRow {
  readonly index: number;
  readonly seed: number;
  /** Every token chosen, an end token excepted. */
  readonly tokens: readonly number[];
  /** Without end token and stop string. */
  readonly text: string;
  /** log p of each chosen token under the model at temperature 1 (nats), an end token's at the end. */
  readonly logProbabilities: readonly number[];
  readonly finish: FinishReason;
}

/** One new token of one row. `text` is what became showable: possibly nothing, possibly several tokens' worth. */
export interface TokenNews {
  readonly index: number;
  readonly token: number;
  readonly logProbability: number;
  readonly text: string;
  /** Null while the row goes on. */
  readonly finish: FinishReason | null;
}

export interface Timings {
  /** Tokens of the prompt that had to be read; the rest was known from an earlier request. */
  readonly promptTokensRead: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
  readonly steps: number;
  /** Chosen tokens of all rows per second of decoding. */
  readonly tokensPerSecond: number;
}

export interface Vocabulary {
  bytesOf(token: number): Uint8Array;
  isControl(token: number): boolean;
  isEnd(token: number): boolean;
}

/** A row under way. */
interface Row {
  readonly request: RowRequest;
  readonly tokens: number[];
  readonly logProbabilities: number[];
  readonly stream: TextStream;
  text: string;
  finish: FinishReason | null;
}

export async function generate(
  evaluator: Evaluator,
  vocabulary: Vocabulary,
  prompt: { readonly prefix: Prefix; readonly last: ReadonlyMap<number, NextToken> },
  requests: readonly RowRequest[],
  { isCancelled, onStep }: { isCancelled: () => boolean; onStep: (news: readonly TokenNews[]) => void },
): Promise<{ rows: GeneratedRow[]; steps: number }> {
  const rows = requests.map(
    (request): Row => ({
      request,
      tokens: [],
      logProbabilities: [],
      stream: new TextStream(request.stop),
      text: '',
      finish: null,
    }),
  );
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
    );
    steps++;
    news = [];
    const served = new Set<Row>();
    for (const [place, row] of batch.entries()) {
      if (row.finish !== null || served.has(row)) continue;
      served.add(row);
      news.push(await take(row, next[place]!, vocabulary));
    }
    onStep(news);
  }
  return {
    rows: rows.map(({ request, tokens, logProbabilities, text, finish }) => ({
      index: request.index,
      seed: request.seed,
      tokens,
      text,
      logProbabilities,
      finish: finish!,
    })),
    steps,
  };
}

/** What logits are multiplied with before the tempered sum; a greedy row needs none. */
export function inverseTemperature({ temperature }: Sampling): number {
  return temperature === 0 ? 1 : 1 / temperature;
}

/** Chooses the row's next token and ends the row where that is due. */
async function take(row: Row, next: NextToken, vocabulary: Vocabulary): Promise<TokenNews> {
  const { request } = row;
  const u = uniform(request.seed, request.index, row.tokens.length);
  const { token, logProbability } = await chosen(request, next, u);
  row.logProbabilities.push(logProbability);
  let text = '';
  if (vocabulary.isEnd(token) && !request.ignoreEnd) {
    text = end(row, 'end');
  } else {
    row.tokens.push(token);
    const shown = row.stream.push(vocabulary.isControl(token) ? new Uint8Array(0) : vocabulary.bytesOf(token));
    text = shown.text;
    row.text += shown.text;
    if (shown.stopped) row.finish = 'stop';
    else if (row.tokens.length >= request.maxTokens) text += end(row, 'length');
  }
  return { index: request.index, token, logProbability, text, finish: row.finish };
}

/** Ends the row and gives the text that was still held back. A stop string completed by the held text still counts. */
function end(row: Row, reason: FinishReason): string {
  const { text, stopped } = row.stream.finish();
  row.text += text;
  row.finish = stopped ? 'stop' : reason;
  return text;
}

async function chosen(
  sampling: Sampling,
  next: NextToken,
  u: number,
): Promise<{ token: number; logProbability: number }> {
  const { topLogProbabilities, topTokens, temperedMaximum } = next;
  const near = choose(sampling, { logProbabilities: topLogProbabilities, temperedMaximum, complete: false }, u);
  if (near !== null) return { token: Number(topTokens[near]!), logProbability: topLogProbabilities[near]! };

  const all = await next.all();
  const tokens = Uint32Array.from(all, (_, token) => token).sort((a, b) => all[b]! - all[a]! || a - b);
  const logProbabilities = Float32Array.from(tokens, (token) => all[token]!);
  const far = choose(sampling, { logProbabilities, temperedMaximum, complete: true }, u)!;
  return { token: tokens[far]!, logProbability: logProbabilities[far]! };
}
