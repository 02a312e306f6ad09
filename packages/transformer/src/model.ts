/**
 * A decoder-only transformer of the Llama family in the order of the papers.
 *
 *   x⁰ = E[token]                                    token embedding
 *   a  = x + Attention(RMSNorm(x)) · Wo              for each of nLayer blocks
 *   x  = a + SwiGLU(RMSNorm(a))
 *   logits = RMSNorm(x) · Wᵀ                         W = E where the output is tied
 *
 * Vaswani et al. 2017, https://arxiv.org/abs/1706.03762 (attention, §3.2); Touvron et al. 2023,
 * https://arxiv.org/abs/2302.13971 (§2.2: RMSNorm before each part, SwiGLU, rotary positions); Ainslie et al. 2023,
 * https://arxiv.org/abs/2305.13245 (groups of query heads share keys and values).
 *
 * One graph serves everything: `rows` sequences each take `new` tokens at once, behind their own `suffix` of earlier
 * tokens, behind one `prefix` that all of them share. Reading a prompt is one row with many new tokens; making candidates
 * is many rows with one new token each.
 *
 * Shapes: N rows, T new tokens a row, P prefix, S suffix, C nEmbd, H nHead, G nKvHead, R H / G, D headSize,
 * F nFeedForward, V vocabSize.
 */
import { type GraphBuilder, multiplyDims, symbol, type Tensor } from '@lathe/graph';
import type { Config } from './config.ts';

/** The learned parts, as the graph sees them. Names are those of the GGUF convention without `.weight`. */
export interface Weights {
  /**
   * x · Wᵀ (+ b) for each named matrix: [M, in] → [M, out] each. `attn_qkv` is the matrices attn_q, attn_k and attn_v, one
   * above the other.
   */
  project(x: Tensor, names: readonly string[]): readonly Tensor[];
  /** A gain of a norm: [C]. */
  gain(name: string): Tensor;
  /** Tables of cos and sin: [maxPosition, D/2]. */
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** What the new tokens see. */
interface Seen {
  /** [G, P, D], shared by all rows. */
  readonly prefixKeys: Tensor;
  readonly prefixValues: Tensor;
  /** [G, N, S, D] */
  readonly suffixKeys: Tensor;
  readonly suffixValues: Tensor;
  /** [G, N, T, D] */
  readonly newKeys: Tensor;
  readonly newValues: Tensor;
  readonly suffixMask: Tensor;
  readonly newMask: Tensor;
}

const N = symbol('rows');
const T = symbol('new');
const P = symbol('prefix');
const S = symbol('suffix');
const L = symbol('logitRows');
const ROWS = multiplyDims(N, T);

/**
 * Inputs: `embedded` [N, T, C], the token embeddings; `positions` int64 [N·T·(H + 2G), 1], each token's position once for
 * each of its H queries and G keys, and 0 for each of its G values; `newMask` [T·R, T], 0 where the query (t, r) may see new token
 * t' ≤ t, else −∞; `suffixMask` [S], 0 where the suffix holds a token, else −∞; `logitRows` int64 [L], which of the N·T tokens'
 * logits are wanted; `inverseTemperature` [L, 1]; and per layer `prefixKeys.l`, `prefixValues.l` [G, P, D], `suffixKeys.l`,
 * `suffixValues.l` [G, N, S, D].
 * Outputs: `newKeysValues` [nLayer · 2 · G, N, T, D], keys before values of each layer; `logits` and `logProbabilities` [L, V];
 * `topLogProbabilities` and `topTokens` [L, candidates], the largest first; `temperedLogProbabilities` [L, candidates], those of
 * the same tokens where logits are multiplied by `inverseTemperature`.
 */
export function buildModel(g: GraphBuilder, config: Config, weights: Weights, topCandidates: number): void {
  const { nLayer, nKvHead: G, nHead: H, headSize: D, nEmbd: C, normEpsilon, tiedOutput } = config;
  const embedded = g.input('embedded', 'float32', [N, T, C]);
  const positions = g.input('positions', 'int64', [multiplyDims(ROWS, H + 2 * G), 1]);
  const newMask = g.input('newMask', 'float32', [multiplyDims(T, H / G), T]);
  const suffixMask = g.input('suffixMask', 'float32', [S]);

  let x = g.reshape(embedded, [ROWS, C]); // [N·T, C]
  let normed = g.rmsNorm(x, weights.gain('blk.0.attn_norm'), normEpsilon);
  const made: Tensor[] = [];
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `blk.${layer}`;
    const { queries, keys, values } = queriesKeysValues(g, config, weights, block, normed, positions);
    made.push(keys, values);
    const mixed = attention(g, config, queries, {
      prefixKeys: g.input(`prefixKeys.${layer}`, 'float32', [G, P, D]),
      prefixValues: g.input(`prefixValues.${layer}`, 'float32', [G, P, D]),
      suffixKeys: g.input(`suffixKeys.${layer}`, 'float32', [G, N, S, D]),
      suffixValues: g.input(`suffixValues.${layer}`, 'float32', [G, N, S, D]),
      newKeys: keys,
      newValues: values,
      suffixMask,
      newMask,
    });

    // a = x + attention, x = a + SwiGLU, each with the norm of what follows.
    const attended = weights.project(mixed, [`${block}.attn_output`])[0]!;
    const a = g.addRmsNorm(x, attended, weights.gain(`${block}.ffn_norm`), normEpsilon);
    const forwarded = swiGlu(g, weights, block, a.normed);
    if (layer === nLayer - 1) x = g.add(a.sum, forwarded);
    else {
      const next = weights.gain(`blk.${layer + 1}.attn_norm`);
      ({ sum: x, normed } = g.addRmsNorm(a.sum, forwarded, next, normEpsilon));
    }
  }

