/**
 * The model as it is trained: whole sequences at once, every parameter an input, the loss and its gradients as results.
 * The formulas are those of `../model.ts`, without a past; a test holds the two against each other.
 *
 * Letters: B sequences, T tokens each, C nEmbd, H nHead, G nKvHead, R = H / G, D head size, F nFeedForward, V vocabulary.
 */
import { backward, type Graph, GraphBuilder, type Span, type Tensor } from '@lathe/graph';
import { rotaryTables } from '../model.ts';
import { NORM_EPSILON, parameterSpecs, ROPE_BASE, type TrainingConfig } from './training-config.ts';

export interface TrainingGraph {
  readonly graph: Graph;
  /** Inputs that hold dropout masks, entries 0 or 1 / (1 − dropout). Empty without dropout. */
  readonly masks: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/**
 * Inputs: `tokens` int64 [B·T], `targets` int64 [B·T, 1], the masks, and every parameter by name. Results: `loss`, the mean
 * over tokens, in nats, smoothed where the config says so; with `gradients`, those of `outputGradients`. Without
 * gradients there is no dropout and no smoothing: the loss is the plain cross entropy that validation reports.
 */
export function trainingGraph(
  config: TrainingConfig,
  batchSize: number,
  gradients: boolean,
  recompute = false,
): TrainingGraph {
  const g = new GraphBuilder();
  const { blockSize: T, nEmbd, nHead } = config;
  const specs = parameterSpecs(config);
  const parameters = new Map(specs.map(({ name, shape }) => [name, g.input(name, 'float32', shape)]));
  const parameter = (name: string): Tensor => {
    const tensor = parameters.get(name);
    if (tensor === undefined) throw new Error(`internal: no parameter ${name}`);
    return tensor;
  };
  const dropout = new Dropout(g, gradients ? config.dropout : 0);
  const headSize = nEmbd / nHead;
  const sizes: ForwardSizes = {
    ...config,
    headSize,
    normEpsilon: NORM_EPSILON,
    rotary:
      config.preset === 'llama'
        ? { ...rotaryTables({ headSize, ropeBase: ROPE_BASE, ropeScale: 1 }, T, null), interleaved: true }
        : null,
  };
  const model = new Forward(g, sizes, batchSize, {
    embed: (tokens) => g.gather(parameter('token_embd.weight'), tokens, 0),
    project: (x, name) => g.matMul(x, parameter(`${name}.weight`), { transB: true }),
    gain: (name) => parameter(`${name}.weight`),
    bias: (name) => parameter(`${name}.bias`),
    drop: (x) => dropout.of(x),
    // As nanoGPT does. The paper drops the parts' results and the embedding alone (§5.4).
    dropShares: (shares) => (config.preset === 'llama' ? dropout.of(shares) : shares),
  });
  const tokens = g.input('tokens', 'int64', [batchSize * T]);
  const logits = config.preset === 'llama' ? model.llama(tokens) : model.vaswani(tokens); // [B·T, V]
  const loss = crossEntropy(g, logits, gradients ? config.labelSmoothing : 0);
  if (gradients) outputGradients(g, loss, parameters, recompute ? model.blocks : []);
  else g.output('logits', logits);
  return { graph: g.build(), masks: dropout.masks };
}

/** Adds the results `d.<name>` of each trained tensor, and `squares` [count, 1]: the sum of each gradient's squares, in their order. */
export function outputGradients(
  g: GraphBuilder,
  loss: Tensor,
  trained: ReadonlyMap<string, Tensor>,
  recompute: readonly Span[],
): void {
  const gradients = backward(g, loss, [...trained.values()], recompute);
  const squares = gradients.map((gradient) => {
    const rows = g.reduceSumSquare(gradient, -1);
    return g.reshape(rows.shape.length === 1 ? rows : g.reduceSum(rows, 0), [1, 1]);
  });
  g.output('squares', g.concat(squares, 0));
  for (const [i, name] of [...trained.keys()].entries()) g.output(`d.${name}`, gradients[i]!);
}

/** Adds the input `targets` int64 [rows, 1] and the result `loss` [1, 1]: the mean of −log p(target), in nats, over logits [rows, V]. */
export function crossEntropy(g: GraphBuilder, logits: Tensor, smoothing: number): Tensor {
  const [rows, V] = logits.shape as readonly [number, number];
  const logProbabilities = g.logSoftmax(logits);
  const targets = g.input('targets', 'int64', [rows, 1]);
  let losses = g.mul(g.pick(logProbabilities, targets), g.scalar('minusOne', -1)); // [B·T, 1]
  if (smoothing > 0) {
    // (1 − ε) · −log p + ε · mean over the vocabulary of −log p. Szegedy et al. 2016 §7
    const spread = g.mul(g.reduceSum(logProbabilities, -1), g.scalar('minusShare', -smoothing / V));
    losses = g.add(g.mul(losses, g.scalar('rest', 1 - smoothing)), spread);
  }
  const loss = g.reduceMean(losses, 0);
  g.output('loss', loss);
  return loss;
}

/** Multiplies with masks that are inputs of the graph, so that what is dropped is drawn outside. */
export class Dropout {
  readonly masks: { name: string; shape: readonly number[] }[] = [];
  readonly #g: GraphBuilder;
  readonly #share: number;

