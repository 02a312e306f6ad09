/**
 * A base's matrices as they are held while adapters train, and how a graph computes with them.
 *
 * | held | a weight | in the graph |
 * |---|---|---|
 * | f32 | 4 bytes | W [N, K], an input |
 * | blocks | 0.75 to 1.25 bytes | W[n, k] = scale[n, b] · q[n, k] + minimum[n, b], b = ⌊k / blockSize⌋, unpacked for each product |
 *
 * Both are the same numbers to the bit but for signs of zeros: scale · q has at most 24 significant bits, so only the sum is
 * rounded, as in `dequantise`. Matrices that are not stored in blocks of integers (F32, F16, BF16) are always f32.
 */
import type { GraphBuilder, Tensor, Value } from '@lathe/graph';
import { type BlockMatrix, isBlockType, repack } from '../../weights/blocks.ts';
import { dequantise } from '../../weights/dequantise.ts';
import type { GgmlType } from '../../weights/ggml-types.ts';

export const HOLDINGS = ['f32', 'blocks'] as const;
export type Holding = (typeof HOLDINGS)[number];

/** N outputs, K inputs. */
export type FrozenMatrix = FrozenFloats | FrozenBlocks;

interface FrozenFloats {
  readonly held: 'f32';
  readonly shape: readonly [N: number, K: number];
  readonly data: Float32Array;
}

interface FrozenBlocks {
  readonly held: 'blocks';
  readonly shape: readonly [N: number, K: number];
  readonly blockSize: number;
  /** 8 bits: q [N, K]. 4 bits: [N, K / 2] bytes, column k of the first half in the lower, k + K / 2 in the upper four. */
  readonly bits: 4 | 8;
  readonly q: Int8Array | Uint8Array;
  /** [N, K / blockSize] */
  readonly scales: Float32Array;
  /** [N, K / blockSize], or null where all are 0. */
  readonly minima: Float32Array | null;
}

export function frozenMatrix(
  type: GgmlType,
  bytes: Uint8Array,
  shape: readonly [N: number, K: number],
  holding: Holding,
): FrozenMatrix {
  if (holding === 'f32' || !isBlockType(type)) return { held: 'f32', shape, data: dequantise(type, bytes) };
  const stored = repack(type, bytes, ...shape);
  const { bits, blockSize, scales, minima, zeroPoint } = stored;
  if (bits === 8) return { held: 'blocks', shape, bits, blockSize, q: aroundZero(stored), scales, minima };
  const lowest = zeroPoint === 0 ? minima : scales.map((scale) => -zeroPoint * scale);
  return { held: 'blocks', shape, bits, blockSize, q: halves(stored), scales, minima: lowest };
}

/** q − zeroPoint, in the memory of q. */
function aroundZero({ packed, zeroPoint }: BlockMatrix): Int8Array {
  const signed = new Int8Array(packed.buffer, packed.byteOffset, packed.length);
  for (let i = 0; i < packed.length; i++) signed[i] = packed[i]! - zeroPoint;
  return signed;
}

function halves({ packed, rows, columns }: BlockMatrix): Uint8Array {
  const width = columns / 2;
  const out = new Uint8Array(packed.length);
  const element = (i: number) => (packed[i >> 1]! >> ((i & 1) * 4)) & 15;
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < width; k++)
      out[row * width + k] = element(row * columns + k) | (element(row * columns + width + k) << 4);
  return out;
}

/** Bytes it takes, as it is held or as f32. */
export function bytesHeld(matrix: FrozenMatrix, as: Holding = matrix.held): number {
  const [N, K] = matrix.shape;
  if (as === 'f32' || matrix.held === 'f32') return 4 * N * K;
  return matrix.q.byteLength + matrix.scales.byteLength + (matrix.minima?.byteLength ?? 0);
}

export function asFloats(matrix: FrozenMatrix): FrozenFloats {
  if (matrix.held === 'f32') return matrix;
  const { shape, bits, blockSize, q, scales, minima } = matrix;
  const [N, K] = shape;
  const data = new Float32Array(N * K);
  const width = K / 2;
  for (let row = 0, i = 0; row < N; row++)
    for (let k = 0; k < K; k++, i++) {
      const half = k < width ? k : k - width;
      const integer = bits === 8 ? q[i]! : (q[row * width + half]! >> (k < width ? 0 : 4)) & 15;
      const block = Math.trunc(i / blockSize);
      data[i] = scales[block]! * integer + (minima?.[block] ?? 0);
    }
  return { held: 'f32', shape, data };
}

/** What a graph that uses the matrix is fed with. */
export function frozenValues(name: string, matrix: FrozenMatrix): Readonly<Record<string, Value>> {
  const [N, K] = matrix.shape;
  if (matrix.held === 'f32') return { [name]: { dataType: 'float32', dims: [N, K], data: matrix.data } };
  const { bits, blockSize, q, scales, minima } = matrix;
  const perBlock = (data: Float32Array): Value => ({ dataType: 'float32', dims: [N, K / blockSize], data });
  return {
    [`${name}.q`]:
      bits === 8 ? { dataType: 'int8', dims: [N, K], data: q } : { dataType: 'uint8', dims: [N, K / 2], data: q },
    [`${name}.scales`]: perBlock(scales),
    ...(minima !== null && { [`${name}.minima`]: perBlock(minima) }),
  };
}

/** A frozen matrix in a graph. Each call computes it anew. */
export interface FrozenTensor {
  /** W [N, K] */
  whole(): Tensor;
  /** The rows at int64 [T]: [T, K]. */
  rows(at: Tensor): Tensor;
}

/** Declares the matrix's inputs. */
export function frozenTensor(g: GraphBuilder, name: string, matrix: FrozenMatrix): FrozenTensor {
  const inputs = Object.entries(frozenValues(name, matrix)).map(([input, { dataType, dims }]) =>
    g.input(input, dataType, dims),
  );
  if (matrix.held === 'f32') return { whole: () => inputs[0]!, rows: (at) => g.gather(inputs[0]!, at, 0) };
  const low = g.scalar(`${name}.low`, 15);
  const four = g.scalar(`${name}.four`, 4);
  const unpacked = ([q, scales, minima]: readonly Tensor[]): Tensor => {
    const [N, K] = [q!.shape[0] as number, matrix.shape[1]];
    const blocks = (N * K) / matrix.blockSize;
    // Numbers come as f32 so that they can be computed anew for the gradient: see `recomputed`.
    const integers =
      matrix.bits === 8
        ? q!
        : g.concat([g.bitwiseAnd(q!, g.cast(low, 'uint8')), g.shiftRight(q!, g.cast(four, 'uint8'))], 1);
    const scaled = g.dequantizeLinear(g.reshape(integers, [blocks, matrix.blockSize]), g.reshape(scales!, [blocks]));
    return g.reshape(minima === undefined ? scaled : g.add(scaled, g.reshape(minima, [blocks, 1])), [N, K]);
  };
  return { whole: () => unpacked(inputs), rows: (at) => unpacked(inputs.map((input) => g.gather(input, at, 0))) };
}