  g.output('newKeysValues', g.concat(made, 0));

  const wanted = g.gather(x, g.input('logitRows', 'int64', [L]), 0); // [L, C]
  const final = g.rmsNorm(wanted, weights.gain('output_norm'), normEpsilon);
  const logits = weights.project(final, [tiedOutput ? 'token_embd' : 'output'])[0]!; // [L, V]
  g.output('logits', logits);

  // Softmax works row by row; the same from exp and sum would round differently with the number of rows.
  const logProbabilities = g.logSoftmax(logits);
  g.output('logProbabilities', logProbabilities);
  const top = g.topK(logProbabilities, topCandidates);
  g.output('topLogProbabilities', top.values);
  g.output('topTokens', top.indices);
  const tempered = g.logSoftmax(g.mul(logits, g.input('inverseTemperature', 'float32', [L, 1])));
  g.output('temperedLogProbabilities', g.pick(tempered, top.indices));
}

/**
 * Queries [G, N, T, R, D], keys and values [G, N, T, D] of the new tokens. Queries and keys are rotated by their position,
 * values by position 0, which leaves them as they are: one product and one rotation serve all three.
 * Su et al. 2021, https://arxiv.org/abs/2104.09864
 */
function queriesKeysValues(
  g: GraphBuilder,
  config: Config,
  weights: Weights,
  block: string,
  x: Tensor, // [N·T, C]
  positions: Tensor,
): { queries: Tensor; keys: Tensor; values: Tensor } {
  const { nHead: H, nKvHead: G, headSize: D, ropeInterleaved } = config;
  const heads = H + 2 * G;
  const projected = weights.project(x, [`${block}.attn_qkv`])[0]!; // [N·T, heads·D]
  const flat = g.reshape(projected, [multiplyDims(ROWS, heads), 1, D]);
  const rotated = g.rotary(flat, positions, weights.cos, weights.sin, 1, ropeInterleaved);
  const [q, k, v] = g.split(g.reshape(rotated, [N, T, heads, D]), [H, G, G], 2);
  return {
    queries: g.transpose(g.reshape(q!, [N, T, G, H / G, D]), [2, 0, 1, 3, 4]),
    keys: g.transpose(k!, [2, 0, 1, 3]),
    values: g.transpose(v!, [2, 0, 1, 3]),
  };
}

/**
 * Grouped-query attention: softmax(Q·Kᵀ / √D) · V over prefix, suffix and the new tokens up to each query's own: [N·T, H·D].
 * The prefix is the same for all rows, so its product is one matrix product per group for every row and head.
 * Vaswani et al. 2017 §3.2.1
 */
function attention(g: GraphBuilder, config: Config, queries: Tensor, seen: Seen): Tensor {
  const { nHead: H, nKvHead: G, headSize: D } = config;
  const R = H / G;
  const ofGroup = multiplyDims(ROWS, R); // queries of all rows in one group
  const ofRow = multiplyDims(T, R); // of one row in one group
  const scaled = { alpha: 1 / Math.sqrt(D), transB: true };

  const prefixScores = g.matMul(g.reshape(queries, [G, ofGroup, D]), seen.prefixKeys, scaled); // [G, N·T·R, P]
  const perRow = g.reshape(queries, [G, N, ofRow, D]);
  const suffixScores = g.add(g.matMul(perRow, seen.suffixKeys, scaled), seen.suffixMask); // [G, N, T·R, S]
  const newScores = g.add(g.matMul(perRow, seen.newKeys, scaled), seen.newMask); // [G, N, T·R, T]
  const scores = g.concat([g.reshape(prefixScores, [G, N, ofRow, P]), suffixScores, newScores], -1);
  const [prefixShares, suffixShares, newShares] = g.split(g.softmax(scores), [P, S, T], -1);
  const fromPrefix = g.matMul(g.reshape(prefixShares!, [G, ofGroup, P]), seen.prefixValues);
  const own = g.add(g.matMul(suffixShares!, seen.suffixValues), g.matMul(newShares!, seen.newValues)); // [G, N, T·R, D]
  const mixed = g.reshape(g.add(fromPrefix, g.reshape(own, [G, ofGroup, D])), [G, ROWS, R, D]);
  return g.reshape(g.transpose(mixed, [1, 0, 2, 3]), [ROWS, H * D]);
}

/** (silu(x · Wgateᵀ) ∘ (x · Wupᵀ)) · Wdownᵀ. Shazeer 2020, https://arxiv.org/abs/2002.05202 */
function swiGlu(g: GraphBuilder, weights: Weights, block: string, x: Tensor): Tensor {
  const [gate, up] = weights.project(x, [`${block}.ffn_gate`, `${block}.ffn_up`]); // [N·T, F] each
  return weights.project(g.mul(g.silu(gate!), up!), [`${block}.ffn_down`])[0]!;
}

/** Tables [maxPosition, D/2]: angle of pair i at position p is p / (scale · factor_i) · base^(−2i/D). */
export function rotaryTables(
  config: Pick<Config, 'headSize' | 'ropeBase' | 'ropeScale'>,
  maxPosition: number,
  factors: Float32Array | null,
): { cos: Float32Array; sin: Float32Array } {
  const half = config.headSize / 2;
  const cos = new Float32Array(maxPosition * half);
  const sin = new Float32Array(maxPosition * half);
  for (let i = 0; i < half; i++) {
    const frequency = config.ropeBase ** (-i / half) / (config.ropeScale * (factors?.[i] ?? 1));
    for (let position = 0; position < maxPosition; position++) {
      cos[position * half + i] = Math.cos(position * frequency);
      sin[position * half + i] = Math.sin(position * frequency);
    }
  }
  return { cos, sin };
}
