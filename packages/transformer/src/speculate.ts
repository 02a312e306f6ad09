/**
 * Rows that read more than one token a step: a guess of what comes next (draft.ts) is read along, and each guessed token
 * is compared with the token that is chosen at its place anyway, from the model's distribution with the row's own random number of
 * that place. What agrees saves a step; the first that does not ends the guess, and the chosen token stands. So a text is
 * what it would have been without: drafts decide about time alone. In the terms of Leviathan, Kalman & Matias 2023,
 * https://arxiv.org/abs/2211.17192 (§2.3): a draft x is accepted with probability p(x), else the token comes from p
 * without x, renormalised.
 *
 * Logits of a token read as one of several differ in rounding from those of the token read alone (in int8 by what one
 * rounding to 8 bits is worth), so a choice that lies on the edge may fall to the other side.
 */
import { type DraftCost, Drafter, DraftLength } from './draft.ts';
import type { NextToken, Prefix } from './evaluator.ts';
import { type Decoded, type Drafts, type ReadPrompt, type Steering, take } from './generate.ts';
import type { Precision } from './precision.ts';
import {
  end,
  generated,
  inverseTemperature,
  newRow,
  type Row,
  type RowRequest,
  type TokenNews,
  type Vocabulary,
} from './row.ts';

/** What speculation needs of an evaluator. */
export interface AheadEvaluator<S extends AheadRows> {
  readonly minRows: number;
  suffix(rows: number): S;
  readAhead(
    prefix: Prefix,
    suffix: S,
    tokens: readonly (readonly number[])[],
    inverseTemperatures: readonly number[],
    /** The whole vocabulary of every row will be asked for. */
    isWholeWanted: boolean,
  ): Promise<{ readonly next: NextToken[][]; keep(count: number): void }>;
}

/** With more rows than this the processor has enough to do at every step. */
export const MOST_SPECULATING_ROWS = 4;

/**
 * Measured on two cores, SmolLM2-135M: a token more costs an int8 step 4 to 7 % of its time; blocks of 4 bits are multiplied by
 * several rows in a way that takes 1.6 times as long as by one.
 */
export function draftCost(precision: Precision): DraftCost {
  return precision === 'exact' ? { first: 0.6, each: 0.06 } : { first: 0, each: 0.07 };
}

interface AheadRows {
  keep(places: readonly number[]): void;
}

export interface Speculation {
  readonly cost: DraftCost;
}

/** Longest block of one row: what it has not read yet, and the draft behind it. */
const MOST_TOKENS = 17;

interface Speculator {
  readonly row: Row;
  readonly drafter: Drafter;
  /** Tokens of the text that have not been read, in order. */
  unread: number[];
}

/**
 * Rows of one step are as long as each other, and grow by as many tokens as the row that got the fewest right; the tokens
 * another has got right beyond that are its own already, and are read once more.
 */
export async function generateSpeculatively<S extends AheadRows>(
  evaluator: AheadEvaluator<S>,
  vocabulary: Vocabulary,
  prompt: ReadPrompt,
  requests: readonly RowRequest[],
  { isCancelled, onStep, cost }: Steering & Speculation,
): Promise<Decoded & { drafts: Drafts }> {
  const speculators = requests.map(
    (request): Speculator => ({
      row: newRow(request, vocabulary),
      drafter: new Drafter(prompt.tokens),
      unread: [],
    }),
  );
  const length = new DraftLength(costOf(cost, requests.length));
  let batch = [...speculators];
  let news: TokenNews[] = [];
  const choose = async (one: Speculator, next: NextToken): Promise<number> => {
    const told = await take(one.row, next, vocabulary);
    news.push(told);
    one.drafter.push(told.token);
    one.unread.push(told.token);
    return told.token;
  };
  if (!isCancelled()) {
    for (const one of speculators) await choose(one, prompt.last.get(inverseTemperature(one.row.request))!);
    onStep(news);
  }

  while (batch.length < evaluator.minRows) batch.push(batch[0]!);
  const suffix = evaluator.suffix(batch.length);
  let [steps, rowSteps, drafted, accepted] = [0, 0, 0, 0];
  while (speculators.some(({ row }) => row.finish === null)) {
    if (isCancelled()) {
      for (const { row } of speculators) if (row.finish === null) end(row, 'cancelled');
      break;
    }
    const going = batch.flatMap(({ row }, place) => (row.finish === null ? [place] : []));
    while (going.length < evaluator.minRows) going.push(going[0]!);
    if (going.length < batch.length) {
      batch = going.map((place) => batch[place]!);
      suffix.keep(going);
    }
    const most = length.next();
    const blocks = new Map(batch.map((one) => [one, blockOf(one, most)]));
    const tokens = Math.max(...[...blocks.values()].map((block) => block.length));
    const { next, keep } = await evaluator.readAhead(
      prompt.prefix,
      suffix,
      batch.map((one) => padded(blocks.get(one)!, tokens)),
      batch.map(({ row }) => inverseTemperature(row.request)),
      batch.some(({ row }) => row.constraint !== null),
    );
    steps++;
    rowSteps += batch.length * tokens;
    news = [];
    let right = tokens;
    for (const [one, block] of blocks) {
      const known = Math.min(one.unread.length, block.length);
      const isWhole = known === one.unread.length;
      const behind = next[batch.indexOf(one)]!;
      let place = known - 1;
      // What is unread and did not fit into the block is known as well: nothing is to be chosen then.
      if (isWhole) while ((await choose(one, behind[place]!)) === block[place + 1] && one.row.finish === null) place++;
      const came = place - (known - 1);
      if (isWhole && block.length > known) {
        length.learn(block.length - known, came);
        drafted += block.length - known;
        accepted += came;
      }
      if (one.row.finish === null) right = Math.min(right, place + 1);
    }
    onStep(news);
    keep(right);
    for (const one of blocks.keys()) one.unread.splice(0, right);
  }
  return { rows: speculators.map(({ row }) => generated(row)), steps, rowSteps, drafts: { drafted, accepted } };
}

/** What the row has not read, and a draft of what follows; never more than the row may still become. */
function blockOf({ row, drafter, unread }: Speculator, most: number): readonly number[] {
  if (unread.length >= MOST_TOKENS) return unread.slice(0, MOST_TOKENS);
  const left = row.request.maxTokens - row.tokens.length;
  return [...unread, ...drafter.draft(Math.max(0, Math.min(most, left - 1, MOST_TOKENS - unread.length)))];
}

/** Causal: nothing sees what stands behind it. */
function padded(block: readonly number[], tokens: number): number[] {
  return [...block, ...Array.from({ length: tokens - block.length }, () => 0)];
}

/** One more token a row costs as many rows as there are, and a step of several rows is itself longer than one of one. */
function costOf({ first, each }: DraftCost, rows: number): DraftCost {
  const step = 1 + each * (rows - 1);
  return { first: first / step, each: (each * rows) / step };
}