  constructor(g: GraphBuilder, share: number) {
    this.#g = g;
    this.#share = share;
  }

  of(x: Tensor): Tensor {
    if (this.#share === 0) return x;
    const name = `mask.${this.masks.length}`;
    const shape = x.shape as readonly number[];
    this.masks.push({ name, shape });
    return this.#g.mul(x, this.#g.input(name, 'float32', shape));
  }
}

/** What the formulas need to know of a model's sizes. */
export interface ForwardSizes {
  readonly nLayer: number;
  readonly nHead: number;
  readonly nKvHead: number;
  readonly headSize: number;
  readonly nEmbd: number;
  /** Tokens of a sequence. */
  readonly blockSize: number;
  readonly normEpsilon: number;
  /** Tables [T, D/2] of the rotary positions; null where positions are added to the embedding. */
  readonly rotary: { readonly cos: Float32Array; readonly sin: Float32Array; readonly interleaved: boolean } | null;
}

/** The learned parts, by their names in a GGUF file without `.weight`. */
export interface ForwardParts {
  /** Rows of the embedding: int64 [rows] → [rows, C]. */
  embed(tokens: Tensor): Tensor;
  /** x · Wᵀ, with its bias where today's block has one. */
  project(x: Tensor, name: string): Tensor;
  gain(name: string): Tensor;
  bias(name: string): Tensor;
  drop(x: Tensor): Tensor;
  /** Dropout of attention's probabilities. */
  dropShares(shares: Tensor): Tensor;
}

/** The decoder over whole sequences: B sequences of T tokens, row b·T + t of every matrix is token t of sequence b. */
export class Forward {
  readonly #g: GraphBuilder;
  readonly #sizes: ForwardSizes;
  readonly #batch: number;
  readonly #parts: ForwardParts;
  readonly #rotate: (x: Tensor, heads: number) => Tensor;
  readonly #causal: readonly CausalBlock[];
  readonly #blocks: Span[] = [];

  constructor(g: GraphBuilder, sizes: ForwardSizes, batch: number, parts: ForwardParts) {
    this.#g = g;
    this.#sizes = sizes;
    this.#batch = batch;
    this.#parts = parts;
    this.#rotate = rotation(g, sizes, batch);
    this.#causal = causalBlocks(g, sizes);
  }

  /** The nodes of each block that has been built. */
  get blocks(): readonly Span[] {
    return this.#blocks;
  }

