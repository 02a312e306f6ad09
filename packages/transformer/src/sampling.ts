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

/**
 * Place in `candidates` of the token that the uniform number `u` in [0, 1) falls on: temperature, then top-k, then top-p, then the
 * inverse of the cumulative distribution in order of falling probability. Null where that cannot be told without the
 * tokens that are not listed.
 */
export function choose({ temperature, topP, topK }: Sampling, candidates: Candidates, u: number): number | null {
  if (temperature === 0) return 0;
  const { logProbabilities, temperedMaximum, complete } = candidates;
  const limit = topK > 0 ? Math.min(topK, logProbabilities.length) : logProbabilities.length;
  if (topK > limit && !complete) return null;
  const probability = (i: number) =>
    Math.exp((logProbabilities[i]! - logProbabilities[0]!) / temperature + temperedMaximum);

  let mass = topK > 0 ? sum(limit, probability) : 1;
  if (topP < 1) {
    const wanted = topP * mass;
    let kept = 0;
    let count = 0;
    while (count < limit && kept < wanted) kept += probability(count++);
    if (kept < wanted && !complete && topK === 0) return null;
    mass = kept;
  }

  let left = u * mass;
  for (let i = 0; i < limit; i++) {
    left -= probability(i);
    if (left < 0) return i;
  }
  // Rounding left a sliver of mass, or it lies with the tokens that are not listed.
  return complete || topK > 0 ? limit - 1 : null;
}

function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}
