/**
 * A base with adapters as it is trained: h = x · W₀ᵀ + (alpha / rank) · (drop(x) · Aᵀ) · Bᵀ for every adapted matrix. Hu et al.
 * 2021, https://arxiv.org/abs/2106.09685, §4.1. The base's matrices are inputs that no gradient is asked for: gradients pass
 * through them (dx = dy · W₀) and end at the adapters. As inputs they are read where they lie, one copy for training and
 * validation; as constants the runtime would lay out a copy for each product, forward and backward. One in blocks is
 * unpacked for the product, forgotten, and unpacked again for dx.
 */
import { GraphBuilder, type Span, type Tensor, type Value } from '@lathe/graph';
import { rotaryTables } from '../../model.ts';
import type { GraphShape, Trainable } from '../trainable.ts';
import { crossEntropy, Dropout, Forward, outputGradients, type TrainingGraph } from '../training-graph.ts';
import type { Base } from './base.ts';
import { frozenTensor, frozenValues } from './frozen-matrix.ts';
import {
  adaptersOf,
  checkLoraOptions,
  LORA_MODULES,
  type LoraConfig,
  type LoraOptions,
  loraSpecs,
} from './lora-config.ts';

/** Throws `TrainError` where the options do not fit. */
export function loraConfig(base: Base, options: LoraOptions, blockSize: number): LoraConfig {
  checkLoraOptions(base.config, options, blockSize);
  const { nLayer, nHead, nKvHead, headSize, nEmbd, nFeedForward, vocabSize } = base.config;
  const { rank, alpha, modules, dropout } = options;
  return {
    preset: 'lora',
    base: base.sha256,
    rank,
    alpha,
    modules: Object.keys(LORA_MODULES)
      .filter((name) => (modules as readonly string[]).includes(name))
      .join(','),
    dropout,
    blockSize,
    vocabSize,
    nLayer,
    nHead,
    nKvHead,
    headSize,
    nEmbd,
    nFeedForward,
  };
}

/** The adapters of `config` on `base`, for a trainer. */
export function adapters(base: Base, config: LoraConfig): Trainable {
  const frozen: Record<string, Value> = {};
  for (const [name, matrix] of base.matrices) Object.assign(frozen, frozenValues(name, matrix));
  for (const [name, data] of base.vectors) frozen[name] = { dataType: 'float32', dims: [data.length], data };
  return {
    config,
    specs: loraSpecs(config),
    frozen,
    graph: (shape) => loraGraph(base, { ...config, blockSize: shape.blockSize ?? config.blockSize }, shape),
  };
}

/** Inputs and results as those of `trainingGraph`, with the base's matrices and vectors as further inputs. */
function loraGraph(base: Base, config: LoraConfig, { batchSize, gradients, recompute }: GraphShape): TrainingGraph {
  const g = new GraphBuilder();
  const { blockSize: T, rank, alpha } = config;
  const matrices = new Map([...base.matrices].map(([name, matrix]) => [name, frozenTensor(g, name, matrix)]));
  const vectors = new Map([...base.vectors].map(([name, { length }]) => [name, g.input(name, 'float32', [length])]));
  const specs = loraSpecs(config);
  const trained = new Map(specs.map(({ name, shape }) => [name, g.input(name, 'float32', shape)]));
  const adapted = new Set(adaptersOf(config).map(({ matrix }) => matrix));
  const scale = g.scalar('scale', alpha / rank);
  const dropout = new Dropout(g, gradients ? config.dropout : 0);
  // Matrices with one input share its mask.
  const dropped = new Map<Tensor, Tensor>();
  const inputOf = (x: Tensor): Tensor => {
    const kept = dropped.get(x) ?? dropout.of(x);
    dropped.set(x, kept);
    return kept;
  };

  const products: Span[] = [];
  const project = (x: Tensor, name: string): Tensor => {
    const from = g.nodeCount;
    const product = g.matMul(x, matrices.get(name)!.whole(), { transB: true });
    products.push({ from, to: g.nodeCount });
    const bias = vectors.get(`${name}.bias`);
    const y = bias === undefined ? product : g.add(product, bias);
    if (!adapted.has(name)) return y;
    const low = g.matMul(inputOf(x), trained.get(`${name}.lora_A`)!, { transB: true }); // [B·T, rank]
    return g.add(y, g.matMul(g.mul(low, scale), trained.get(`${name}.lora_B`)!, { transB: true }));
  };
  const model = new Forward(
    g,
    {
      ...base.config,
      blockSize: T,
      rotary: { ...rotaryTables(base.config, T, base.ropeFactors), interleaved: base.config.ropeInterleaved },
    },
    batchSize,
    {
      embed: (tokens) => matrices.get('token_embd')!.rows(tokens),
      project,
      gain: (name) => vectors.get(`${name}.weight`)!,
      bias: (name) => vectors.get(`${name}.bias`)!,
      drop: (x) => x,
      dropShares: (shares) => shares,
    },
  );
  const tokens = g.input('tokens', 'int64', [batchSize * T]);
  const logits = model.llama(tokens, base.config.tiedOutput ? 'token_embd' : 'output');
  const loss = crossEntropy(g, logits, 0);
  // Of a span that is a product alone nothing is computed again.
  const again = recompute ? [...model.blocks, products.at(-1)!] : products;
  if (gradients) outputGradients(g, loss, trained, again);
  else g.output('logits', logits);
  return { graph: g.build(), masks: dropout.masks };
}
