/**
 * A language model small enough to list every sequence: the distribution after a path is drawn from the path itself. Rows
 * hold their paths, so that a row copied to the wrong place gives other probabilities.
 */
import type { NextToken, Prefix } from '../evaluator.ts';
import type { BatchRows, RowEvaluator } from '../distinct.ts';
import type { ReadPrompt } from '../generate.ts';
import { PathRandom } from '../random.ts';
import type { RowRequest, Vocabulary } from '../row.ts';

/** Two ways to write `ab`, and the end token last. */
const WORDS = ['a', 'b', 'ab', '.', ''];
const END = 4;
/** So many of the tokens are listed; the others take the whole vocabulary. */
const LISTED = 3;

/** A row of three tokens, drawn from the model as it is. */
export const REQUEST: RowRequest = {
  index: 0,
  seed: 1,
  temperature: 1,
  topP: 1,
  topK: 0,
  maxTokens: 3,
  stop: [],
  ignoreEnd: false,
  grammar: null,
  stopWhen: null,
};

export class Paths implements BatchRows {
  paths: number[][];
  constructor(rows: number) {
    this.paths = Array.from({ length: rows }, () => []);
  }
  get rows(): number {
    return this.paths.length;
  }
  keep(places: readonly number[]): void {
    this.paths = places.map((place) => [...this.paths[place]!]);
  }
}

/** log p of every token after the path. `sharpness` 0 is uniform. */
function logProbabilities(path: readonly number[], sharpness: number): Float32Array {
  const random = path.reduce((node, token) => node.child(token), PathRandom.root(77));
  const logits = WORDS.map(() => sharpness * random.next());
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return Float32Array.from(logits, (logit) => logit - total);
}

export class TableModel implements RowEvaluator<Paths> {
  readonly minRows: number;
  readonly sharpness: number;
  /** What each token is; five, the last one ends the text. */
  readonly words: readonly string[];
  readonly vocabulary: Vocabulary;
  /** What a draft may be looked up in; the distributions do not depend on it. */
  readonly promptTokens: readonly number[];
  /** Paths evaluated, in order, with the number of rows of each step. */
  readonly evaluated: string[] = [];

  constructor({
    minRows = 1,
    sharpness = 3,
    words = WORDS,
    promptTokens = [0],
  }: { minRows?: number; sharpness?: number; words?: readonly string[]; promptTokens?: readonly number[] } = {}) {
    this.minRows = minRows;
    this.sharpness = sharpness;
    this.words = words;
    this.promptTokens = promptTokens;
    this.vocabulary = {
      size: words.length,
      bytesOf: (token) => new TextEncoder().encode(words[token]),
      isControl: () => false,
      isEnd: (token) => token === END,
    };
  }

  suffix(rows: number): Paths {
    return new Paths(rows);
  }

  prompt(inverse: readonly number[]): ReadPrompt {
    const prefix: Prefix = { length: 1, keys: [], values: [] };
    return { tokens: this.promptTokens, prefix, last: new Map(inverse.map((one) => [one, this.#next([], one)])) };
  }

  async step(_: Prefix, suffix: Paths, tokens: readonly number[], inverse: readonly number[]): Promise<NextToken[]> {
    if (tokens.length !== suffix.rows) throw new Error(`${suffix.rows} rows, ${tokens.length} tokens`);
    for (const [row, token] of tokens.entries()) suffix.paths[row]!.push(token);
    this.evaluated.push(...suffix.paths.map((path) => path.join()));
    return suffix.paths.map((path, row) => this.#next(path, inverse[row]!));
  }

  async readAhead(_: Prefix, suffix: Paths, tokens: readonly (readonly number[])[], inverse: readonly number[]) {
    if (tokens.length !== suffix.rows) throw new Error(`${suffix.rows} rows, ${tokens.length} blocks`);
    if (new Set(tokens.map(({ length }) => length)).size > 1) throw new Error('blocks of different lengths');
    const before = suffix.paths.map((path) => [...path]);
    this.evaluated.push(...before.map((path, row) => [...path, ...tokens[row]!].join()));
    return {
      next: before.map((path, row) => tokens[row]!.map((_, i) => this.#next([...path, ...tokens[row]!.slice(0, i + 1)], inverse[row]!))),
      keep: (count: number) => {
        for (const [row, path] of before.entries()) suffix.paths[row] = [...path, ...tokens[row]!.slice(0, count)];
      },
    };
  }

  #next(path: readonly number[], inverse: number): NextToken {
    const all = logProbabilities(path, this.sharpness);
    const tokens = Array.from(all, (_, token) => token).sort((a, b) => all[b]! - all[a]! || a - b);
    const tempered = Array.from(all, (value) => value * inverse);
    const total = Math.log(tempered.reduce((sum, value) => sum + Math.exp(value), 0));
    return {
      topTokens: BigInt64Array.from(tokens.slice(0, LISTED), BigInt),
      topLogProbabilities: Float32Array.from(tokens.slice(0, LISTED), (token) => all[token]!),
      temperedMaximum: tempered[tokens[0]!]! - total,
      all: async () => Float32Array.from(all),
    };
  }

  /** Probability of every whole sequence, in f64: temperature, then top-k, then top-p, as `Sampling` says. */
  enumerate(request: Pick<RowRequest, 'temperature' | 'topP' | 'topK' | 'maxTokens'>): Sequence[] {
    const sequences: Sequence[] = [];
    const visit = (path: number[], probability: number) => {
      if (path.at(-1) === END || path.length === request.maxTokens) {
        const text = path.map((token) => this.words[token]).join('');
        sequences.push({ path: path.join(), text, probability });
        return;
      }
      const powers = Array.from(logProbabilities(path, this.sharpness), (value) => Math.exp(value / request.temperature));
      const total = powers.reduce((a, b) => a + b);
      let kept = powers
        .map((power, token) => ({ token, p: power / total }))
        .sort((a, b) => b.p - a.p)
        .slice(0, request.topK || WORDS.length);
      const mass = kept.reduce((sum, { p }) => sum + p, 0);
      let reached = 0;
      kept = kept.filter(({ p }) => {
        const stays = reached < request.topP * mass;
        reached += p;
        return stays;
      });
      const left = kept.reduce((sum, { p }) => sum + p, 0);
      for (const { token, p } of kept) visit([...path, token], (probability * p) / left);
    };
    visit([], 1);
    return sequences;
  }
}

export interface Sequence {
  readonly path: string;
  readonly text: string;
  readonly probability: number;
}

/** Probability of every text. */
export function textsOf(sequences: readonly Sequence[]): Map<string, number> {
  const texts = new Map<string, number>();
  for (const { text, probability } of sequences) texts.set(text, (texts.get(text) ?? 0) + probability);
  return texts;
}
