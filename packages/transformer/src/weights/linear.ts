/**
 * Linear layers y = x · Wᵀ (+ b) in the precisions that add no rounding of their own to the weights.
 */
import type { GraphBuilder, Tensor } from '@lathe/graph';
import { type BlockType, isBlockType, packedZeroPoints, repack } from './blocks.ts';
import { dequantise } from './dequantise.ts';
import type { GgmlType } from './ggml-types.ts';

/** A matrix as the file stores it. */
export interface StoredMatrix {
  readonly name: string;
  readonly type: GgmlType;
  readonly bytes: Uint8Array;
  readonly outputs: number;
  readonly inputs: number;
  readonly bias: Tensor | null;
}

/** The left operand, with what several matrices need of it: made by the first, taken by the others. */
export interface Projector {
  readonly x: Tensor;
  readonly shared: Map<string, readonly Tensor[]>;
}

export type Linear = (projector: Projector) => Tensor;

export function shared(projector: Projector, key: string, make: () => readonly Tensor[]): readonly Tensor[] {
  const made = projector.shared.get(key) ?? make();
  projector.shared.set(key, made);
  return made;
}

export function withBias(g: GraphBuilder, y: Tensor, bias: Tensor | null): Tensor {
  return bias === null ? y : g.add(y, bias);
}

/** W as f32 [outputs, inputs]. */
export function f32Linear(g: GraphBuilder, { name, type, bytes, outputs, inputs, bias }: StoredMatrix): Linear {
  const weight = g.constant(name, 'float32', [outputs, inputs], dequantise(type, bytes));
  return ({ x }) => withBias(g, g.matMul(x, weight, { transB: true }), bias);
}

/**
 * W in its own blocks: MatMulNBits(x) + blockSums(x) · minimaᵀ, where blockSums(x)[m, b] sums x[m, ·] over block b.
 * Matrices that are not stored in blocks are f32, those in 8-bit blocks unless `packs8Bits`.
 */
export function exactLinear(g: GraphBuilder, matrix: StoredMatrix, packs8Bits: boolean): Linear {
  const { name, type, bytes, outputs, inputs, bias } = matrix;
  if (!isBlockType(type)) return f32Linear(g, matrix);
  const blocks = repack(type as BlockType, bytes, outputs, inputs);
  // With f32 activations the CPU kernel multiplies 4-bit blocks directly, but unpacks 8-bit ones whole at every call.
  if (blocks.bits === 8 && !packs8Bits) return f32Linear(g, matrix);
  const { bits, blockSize, packed, scales, minima } = blocks;
  const perRow = inputs / blockSize;
  const zeros = packedZeroPoints(blocks);
  const weight = {
    packed: g.constant(`${name}.q`, 'uint8', [outputs, perRow, (blockSize * bits) / 8], packed),
    scales: g.constant(`${name}.scales`, 'float32', [outputs * perRow], scales),
    zeroPoints: zeros === null ? null : g.constant(`${name}.zeros`, 'uint8', [zeros.length], zeros),
  };
  const minimum = minima === null ? null : g.constant(`${name}.minima`, 'float32', [outputs, perRow], minima);
  return (projector) => {
    const { x } = projector;
    const product = g.matMulNBits(x, weight, { k: inputs, n: outputs, bits, blockSize, accuracyLevel: 1 });
    if (minimum === null) return withBias(g, product, bias);
    const [sums] = shared(projector, `blockSums${blockSize}`, () => {
      const rows = x.shape.slice(0, -1);
      return [g.reshape(g.reduceSum(g.reshape(x, [...rows, perRow, blockSize]), -1), [...rows, perRow])];
    });
    return withBias(g, g.add(product, g.matMul(sums!, minimum, { transB: true })), bias);
  };
}
