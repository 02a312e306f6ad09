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
 * Shapes: N rows, T new tokens a row, P prefix, S suffix, C nEmbd, G nKvHead, R nHead / nKvHead, D headSize,
 * F nFeedForward, V vocabSize.
 */
import { type GraphBuilder, multiplyDims, symbol, type Tensor } from '@lathe/graph';
import type { Config } from './config.ts';

/** The learned parts, as the graph sees them. Names are those of the GGUF convention without `.weight`. */
export interface Weights {
  /** x · Wᵀ (+ b) for each named matrix: [M, in] → [M, out] each. */
  project(x: Tensor, names: readonly string[]): readonly Tensor[];
  /** A gain of a norm: [C]. */
  gain(name: string): Tensor;
  /** Tables of cos and sin: [maxPosition, D/2]. */
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** What attention sees besides this block's own tokens. */
interface Past {
  /** [G, P, D], shared by all rows. */
  readonly prefixKeys: Tensor;
  readonly prefixValues: Tensor;
  /** [G, N, S, D] */
  readonly suffixKeys: Tensor;
  readonly suffixValues: Tensor;
}

const N = symbol('rows');
const T = symbol('new');
const P = symbol('prefix');
const S = symbol('suffix');
const L = symbol('logitRows');

/**
 * Inputs: `embedded` [N, T, C], the token embeddings; `positions` int64 [1, N·T]; `newMask` [T·R, T], 0 where the query
 * (t, r) may see new token t' ≤ t, else −∞; `suffixMask` [S], 0 where the suffix holds a token, else −∞; `logitRows` int64
 * [L], which of the N·T tokens' logits are wanted; `inverseTemperature` [L, 1]; and per layer `prefixKeys.l`, `prefixValues.l` [G, P, D],
 * `suffixKeys.l`, `suffixValues.l` [G, N, S, D].
 * Outputs: `newKeysValues` [nLayer · 2 · G, N, T, D], keys before values of each layer; `logits` and `logProbabilities` [L, V];
 * `topLogProbabilities` and `topTokens` [L, candidates], the largest first; `temperedMaximum` [L, 1], the largest log-probability
 * where logits are multiplied by `inverseTemperature`.
 */
export function buildModel(g: GraphBuilder, config: Config, weights: Weights, topCandidates: number): void {
  const { nLayer, nKvHead: G, nHead, headSize: D, nEmbd: C, normEpsilon, tiedOutput } = config;
  const R = nHead / G;
  const rowsNew = multiplyDims(N, T);
  const embedded = g.input('embedded', 'float32', [N, T, C]);
  const positions = g.input('positions', 'int64', [1, rowsNew]);
  const newMask = g.input('newMask', 'float32', [multiplyDims(T, R), T]);
  const suffixMask = g.input('suffixMask', 'float32', [S]);

  let x = g.reshape(embedded, [rowsNew, C]); // [N·T, C]
  const made: Tensor[] = [];
  for (let layer = 0; layer < nLayer; layer++) {
    const past: Past = {
      prefixKeys: g.input(`prefixKeys.${layer}`, 'float32', [G, P, D]),
      prefixValues: g.input(`prefixValues.${layer}`, 'float32', [G, P, D]),
      suffixKeys: g.input(`suffixKeys.${layer}`, 'float32', [G, N, S, D]),
      suffixValues: g.input(`suffixValues.${layer}`, 'float32', [G, N, S, D]),
    };
    const block = `blk.${layer}`;

    const normed = g.rmsNorm(x, weights.gain(`${block}.attn_norm`), normEpsilon);
    const { mixed, keys, values } = attention(g, config, weights, block, normed, {
      positions,
      newMask,
      suffixMask,
      past,
    });
    const a = g.add(x, weights.project(mixed, [`${block}.attn_output`])[0]!);
    made.push(keys, values);

    const normedAgain = g.rmsNorm(a, weights.gain(`${block}.ffn_norm`), normEpsilon);
    x = g.add(a, swiGlu(g, weights, block, normedAgain));
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
  const tempered = g.logSoftmax(g.mul(logProbabilities, g.input('inverseTemperature', 'float32', [L, 1])));
  g.output('temperedMaximum', g.reduceMax(tempered, -1));
}

/**
 * Grouped-query attention with rotary positions: softmax(Q·Kᵀ / √D) · V over prefix, suffix and the new tokens up to each
 * query's own. The prefix is the same for all rows, so its product is one matrix product per group for every row and head.
 * Vaswani et al. 2017 §3.2.1; Su et al. 2021, https://arxiv.org/abs/2104.09864
 */
function attention(
  g: GraphBuilder,
  config: Config,
  weights: Weights,
  block: string,
  x: Tensor, // [N·T, C]
  seen: { positions: Tensor; newMask: Tensor; suffixMask: Tensor; past: Past },
): { mixed: Tensor; keys: Tensor; values: Tensor } {
  const { nHead, nKvHead: G, headSize: D, ropeInterleaved } = config;
  const R = nHead / G;
  const rowsNew = multiplyDims(N, T);
  const queries = multiplyDims(T, R); // of one row in one group
  const { prefixKeys, prefixValues, suffixKeys, suffixValues } = seen.past;
  const scaled = { alpha: 1 / Math.sqrt(D), transB: true };

  const [q, k, v] = weights.project(x, [`${block}.attn_q`, `${block}.attn_k`, `${block}.attn_v`]);
  const rotate = (heads: Tensor, count: number) =>
    g.rotary(
      g.reshape(heads, [1, rowsNew, count * D]),
      seen.positions,
      weights.cos,
      weights.sin,
      count,
      ropeInterleaved,
    );
  const byGroup = (heads: Tensor) => g.transpose(g.reshape(heads, [N, T, G, D]), [2, 0, 1, 3]); // [G, N, T, D]
  const keys = byGroup(rotate(k!, G));
  const values = byGroup(v!);
  const grouped = g.transpose(g.reshape(rotate(q!, nHead), [rowsNew, G, R, D]), [1, 0, 2, 3]); // [G, N·T, R, D]
  const forPrefix = g.reshape(grouped, [G, multiplyDims(rowsNew, R), D]);
  const perRow = g.reshape(grouped, [G, N, queries, D]);

  const prefixScores = g.reshape(g.matMul(forPrefix, prefixKeys, scaled), [G, N, queries, P]);
  const suffixScores = g.add(g.matMul(perRow, suffixKeys, scaled), seen.suffixMask); // [G, N, T·R, S]
  const newScores = g.add(g.matMul(perRow, keys, scaled), seen.newMask); // [G, N, T·R, T]
  const shares = g.softmax(g.concat([prefixScores, suffixScores, newScores], -1));
  const [prefixShares, suffixShares, newShares] = g.split(shares, [P, S, T], -1);

  const fromPrefix = g.matMul(g.reshape(prefixShares!, [G, multiplyDims(rowsNew, R), P]), prefixValues);
  const own = g.add(g.matMul(suffixShares!, suffixValues), g.matMul(newShares!, values)); // [G, N, T·R, D]
  const summed = g.add(g.reshape(fromPrefix, [G, rowsNew, R, D]), g.reshape(own, [G, rowsNew, R, D]));
  return { mixed: g.reshape(g.transpose(summed, [1, 0, 2, 3]), [rowsNew, nHead * D]), keys, values };
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
