import type { GraphBuilder, Node } from './builder.ts';
import { multiplyDims } from './dimension.ts';
import type { Tensor } from './tensor.ts';

/** Nodes by their place in the graph: from `from` up to, not with, `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The nodes of a span once more, computed from what enters it, when `gradient` is there and not earlier: what enters is
 * multiplied with 1 + 0 · gradient. The product orders the two and keeps the runtime, which merges equal nodes, from
 * taking the second for the first. A node that nothing of that enters (numbers unpacked from what is frozen) would be the
 * first one all the same: its first f32 input is multiplied too. Of the copies only those that a gradient uses are written.
 */
export function recomputed(
  g: GraphBuilder,
  nodes: readonly Node[],
  { from, to }: Span,
  dependent: ReadonlySet<string>,
  gradient: Tensor,
  number: (value: number) => Tensor,
): readonly Node[] {
  const produced = new Set(nodes.slice(0, from).flatMap(({ outputs }) => outputs.map(({ name }) => name)));
  const flat = g.reshape(gradient, [multiplyDims(...gradient.shape)]);
  const first = g.gather(flat, g.constant(`recompute.${from}`, 'int64', [1], new BigInt64Array(1)), 0);
  const one = g.add(g.mul(first, number(0)), number(1));
  const copies = new Map<string, Tensor>();
  const held = (tensor: Tensor): Tensor => {
    const copy = copies.get(tensor.name) ?? g.mul(tensor, one);
    copies.set(tensor.name, copy);
    return copy;
  };
  const entered = (tensor: Tensor): Tensor =>
    copies.get(tensor.name) ?? (produced.has(tensor.name) && dependent.has(tensor.name) ? held(tensor) : tensor);
  return nodes.slice(from, to).map(({ op, inputs, outputs }) => {
    let copied = inputs.map(entered);
    if (copied.every((tensor, i) => tensor === inputs[i])) {
      const first = inputs.findIndex(({ dataType }) => dataType === 'float32');
      copied = inputs.map((tensor, i) => (i === first ? held(tensor) : tensor));
    }
    const made = g.apply(op, copied);
    for (const [i, { name }] of outputs.entries()) copies.set(name, made[i]!);
    return { op, inputs: copied, outputs: made };
  });
}
