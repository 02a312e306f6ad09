/**
 * What a text may go on with, guessed by looking up its last tokens in the prompt and in the text itself: an edit repeats
 * most of what it edits. Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding
 */
export class Drafter {
  /** The prompt and the text. */
  readonly #source: number[] = [];
  /** Where the last three, and the last two, tokens stood most recently: the place behind them. */
  readonly #places = [new Map<number, number>(), new Map<number, number>()];
  /** Where the draft that has come true so far goes on. */
  #cursor: number | null = null;

  constructor(prompt: readonly number[]) {
    for (const token of prompt) this.push(token);
  }

  push(token: number): void {
    const source = this.#source;
    this.#cursor = this.#cursor !== null && source[this.#cursor] === token ? this.#cursor + 1 : null;
    // What ends just before this token is known from now on: a text is not its own continuation.
    for (const [i, places] of this.#places.entries()) {
      const key = this.#key(GRAMS[i]!);
      if (key !== null) places.set(key, source.length);
    }
    source.push(token);
  }

  /** At most so many tokens; none where the last two tokens have not been there before. */
  draft(most: number): readonly number[] {
    this.#cursor ??= this.#lookUp();
    return this.#cursor === null ? [] : this.#source.slice(this.#cursor, this.#cursor + most);
  }

  #lookUp(): number | null {
    for (const [i, places] of this.#places.entries()) {
      const key = this.#key(GRAMS[i]!);
      const place = key === null ? undefined : places.get(key);
      if (place !== undefined) return place;
    }
    return null;
  }

  /** The last `count` tokens as one number. Two that get the same number only cost a draft that does not come true. */
  #key(count: number): number | null {
    const source = this.#source;
    if (source.length < count) return null;
    let key = 0;
    for (let i = source.length - count; i < source.length; i++) key = key * RADIX + source[i]!;
    return key;
  }
}

const GRAMS = [3, 2] as const;
/** Three tokens of a vocabulary of this size are a whole number that a double holds exactly. */
const RADIX = 200_000;

/** Time of a step that reads k + 1 tokens a row, in steps that read one: 1 + first · [k > 0] + each · k · rows. */
export interface DraftCost {
  readonly first: number;
  readonly each: number;
}

const LENGTHS = [0, 1, 2, 3, 4, 6, 8, 12, 16] as const;

/**
 * How many tokens to draft. Where each drafted token comes true with probability a, k of them make
 * (1 − a^(k+1)) / (1 − a) tokens a step (Leviathan, Kalman & Matias 2023, https://arxiv.org/abs/2211.17192, eq. 1); the k
 * with most tokens for the step's time is taken, 0 where drafting does not pay. a is what came true lately; what it is based
 * on fades while nothing is drafted, so that it is tried again.
 */
export class DraftLength {
  readonly #cost: DraftCost;
  #right = PRIOR.right;
  #tried = PRIOR.tried;

  constructor(cost: DraftCost) {
    this.#cost = cost;
  }

  next(): number {
    const a = this.#right / this.#tried;
    let [best, bestRate] = [0, 1];
    for (const k of LENGTHS) {
      const tokens = a >= 1 ? k + 1 : (1 - a ** (k + 1)) / (1 - a);
      const rate = tokens / (1 + (k > 0 ? this.#cost.first : 0) + this.#cost.each * k);
      if (rate > bestRate) [best, bestRate] = [k, rate];
    }
    if (best === 0) this.#fade(RECOVERY);
    return best;
  }

  /** Of so many tokens drafted the first `right` came true. What follows the first wrong one says nothing. */
  learn(drafted: number, right: number): void {
    const tried = right === drafted ? drafted : right + 1;
    for (let i = 0; i < tried; i++) this.#fade(MEMORY);
    this.#right += right;
    this.#tried += tried;
  }

  #fade(kept: number): void {
    this.#right = PRIOR.right + kept * (this.#right - PRIOR.right);
    this.#tried = PRIOR.tried + kept * (this.#tried - PRIOR.tried);
  }
}

const PRIOR = { right: 1.2, tried: 2 };
const MEMORY = 0.97;
const RECOVERY = 0.98;
