/** How one row chooses its tokens. */
export interface Sampling {
  /** Logits are divided by it; 0 takes the most likely token always. */
  readonly temperature: number;
  /** Only the fewest most likely tokens whose probability reaches this share stay. Holtzman et al. 2020, https://arxiv.org/abs/1904.09751 */
  readonly topP: number;
  /** Only so many most likely tokens stay, before topP; 0 keeps all. */
  readonly topK: number;
}

/** The most likely tokens of one step. */
export interface Candidates {
  /** log p at temperature 1, falling. */
  readonly logProbabilities: Float32Array;
  /** log p of the first at the row's temperature, which fixes all the others. */
  readonly temperedMaximum: number;
  /** Whether the whole vocabulary is listed. */
  readonly complete: boolean;
}

/** What temperature, then top-k, then top-p leave of a distribution. */
export interface Truncated {
  /** So many of the listed tokens stay, the most likely ones. */
  readonly count: number;
  /** What their probabilities, as `probability` gives them, are shares of. Tokens that are not listed may be part of it. */
  readonly mass: number;
  /** Whether tokens that are not listed stay as well. */
  readonly open: boolean;
  /** Probability of a listed token at the temperature, before top-k and top-p. */
  probability(place: number): number;
}

/** Null where that cannot be told without the tokens that are not listed. Temperature above 0. */
export function truncate({ temperature, topP, topK }: Sampling, candidates: Candidates): Truncated | null {
  const { logProbabilities, temperedMaximum, complete } = candidates;
  const listed = logProbabilities.length;
  const limit = topK > 0 ? Math.min(topK, listed) : listed;
  if (topK > limit && !complete) return null;
  const probability = (i: number) =>
    Math.exp((logProbabilities[i]! - logProbabilities[0]!) / temperature + temperedMaximum);
  const mass = topK > 0 ? sum(limit, probability) : 1;
  if (topP >= 1) return { count: limit, mass, open: topK === 0 && !complete, probability };

  const wanted = topP * mass;
  let kept = 0;
  let count = 0;
  while (count < limit && kept < wanted) kept += probability(count++);
  if (kept < wanted && !complete && topK === 0) return null;
  return { count, mass: kept, open: false, probability };
}

/**
 * Place in `candidates` of the token that the uniform number `u` in [0, 1) falls on: temperature, then top-k, then top-p, then the
 * inverse of the cumulative distribution in order of falling probability. Null where that cannot be told without the
 * tokens that are not listed.
 */
export function choose(sampling: Sampling, candidates: Candidates, u: number): number | null {
  if (sampling.temperature === 0) return 0;
  const truncated = truncate(sampling, candidates);
  if (truncated === null) return null;
  const { count, mass, open, probability } = truncated;
  let left = u * mass;
  for (let i = 0; i < count; i++) {
    left -= probability(i);
    if (left < 0) return i;
  }
  // Rounding left a sliver of mass, or it lies with the tokens that are not listed.
  return open ? null : count - 1;
}

function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}
