import type { NextToken } from './evaluator.ts';
import { type Candidates, type Sampling, truncate } from './sampling.ts';

/** One token that may follow, as it is drawn. */
export interface Follower {
  readonly token: number;
  /** log p at temperature 1. */
  readonly logProbability: number;
  /** q: its share of the distribution that is sampled, after temperature, top-k and top-p. */
  readonly share: number;
}

/**
 * The tokens that may follow one text, drawn one after the other without replacement, each in proportion to its share q
 * of what is left:
 *
 *   q_i = p_i(temperature) / Z for the tokens that top-k and top-p leave, Z their sum.
 *
 * Where all tokens stay, those that are not listed have together what the listed ones leave of 1, at most their number
 * times the least listed probability; which of them is drawn takes the whole vocabulary, and is seldom asked.
 */
export class Followers {
  /** Null where nothing is unlisted. */
  readonly #next: NextToken | null;
  readonly #sampling: Sampling;
  /** Listed tokens that are left, the most likely first. */
  #listed: Follower[];
  /** Share of the tokens that are not listed. */
  #unlisted: number;
  #all: Follower[] | null = null;

  static async of(sampling: Sampling, next: NextToken, vocabularySize: number): Promise<Followers> {
    const { topLogProbabilities, topTokens, temperedMaximum } = next;
    const complete = topTokens.length >= vocabularySize;
    const near = { logProbabilities: topLogProbabilities, temperedMaximum, complete };
    const tokens = (place: number) => Number(topTokens[place]!);
    const listed = keep(sampling, near, tokens, vocabularySize);
    if (listed !== null) return new Followers(sampling, next, listed);
    const sorted = await sortedVocabulary(next);
    const far = { logProbabilities: sorted.logProbabilities, temperedMaximum, complete: true };
    return new Followers(sampling, next, keep(sampling, far, (place) => sorted.tokens[place]!, vocabularySize)!);
  }

  /** The same where every token that may follow is listed. */
  static among(sampling: Sampling, candidates: Candidates & { readonly tokens: Uint32Array }): Followers {
    const { tokens } = candidates;
    const listed = keep(sampling, { ...candidates, complete: true }, (place) => tokens[place]!, tokens.length)!;
    return new Followers(sampling, null, listed);
  }

  private constructor(sampling: Sampling, next: NextToken | null, kept: Kept) {
    this.#sampling = sampling;
    this.#next = next;
    this.#listed = kept.listed;
    this.#unlisted = kept.unlisted;
  }

  /** Share of the tokens that have not been drawn yet: 1 at first, 0 when there is none. */
  get left(): number {
    return this.#listed.reduce((sum, { share }) => sum + share, this.#all === null ? this.#unlisted : 0);
  }

  /** Takes out the token that `u` in (0, 1) falls on. There must be one left. */
  async draw(u: number): Promise<Follower> {
    let wanted = u * this.left;
    for (const [place, follower] of this.#listed.entries()) {
      wanted -= follower.share;
      if (wanted < 0) return this.#take(place);
    }
    if (this.#all === null && this.#unlisted > 0) {
      await this.#listAll();
      // `wanted` goes on among those that were not listed, in the same order.
      for (let place = this.#listed.length - this.#all!.length; place < this.#listed.length; place++) {
        wanted -= this.#listed[place]!.share;
        if (wanted < 0) return this.#take(place);
      }
    }
    if (this.#listed.length === 0) throw new Error('internal: no token is left to draw');
    return this.#take(this.#listed.length - 1);
  }

  #take(place: number): Follower {
    return this.#listed.splice(place, 1)[0]!;
  }

  async #listAll(): Promise<void> {
    if (this.#next === null) throw new Error('internal: every token is listed');
    const { tokens, logProbabilities } = await sortedVocabulary(this.#next);
    const known = this.#next.topTokens.length;
    const { temperature } = this.#sampling;
    const first = logProbabilities[0]!;
    const weights = Array.from(logProbabilities.subarray(known), (value) => Math.exp((value - first) / temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#all = weights.map((weight, i) => ({
      token: tokens[known + i]!,
      logProbability: logProbabilities[known + i]!,
      share: (this.#unlisted * weight) / total,
    }));
    this.#listed.push(...this.#all);
  }
}

interface Kept {
  readonly listed: Follower[];
  readonly unlisted: number;
}

function keep(
  sampling: Sampling,
  candidates: Candidates,
  tokenAt: (place: number) => number,
  vocabularySize: number,
): Kept | null {
  const truncated = truncate(sampling, candidates);
  if (truncated === null) return null;
  const { count, open, probability } = truncated;
  const probabilities = Array.from({ length: count }, (_, place) => probability(place));
  const listedSum = probabilities.reduce((sum, p) => sum + p, 0);
  const tail = open ? Math.max(0, Math.min(1 - listedSum, (vocabularySize - count) * probabilities.at(-1)!)) : 0;
  const z = listedSum + tail;
  return {
    listed: probabilities.map((p, place) => ({
      token: tokenAt(place),
      logProbability: candidates.logProbabilities[place]!,
      share: p / z,
    })),
    unlisted: tail / z,
  };
}

/** The whole vocabulary, the most likely first; equal ones by number, as the listed ones are. */
export async function sortedVocabulary(
  next: NextToken,
): Promise<{ readonly tokens: Uint32Array; readonly logProbabilities: Float32Array }> {
  const all = await next.all();
  const tokens = Uint32Array.from(all, (_, token) => token).sort((a, b) => all[b]! - all[a]! || a - b);
  return { tokens, logProbabilities: Float32Array.from(tokens, (token) => all[token]!) };
}
