import type { GraphBuilder, Node } from './builder.ts';
import { multiplyDims, shapeText } from './dimension.ts';
import { type ForwardNode, GRADIENTS, type GradientContext } from './gradients.ts';
import { GraphError } from './graph-error.ts';
import type { Op } from './op.ts';
import { recomputed, type Span } from './recompute.ts';
import type { Tensor } from './tensor.ts';

/**
 * Reverse-mode differentiation: adds to the builder the nodes that compute ∂loss/∂t for each t of `wrt`, in their order.
 * Every node built so far is visited once, from the last to the first; gradients that meet in one tensor are added.
 *
 * `recompute`: spans of nodes, apart from each other and in order, whose results are computed a second time when the
 * gradient arrives there instead of being kept until then (Chen et al. 2016, https://arxiv.org/abs/1604.06174). The
 * gradients are the same to the bit.
 *
 * Throws `GraphError` where the loss is not a single number, where it does not depend on one of `wrt`, or where a
 * gradient would have to pass an op that has none.
 */
export function backward(
  g: GraphBuilder,
  loss: Tensor,
  wrt: readonly Tensor[],
  recompute: readonly Span[] = [],
): readonly Tensor[] {
  if (multiplyDims(...loss.shape) !== 1)
    throw new GraphError('LATHE_GRAPH_GRADIENT', `expected a loss of one number, got ${shapeText(loss.shape)}`);
  const nodes = [...g.build().nodes];
  const dependent = dependents(nodes, wrt);
  const consumers = consumersOf(nodes);
  const numbers = new Map<number, Tensor>();
  const number = (value: number): Tensor => {
    let tensor = numbers.get(value);
    if (tensor === undefined) {
      tensor = g.scalar(`${loss.name}.gradient.${value}`, value);
      numbers.set(value, tensor);
    }
    return tensor;
  };

  const gradients = new Map<string, Tensor>([[loss.name, g.expand(number(1), loss.shape)]]);
  const again = new Map<Span, readonly Node[]>();
  for (const [at, node] of [...nodes.entries()].reverse()) {
    const dy = node.outputs.map(({ name }) => gradients.get(name) ?? null);
    if (dy.every((gradient) => gradient === null)) continue;
    const needs = node.inputs.map(({ name }) => dependent.has(name));
    if (!needs.includes(true)) continue;
    // The table's entry and the op agree by `kind`, which the compiler cannot follow through an index.
    const rule = GRADIENTS[node.op.kind] as (
      context: GradientContext,
      node: ForwardNode<Op>,
      dy: readonly (Tensor | null)[],
    ) => readonly (Tensor | null)[];
    const span = recompute.find(({ from, to }) => at >= from && at < to);
    if (span !== undefined && !again.has(span))
      again.set(span, recomputed(g, nodes, span, dependent, dy.find((gradient) => gradient !== null)!, number));
    const kept = span === undefined ? node : again.get(span)![at - span.from]!;
    const dInputs = rule({ g, number, needs, product: productOf(node, consumers, gradients) }, kept, dy);
    for (const [i, { name }] of node.inputs.entries()) {
      const gradient = dInputs[i];
      if (!needs[i] || gradient === null || gradient === undefined) continue;
      const earlier = gradients.get(name);
      gradients.set(name, earlier === undefined ? gradient : g.add(earlier, gradient));
    }
  }
  return wrt.map(({ name }) => {
    const gradient = gradients.get(name);
    if (gradient === undefined)
      throw new GraphError('LATHE_GRAPH_GRADIENT', `expected the loss to depend on ${name}, but it does not`);
    return gradient;
  });
}

function consumersOf(nodes: readonly Node[]): ReadonlyMap<string, readonly Node[]> {
  const consumers = new Map<string, Node[]>();
  for (const node of nodes)
    for (const { name } of node.inputs) consumers.set(name, [...(consumers.get(name) ?? []), node]);
  return consumers;
}

function productOf(
  { outputs }: Node,
  consumers: ReadonlyMap<string, readonly Node[]>,
  gradients: ReadonlyMap<string, Tensor>,
): GradientContext['product'] {
  const name = outputs[0]!.name;
  const [consumer, ...others] = consumers.get(name) ?? [];
  if (consumer?.op.kind !== 'matMul' || others.length > 0) return null;
  const { alpha, transA, transBatchA, transBatchB } = consumer.op;
  const [left, right] = consumer.inputs;
  // alpha would count in the gradient and in the product.
  if (left!.name !== name || right!.name === name || alpha !== 1 || transA || transBatchA || transBatchB) return null;
  const value = consumer.outputs[0]!;
  const gradient = gradients.get(value.name);
  return gradient === undefined ? null : { value, gradient };
}

/** Names of all tensors that are computed from one of `wrt`, these included. */
function dependents(nodes: readonly Node[], wrt: readonly Tensor[]): ReadonlySet<string> {
  const names = new Set(wrt.map(({ name }) => name));
  for (const { inputs, outputs } of nodes)
    if (inputs.some(({ name }) => names.has(name))) for (const { name } of outputs) names.add(name);
  return names;
}
