/**
 * A distribution restricted to the tokens a grammar allows: allowed tokens keep their probabilities up to one factor,
 *
 *   p'_i = p_i / Σ_{j allowed} p_j   at the row's temperature,
 *
 * and top-k and top-p are taken of that. Reported log-probabilities stay the model's own.
 */
import type { NextToken } from '../evaluator.ts';
import { type Candidates, choose, type Sampling } from '../sampling.ts';
import { allows, type TokenMask } from './constraint.ts';

/** Sums of f32 probabilities are right to about this. */
const ROUNDING = 1e-6;

export interface Chosen {
  readonly token: number;
  readonly logProbability: number;
}

/** The token that `u` in [0, 1) falls on among those `mask` allows, of which there is one. */
export async function chooseAllowed(sampling: Sampling, next: NextToken, mask: TokenMask, u: number): Promise<Chosen> {
  const near = nearChoice(sampling, next, mask, u);
  if (near !== null) return near;
  const likely = await restricted(next, mask, sampling.temperature, LIKELY_NATS);
  const place = choose(sampling, likely, u);
  if (place !== null) return { token: likely.tokens[place]!, logProbability: likely.logProbabilities[place]! };
  const whole = await restricted(next, mask, sampling.temperature);
  const far = choose(sampling, whole, u)!;
  return { token: whole.tokens[far]!, logProbability: whole.logProbabilities[far]! };
}

/** Tokens e⁻¹² times as likely as the best are seldom chosen: sorting the others is enough nearly always. */
const LIKELY_NATS = 12;

/** The tokens that may come, the most likely first, as far as `withinNats` of the best at the temperature. */
export async function restricted(
  next: NextToken,
  mask: TokenMask,
  temperature: number,
  withinNats = Number.POSITIVE_INFINITY,
): Promise<Candidates & { readonly tokens: Uint32Array }> {
  const all = await next.all();
  const inverse = temperature === 0 ? 1 : 1 / temperature;
  const allowed = tokensOf(mask, all.length);
  let best = Number.NEGATIVE_INFINITY;
  for (const token of allowed) if (all[token]! > best) best = all[token]!;
  let sum = 0;
  const within: number[] = [];
  for (const token of allowed) {
    const nats = (all[token]! - best) * inverse;
    sum += Math.exp(nats);
    if (nats >= -withinNats) within.push(token);
  }
  const tokens = Uint32Array.from(within).sort((a, b) => all[b]! - all[a]! || a - b);
  const logProbabilities = Float32Array.from(tokens, (token) => all[token]!);
  return { tokens, logProbabilities, temperedMaximum: -Math.log(sum), complete: tokens.length === allowed.length };
}

/** Few tokens are allowed at most places of a grammar: words without any are passed over. */
function tokensOf(mask: TokenMask, vocabularySize: number): number[] {
  const tokens: number[] = [];
  for (const [word, bits] of mask.entries()) {
    if (bits === 0) continue;
    const end = Math.min(vocabularySize, 32 * (word + 1));
    for (let token = 32 * word; token < end; token++) if (allows(mask, token)) tokens.push(token);
  }
  return tokens;
}

/**
 * The choice where the listed tokens tell it. The tokens that are not listed have together what the listed ones leave of
 * 1; how much of that is allowed is not known, so the choice must be the same for none of it and for all of it.
 */
function nearChoice(sampling: Sampling, next: NextToken, mask: TokenMask, u: number): Chosen | null {
  const { topTokens, topLogProbabilities, temperedMaximum } = next;
  const { temperature, topP, topK } = sampling;
  const chosen = (place: number): Chosen => ({
    token: Number(topTokens[place]!),
    logProbability: topLogProbabilities[place]!,
  });
  const places = Array.from(topTokens.keys()).filter((place) => allows(mask, Number(topTokens[place]!)));
  if (places.length === 0) return null;
  if (temperature === 0) return chosen(places[0]!);

  const probability = (place: number) =>
    Math.exp((topLogProbabilities[place]! - topLogProbabilities[0]!) / temperature + temperedMaximum);
  let unlisted = 1 + ROUNDING;
  for (const place of topTokens.keys()) unlisted -= probability(place);
  let kept = places.map(probability);
  if (topK > 0) {
    if (kept.length < topK) return null;
    kept = kept.slice(0, topK);
  }
  const sum = kept.reduce((a, b) => a + b);
  let masses = topK > 0 ? [sum] : [sum, sum + Math.max(unlisted, ROUNDING)];
  if (topP < 1) {
    const counts = masses.map((mass) => countFor(kept, topP * mass));
    if (counts.some((count) => count === null || count !== counts[0])) return null;
    kept = kept.slice(0, counts[0]!);
    masses = [kept.reduce((a, b) => a + b)];
  }
  const fallen = masses.map((mass) => fall(kept, u * mass, masses.length === 1));
  return fallen.some((place) => place === null || place !== fallen[0]) ? null : chosen(places[fallen[0]!]!);
}

/** How many of the probabilities it takes to reach `wanted`; null where they do not. */
function countFor(probabilities: readonly number[], wanted: number): number | null {
  let reached = 0;
  for (const [i, p] of probabilities.entries()) {
    reached += p;
    if (reached >= wanted) return i + 1;
  }
  return null;
}

/** Where `left` falls among the probabilities; behind the last, which rounding can do, on the last where they are `whole`. */
function fall(probabilities: readonly number[], left: number, whole: boolean): number | null {
  let rest = left;
  for (const [i, p] of probabilities.entries()) {
    rest -= p;
    if (rest < 0) return i;
  }
  return whole ? probabilities.length - 1 : null;
}
