/**
 * The model as it is trained: whole sequences at once, every parameter an input, the loss and its gradients as results.
 * The formulas are those of `../model.ts`, without a past; a test holds the two against each other.
 *
 * Letters: B sequences, T tokens each, C nEmbd, H nHead, G nKvHead, R = H / G, D head size, F nFeedForward, V vocabulary.
 */
import { backward, type Graph, GraphBuilder, type Tensor } from '@lathe/graph';
import { NORM_EPSILON, parameterSpecs, ROPE_BASE, type TrainingConfig } from './training-config.ts';

export interface TrainingGraph {
  readonly graph: Graph;
  /** Inputs that hold dropout masks: [B·T, C] each, entries 0 or 1 / (1 − dropout). Empty without dropout. */
  readonly masks: readonly string[];
}

/**
 * Inputs: `tokens` int64 [B·T], `targets` int64 [B·T, 1], the masks, and every parameter by name. Results: `loss`, the mean
 * over tokens, in nats, smoothed where the config says so; with `gradients`, `d.<parameter>` for each parameter. Without
 * gradients there is no dropout and no smoothing: the loss is the plain cross entropy that validation reports.
 */
export function trainingGraph(config: TrainingConfig, batchSize: number, gradients: boolean): TrainingGraph {
  const g = new GraphBuilder();
  const { vocabSize: V, blockSize: T, nEmbd: C } = config;
  const rows = batchSize * T;
  const tokens = g.input('tokens', 'int64', [rows]);
  const targets = g.input('targets', 'int64', [rows, 1]);
  const specs = parameterSpecs(config);
  const parameters = new Map(specs.map(({ name, shape }) => [name, g.input(name, 'float32', shape)]));
  const masks: string[] = [];
  const drop = (x: Tensor): Tensor => {
    if (!gradients || config.dropout === 0) return x;
    const name = `mask.${masks.length}`;
    masks.push(name);
    return g.mul(x, g.input(name, 'float32', [rows, C]));
  };

  const model = new Forward(g, config, batchSize, parameters, drop);
  const logits = config.preset === 'llama' ? model.llama(tokens) : model.vaswani(tokens); // [B·T, V]
  const logProbabilities = g.logSoftmax(logits);
  // −log p(target), its mean over the tokens.
  let losses = g.mul(g.pick(logProbabilities, targets), g.scalar('minusOne', -1)); // [B·T, 1]
  if (gradients && config.labelSmoothing > 0) {
    // (1 − ε) · −log p(target) + ε · mean over the vocabulary of −log p. Szegedy et al. 2016 §7
    const spread = g.mul(g.reduceSum(logProbabilities, -1), g.scalar('minusShare', -config.labelSmoothing / V));
    losses = g.add(g.mul(losses, g.scalar('rest', 1 - config.labelSmoothing)), spread);
  }
  const loss = g.reduceMean(losses, 0); // [1, 1]
  g.output('loss', loss);
  if (gradients) {
    const wrt = specs.map(({ name }) => parameters.get(name)!);
    backward(g, loss, wrt).forEach((gradient, i) => {
      g.output(`d.${specs[i]!.name}`, gradient);
    });
  } else g.output('logits', logits);
  return { graph: g.build(), masks };
}

class Forward {
  readonly #g: GraphBuilder;
  readonly #config: TrainingConfig;
  readonly #batch: number;
  readonly #parameters: ReadonlyMap<string, Tensor>;
  readonly #drop: (x: Tensor) => Tensor;
  readonly #rotate: (x: Tensor, heads: number) => Tensor;
  readonly #causal: Tensor;

  constructor(
    g: GraphBuilder,
    config: TrainingConfig,
    batch: number,
    parameters: ReadonlyMap<string, Tensor>,
    drop: (x: Tensor) => Tensor,
  ) {
    this.#g = g;
    this.#config = config;
    this.#batch = batch;
    this.#parameters = parameters;
    this.#drop = drop;
    this.#rotate = rotation(g, config, batch);
    this.#causal = causalMask(g, config);
  }