  /** x⁰ = E[token]; a = x + Attention(RMSNorm(x)); x = a + SwiGLU(RMSNorm(a)); logits = RMSNorm(x) · Wᵀ, W = E where tied */
  llama(tokens: Tensor, output = 'token_embd'): Tensor {
    const g = this.#g;
    const { embed, project, drop } = this.#parts;
    let x = drop(embed(tokens)); // [B·T, C]
    for (let layer = 0; layer < this.#sizes.nLayer; layer++) {
      const block = `blk.${layer}`;
      const from = g.nodeCount;
      const a = g.add(x, drop(this.#attention(block, this.#rmsNorm(`${block}.attn_norm`, x))));
      const normed = this.#rmsNorm(`${block}.ffn_norm`, a);
      const gated = g.mul(g.silu(project(normed, `${block}.ffn_gate`)), project(normed, `${block}.ffn_up`));
      x = g.add(a, drop(project(gated, `${block}.ffn_down`)));
      this.#blocks.push({ from, to: g.nodeCount });
    }
    return project(this.#rmsNorm('output_norm', x), output);
  }

  /** x⁰ = E[token] · √C + PE; a = LN(x + Attention(x)); x = LN(a + max(0, a·W₁ᵀ + b₁)·W₂ᵀ + b₂); logits = x · Eᵀ */
  vaswani(tokens: Tensor): Tensor {
    const g = this.#g;
    const { embed, project, bias, drop } = this.#parts;
    const { nEmbd, nLayer } = this.#sizes;
    const scaled = g.mul(embed(tokens), g.scalar('embeddingScale', Math.sqrt(nEmbd)));
    const { blockSize: T } = this.#sizes;
    const placed = g.add(g.reshape(scaled, [this.#batch, T, nEmbd]), this.#positionTable());
    let x = drop(g.reshape(placed, [this.#batch * T, nEmbd]));
    const zero = g.scalar('zero', 0);
    for (let layer = 0; layer < nLayer; layer++) {
      const block = `blk.${layer}`;
      const from = g.nodeCount;
      const a = this.#layerNorm(`${block}.attn_norm`, g.add(x, drop(this.#attention(block, x))));
      const inner = g.max(g.add(project(a, `${block}.ffn_up`), bias(`${block}.ffn_up`)), zero);
      const fed = g.add(project(inner, `${block}.ffn_down`), bias(`${block}.ffn_down`));
      x = this.#layerNorm(`${block}.ffn_norm`, g.add(a, drop(fed)));
      this.#blocks.push({ from, to: g.nodeCount });
    }
    return project(x, 'token_embd');
  }

  /**
   * softmax(Q·Kᵀ / √D + causal) · V · Woᵀ, query heads in groups that share keys and values. Queries go in blocks that meet
   * no key behind their last, so that most of what the mask would hide is not computed. [B·T, C] → [B·T, C]
   */
  #attention(block: string, x: Tensor): Tensor {
    const g = this.#g;
    const { project, dropShares } = this.#parts;
    const { nHead: H, nKvHead: G, headSize: D, blockSize: T } = this.#sizes;
    const [B, R] = [this.#batch, H / G];
    const q = this.#rotate(project(x, `${block}.attn_q`), H);
    const k = this.#rotate(project(x, `${block}.attn_k`), G);
    const v = project(x, `${block}.attn_v`);
    // In four dimensions: the runtime takes twice as long for five.
    const byHead = (rows: Tensor, heads: number) => g.transpose(g.reshape(rows, [B, T, heads, D]), [0, 2, 1, 3]);
    const queries = g.reshape(byHead(q, H), [B, G, R, T, D]);
    const byGroup = (rows: Tensor) => g.reshape(byHead(rows, G), [B * G, T, D]);
    const lengths = this.#causal.map(({ length }) => length);
    const keys = prefixes(g, byGroup(k), lengths);
    const values = prefixes(g, byGroup(v), lengths);
    const mixed = parts(g, queries, lengths, 3).map((own, i) => {
      const { length, mask } = this.#causal[i]!;
      const rows = g.reshape(own, [B * G, R * length, D]);
      const scores = g.matMul(rows, keys[i]!, { alpha: 1 / Math.sqrt(D), transB: true }); // [B·G, R·length, end]
      const shares = dropShares(g.softmax(g.add(scores, mask)));
      return g.reshape(g.matMul(shares, values[i]!), [B, G, R, length, D]);
    });
    const together = g.reshape(mixed.length === 1 ? mixed[0]! : g.concat(mixed, 3), [B, H, T, D]);
    return project(g.reshape(g.transpose(together, [0, 2, 1, 3]), [B * T, H * D]), `${block}.attn_output`);
  }

  #rmsNorm(name: string, x: Tensor): Tensor {
    return this.#g.rmsNorm(x, this.#parts.gain(name), this.#sizes.normEpsilon);
  }

  #layerNorm(name: string, x: Tensor): Tensor {
    return this.#g.layerNorm(x, this.#parts.gain(name), this.#parts.bias(name), this.#sizes.normEpsilon);
  }

  /** PE(t, 2i) = sin(t / 10000^(2i/C)), PE(t, 2i+1) = cos(the same): [T, C]. Vaswani et al. 2017 §3.5 */
  #positionTable(): Tensor {
    const { blockSize: T, nEmbd: C } = this.#sizes;
    const table = new Float32Array(T * C);
    for (let t = 0; t < T; t++)
      for (let c = 0; c < C; c++) {
        const angle = t / 10_000 ** ((c - (c % 2)) / C);
        table[t * C + c] = c % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
      }
    return this.#g.constant('positionTable', 'float32', [T, C], table);
  }
}

/** Rotary positions. [B·T, heads · D] → the same; the identity where there are none. */
function rotation(g: GraphBuilder, sizes: ForwardSizes, batch: number): (x: Tensor, heads: number) => Tensor {
  const { rotary, blockSize: T, headSize: D } = sizes;
  if (rotary === null) return (x) => x;
  const cos = g.constant('cos', 'float32', [T, D / 2], rotary.cos);
  const sin = g.constant('sin', 'float32', [T, D / 2], rotary.sin);
  const positions = g.constant(
    'positions',
    'int64',
    [batch, T],
    BigInt64Array.from({ length: batch * T }, (_, i) => BigInt(i % T)),
  );
  return (x, heads) => {
    const grouped = g.reshape(x, [batch, T, heads * D]);
    return g.reshape(g.rotary(grouped, positions, cos, sin, heads, rotary.interleaved), [batch * T, heads * D]);
  };
}

interface CausalBlock {
  readonly length: number;
  /** [R · length, tokens up to the block's end]: 0 where a query may see a key, else −10⁹, which keeps gradients finite. */
  readonly mask: Tensor;
}

const CAUSAL_BLOCKS = 2;

function causalBlocks(g: GraphBuilder, { blockSize: T, nHead, nKvHead }: ForwardSizes): readonly CausalBlock[] {
  const R = nHead / nKvHead;
  const count = T < 2 * CAUSAL_BLOCKS ? 1 : CAUSAL_BLOCKS;
  return Array.from({ length: count }, (_, i): CausalBlock => {
    const start = Math.floor((i * T) / count);
    const end = Math.floor(((i + 1) * T) / count);
    const length = end - start;
    const mask = new Float32Array(R * length * end);
    for (let row = 0; row < R * length; row++) mask.fill(-1e9, row * end + start + (row % length) + 1, (row + 1) * end);
    return { length, mask: g.constant(`causal.${i}`, 'float32', [R * length, end], mask) };
  });
}

function parts(g: GraphBuilder, x: Tensor, lengths: readonly number[], axis: number): readonly Tensor[] {
  return lengths.length === 1 ? [x] : g.split(x, lengths, axis);
}

/** x up to the end of each part: [B·G, T, D] → [B·G, end, D] each. */
function prefixes(g: GraphBuilder, x: Tensor, lengths: readonly number[]): readonly Tensor[] {
  const pieces = parts(g, x, lengths, 1);
  return pieces.map((piece, i) => {
    if (i === pieces.length - 1) return x;
    return i === 0 ? piece : g.concat(pieces.slice(0, i + 1), 1);
  });
}
