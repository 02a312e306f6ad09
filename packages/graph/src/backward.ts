import type { GraphBuilder, Node } from './builder.ts';
import { multiplyDims, sameShape, shapeText } from './dimension.ts';
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
  const swapped = new Map<string, Tensor>();
  const transposed = (matrix: Tensor): Tensor => {
    let tensor = swapped.get(matrix.name);
    if (tensor === undefined) {
      tensor = g.transpose(matrix, [1, 0]);
      swapped.set(matrix.name, tensor);
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
    const next = onlyConsumer(nodes, node, consumers);
    const gradient = next === null ? undefined : gradients.get(nodes[next]!.outputs[0]!.name);
    // A consumer of the same span has a copy too.
    const copied = next !== null && span !== undefined && next < span.to;
    const value = next === null ? null : (copied ? again.get(span)![next - span.from]! : nodes[next]!).outputs[0]!;
    const product = gradient === undefined || value === null ? null : { value, gradient };
    const dInputs = rule({ g, number, transposed, needs, product }, kept, dy);
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

function consumersOf(nodes: readonly Node[]): ReadonlyMap<string, readonly number[]> {
  const consumers = new Map<string, number[]>();
  for (const [at, { inputs }] of nodes.entries())
    for (const { name } of inputs) {
      const earlier = consumers.get(name);
      if (earlier === undefined) consumers.set(name, [at]);
      else earlier.push(at);
    }
  return consumers;
}

/** The place of the product y · B that alone uses the node's result y, row by row; null where there is no such. */
function onlyConsumer(
  nodes: readonly Node[],
  { outputs }: Node,
  consumers: ReadonlyMap<string, readonly number[]>,
): number | null {
  const y = outputs[0]!;
  const at = consumers.get(y.name) ?? [];
  const consumer = nodes[at[0] ?? -1];
  if (at.length !== 1 || consumer?.op.kind !== 'matMul') return null;
  const { transA, transBatchA, transBatchB } = consumer.op;
  const rows = consumer.outputs[0]!.shape.slice(0, -1);
  const plain = consumer.inputs[0]!.name === y.name && !transA && !transBatchA && !transBatchB;
  return plain && sameShape(rows, y.shape.slice(0, -1)) ? at[0]! : null;
}

/** Names of all tensors that are computed from one of `wrt`, these included. */
function dependents(nodes: readonly Node[], wrt: readonly Tensor[]): ReadonlySet<string> {
  const names = new Set(wrt.map(({ name }) => name));
  for (const { inputs, outputs } of nodes)
    if (inputs.some(({ name }) => names.has(name))) for (const { name } of outputs) names.add(name);
  return names;
}