  /** x⁰ = E[token]; a = x + Attention(RMSNorm(x)); x = a + SwiGLU(RMSNorm(a)); logits = RMSNorm(x) · Eᵀ */
  llama(tokens: Tensor): Tensor {
    const g = this.#g;
    let x = this.#drop(g.gather(this.#parameter('token_embd.weight'), tokens, 0)); // [B·T, C]
    for (let layer = 0; layer < this.#config.nLayer; layer++) {
      const block = `blk.${layer}`;
      const a = g.add(x, this.#drop(this.#attention(block, this.#rmsNorm(`${block}.attn_norm`, x), this.#rotate)));
      const normed = this.#rmsNorm(`${block}.ffn_norm`, a);
      const gated = g.mul(g.silu(this.#project(`${block}.ffn_gate`, normed)), this.#project(`${block}.ffn_up`, normed));
      x = g.add(a, this.#drop(this.#project(`${block}.ffn_down`, gated)));
    }
    return this.#project('token_embd', this.#rmsNorm('output_norm', x));
  }

  /** x⁰ = E[token] · √C + PE; a = LN(x + Attention(x)); x = LN(a + max(0, a·W₁ᵀ + b₁)·W₂ᵀ + b₂); logits = x · Eᵀ */
  vaswani(tokens: Tensor): Tensor {
    const g = this.#g;
    const { nEmbd, nLayer } = this.#config;
    const scaled = g.mul(
      g.gather(this.#parameter('token_embd.weight'), tokens, 0),
      g.scalar('embeddingScale', Math.sqrt(nEmbd)),
    );
    let x = this.#drop(g.add(scaled, this.#positionTable()));
    const zero = g.scalar('zero', 0);
    for (let layer = 0; layer < nLayer; layer++) {
      const block = `blk.${layer}`;
      const a = this.#layerNorm(
        `${block}.attn_norm`,
        g.add(x, this.#drop(this.#attention(block, x, (heads) => heads))),
      );
      const inner = g.max(g.add(this.#project(`${block}.ffn_up`, a), this.#parameter(`${block}.ffn_up.bias`)), zero);
      const fed = g.add(this.#project(`${block}.ffn_down`, inner), this.#parameter(`${block}.ffn_down.bias`));
      x = this.#layerNorm(`${block}.ffn_norm`, g.add(a, this.#drop(fed)));
    }
    return this.#project('token_embd', x);
  }

  /** softmax(Q·Kᵀ / √D + causal) · V · Woᵀ, query heads in groups that share keys and values. [B·T, C] → [B·T, C] */
  #attention(block: string, x: Tensor, rotate: (x: Tensor, heads: number) => Tensor): Tensor {
    const g = this.#g;
    const { nHead: H, nKvHead: G, nEmbd: C, blockSize: T } = this.#config;
    const [B, R, D] = [this.#batch, H / G, C / H];
    const q = rotate(this.#project(`${block}.attn_q`, x), H);
    const k = rotate(this.#project(`${block}.attn_k`, x), G);
    const v = this.#project(`${block}.attn_v`, x);
    const queries = g.reshape(g.transpose(g.reshape(q, [B, T, G, R, D]), [0, 2, 3, 1, 4]), [B * G, R * T, D]);
    const byGroup = (heads: Tensor) =>
      g.reshape(g.transpose(g.reshape(heads, [B, T, G, D]), [0, 2, 1, 3]), [B * G, T, D]);
    const scores = g.matMul(queries, byGroup(k), { alpha: 1 / Math.sqrt(D), transB: true }); // [B·G, R·T, T]
    const mixed = g.matMul(g.softmax(g.add(scores, this.#causal)), byGroup(v)); // [B·G, R·T, D]
    const together = g.transpose(g.reshape(mixed, [B, G, R, T, D]), [0, 3, 1, 2, 4]);
    return this.#project(`${block}.attn_output`, g.reshape(together, [B * T, C]));
  }

  #project(name: string, x: Tensor): Tensor {
    return this.#g.matMul(x, this.#parameter(`${name}.weight`), { transB: true });
  }

  #rmsNorm(name: string, x: Tensor): Tensor {
    return this.#g.rmsNorm(x, this.#parameter(`${name}.weight`), NORM_EPSILON);
  }

  #layerNorm(name: string, x: Tensor): Tensor {
    return this.#g.layerNorm(x, this.#parameter(`${name}.weight`), this.#parameter(`${name}.bias`), NORM_EPSILON);
  }

  #parameter(name: string): Tensor {
    const tensor = this.#parameters.get(name);
    if (tensor === undefined) throw new Error(`internal: no parameter ${name}`);
    return tensor;
  }

  /** PE(t, 2i) = sin(t / 10000^(2i/C)), PE(t, 2i+1) = cos(the same), for every sequence: [B·T, C]. Vaswani et al. 2017 §3.5 */
  #positionTable(): Tensor {
    const { blockSize: T, nEmbd: C } = this.#config;
    const table = new Float32Array(this.#batch * T * C);
    for (let row = 0; row < this.#batch * T; row++)
      for (let c = 0; c < C; c++) {
        const angle = (row % T) / 10_000 ** ((c - (c % 2)) / C);
        table[row * C + c] = c % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
      }
    return this.#g.constant('positionTable', 'float32', [this.#batch * T, C], table);
  }
}

/** Rotary positions on neighbouring pairs, as llama files have them. [B·T, heads · D] → the same. */
function rotation(g: GraphBuilder, config: TrainingConfig, batch: number): (x: Tensor, heads: number) => Tensor {
  if (config.preset !== 'llama') return (x) => x;
  const { blockSize: T, nEmbd, nHead } = config;
  const half = nEmbd / nHead / 2;
  const angle = (i: number) => Math.floor(i / half) * ROPE_BASE ** (-(i % half) / half);
  const cos = g.constant(
    'cos',
    'float32',
    [T, half],
    Float32Array.from({ length: T * half }, (_, i) => Math.cos(angle(i))),
  );
  const sin = g.constant(
    'sin',
    'float32',
    [T, half],
    Float32Array.from({ length: T * half }, (_, i) => Math.sin(angle(i))),
  );
  const positions = g.constant(
    'positions',
    'int64',
    [batch, T],
    BigInt64Array.from({ length: batch * T }, (_, i) => BigInt(i % T)),
  );
  return (x, heads) => {
    const width = heads * 2 * half;
    return g.reshape(g.rotary(g.reshape(x, [batch, T, width]), positions, cos, sin, heads, true), [batch * T, width]);
  };
}

/** [R·T, T]: 0 where the query of token t may see token t' ≤ t, else −10⁹, which is 0 after the softmax and keeps gradients finite. */
function causalMask(g: GraphBuilder, { blockSize: T, nHead, nKvHead }: TrainingConfig): Tensor {
  const R = nHead / nKvHead;
  const mask = new Float32Array(R * T * T);
  for (let row = 0; row < R * T; row++) mask.fill(-1e9, row * T + (row % T) + 1, (row + 1) * T);
  return g.constant('causal', 'float32', [R * T, T], mask);
}
