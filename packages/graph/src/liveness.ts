import type { Graph, Node } from './builder.ts';
import type { Tensor } from './tensor.ts';

const BYTES = { float32: 4, int8: 1, uint8: 1, int32: 4, int64: 8, bool: 1 } as const;

/** The nodes that a result depends on, in their order. */
export function liveNodes(graph: Graph): readonly Node[] {
  const needed = new Set(graph.outputs.map(({ tensor }) => tensor.name));
  const live: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some(({ name }) => needed.has(name))) continue;
    for (const { name } of node.inputs) needed.add(name);
    live.push(node);
  }
  return live.reverse();
}

/**
 * The most bytes that intermediate values and results take at once where nodes run in their order, each value lives from
 * its node to its last use, and a reshape shares its operand's memory. Of inputs and constants nothing is counted. A
 * runtime needs a tenth or so more, for what does not fit together. Every size must be a number.
 */
export function peakBytes(graph: Graph): number {
  const nodes = liveNodes(graph);
  const shared = new Map<string, string>();
  const owner = (name: string): string => shared.get(name) ?? name;
  for (const { op, inputs, outputs } of nodes)
    if (op.kind === 'reshape') shared.set(outputs[0]!.name, owner(inputs[0]!.name));
  const lastUse = new Map<string, number>();
  for (const [at, { inputs, outputs }] of nodes.entries())
    for (const { name } of [...inputs, ...outputs]) lastUse.set(owner(name), at);
  for (const { tensor } of graph.outputs) lastUse.set(owner(tensor.name), nodes.length);

  const ending = new Map<number, number>();
  let [held, peak] = [0, 0];
  for (const [at, { op, outputs }] of nodes.entries()) {
    for (const output of op.kind === 'reshape' ? [] : outputs) {
      const bytes = bytesOf(output);
      held += bytes;
      const end = lastUse.get(output.name)!;
      ending.set(end, (ending.get(end) ?? 0) + bytes);
    }
    peak = Math.max(peak, held);
    held -= ending.get(at) ?? 0;
  }
  return peak;
}

function bytesOf({ name, dataType, shape }: Tensor): number {
  return shape.reduce<number>((product, dim) => {
    if (typeof dim !== 'number') throw new Error(`internal: expected ${name} with known sizes`);
    return product * dim;
  }, BYTES[dataType]);
}
