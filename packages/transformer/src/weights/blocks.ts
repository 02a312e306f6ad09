/**
 * Quantised matrices in the layout of onnxruntime's MatMulNBits, without a second rounding.
 *
 *   W[n, k] = scale[n, b] · (q[n, k] − zeroPoint[n, b]) + minimum[n, b],   b = ⌊k / blockSize⌋
 *   x · Wᵀ  = MatMulNBits(x) + blockSums(x) · minimumᵀ                     blockSums(x)[m, b] = Σ x[m, k] over block b
 *
 * | stored | bits | block | zero point | minimum |
 * |---|---|---|---|---|
 * | Q4_0 | 4 | 32 | 8 | – |
 * | Q4_1 | 4 | 32 | 0 | m |
 * | Q5_0 | 8 | 32 | 16 | – |
 * | Q5_1 | 8 | 32 | 0 | m |
 * | Q8_0 | 8 | 32 | 128 | – |
 * | Q4_K | 4 | 32 | 0 | −dmin·mn |
 * | Q5_K | 8 | 32 | 0 | −dmin·mn |
 * | Q6_K | 8 | 16 | 32 | – |
 *
 * The scales d·sc have at most 19 significant bits and the minima 17, so f32 holds them exactly. A minimum could also
 * be a float zero point −minimum/scale, but that quotient is rounded, and the CPU kernel then unpacks the whole matrix at
 * every call: `floatZeroPoints` is there for providers that want it.
 * Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
 */
import { fiveBits, halfAt, kMin, kScale, q5kElement, q6kElement } from './dequantise.ts';
import { BLOCK_LAYOUT, type GgmlType } from './ggml-types.ts';

/** Types with integer blocks; F32, F16 and BF16 have none. */
export type BlockType = Exclude<GgmlType, 'F32' | 'F16' | 'BF16'>;

export interface BlockMatrix {
  readonly bits: 4 | 8;
  readonly blockSize: 16 | 32;
  /** N: outputs. */
  readonly rows: number;
  /** K: inputs, a multiple of `blockSize`. */
  readonly columns: number;
  /** [N, K / blockSize, blockSize · bits / 8]; of two 4-bit elements the earlier is in the low half. */
  readonly packed: Uint8Array;
  /** [N, K / blockSize] */
  readonly scales: Float32Array;
  /** The same for every block. */
  readonly zeroPoint: number;
  /** [N, K / blockSize], or null where all are 0. */
  readonly minima: Float32Array | null;
}

export function isBlockType(type: GgmlType): type is BlockType {
  return type !== 'F32' && type !== 'F16' && type !== 'BF16';
}

interface Format {
  readonly bits: 4 | 8;
  readonly blockSize: 16 | 32;
  readonly zeroPoint: number;
  readonly hasMinimum: boolean;
  /** Unsigned element `j` of the stored block at `at`. */
  element(bytes: Uint8Array, at: number, j: number): number;
  /** Scale and minimum of part `b` (blockSize elements) of the stored block at `at`. */
  scale(bytes: Uint8Array, at: number, b: number): number;
  minimum(bytes: Uint8Array, at: number, b: number): number;
}

const none = () => 0;
const first = (bytes: Uint8Array, at: number) => halfAt(bytes, at);
const second = (bytes: Uint8Array, at: number) => halfAt(bytes, at + 2);
const nibble = (bytes: Uint8Array, at: number, j: number) => (bytes[at + (j & 15)]! >> (j < 16 ? 0 : 4)) & 15;
const kScaleOf = (bytes: Uint8Array, at: number, b: number) => halfAt(bytes, at) * kScale(bytes, at + 4, b);
// 0 − x, not −x: a minimum of 0 stays +0.
const kMinimumOf = (bytes: Uint8Array, at: number, b: number) => 0 - halfAt(bytes, at + 2) * kMin(bytes, at + 4, b);

const FORMAT: Record<BlockType, Format> = {
  Q4_0: {
    bits: 4,
    blockSize: 32,
    zeroPoint: 8,
    hasMinimum: false,
    element: (bytes, at, j) => nibble(bytes, at + 2, j),
    scale: first,
    minimum: none,
  },
  Q4_1: {
    bits: 4,
    blockSize: 32,
    zeroPoint: 0,
    hasMinimum: true,
    element: (bytes, at, j) => nibble(bytes, at + 4, j),
    scale: first,
    minimum: second,
  },
  Q5_0: {
    bits: 8,
    blockSize: 32,
    zeroPoint: 16,
    hasMinimum: false,
    element: (bytes, at, j) => fiveBits(bytes, at + 2, j),
    scale: first,
    minimum: none,
  },
  Q5_1: {
    bits: 8,
    blockSize: 32,
    zeroPoint: 0,
    hasMinimum: true,
    element: (bytes, at, j) => fiveBits(bytes, at + 4, j),
    scale: first,
    minimum: second,
  },
  Q8_0: {
    bits: 8,
    blockSize: 32,
    zeroPoint: 128,
    hasMinimum: false,
    element: (bytes, at, j) => bytes[at + 2 + j]! ^ 128,
    scale: first,
    minimum: none,
  },
  Q4_K: {
    bits: 4,
    blockSize: 32,
    zeroPoint: 0,
    hasMinimum: true,
    element: (bytes, at, j) => (bytes[at + 16 + 32 * (j >> 6) + (j & 31)]! >> (j & 32 ? 4 : 0)) & 15,
    scale: kScaleOf,
    minimum: kMinimumOf,
  },
  Q5_K: {
    bits: 8,
    blockSize: 32,
    zeroPoint: 0,
    hasMinimum: true,
    element: (bytes, at, j) => q5kElement(bytes, at, j >> 5, j & 31),
    scale: kScaleOf,
    minimum: kMinimumOf,
  },
  Q6_K: {
    bits: 8,
    blockSize: 16,
    zeroPoint: 32,
    hasMinimum: false,
    element: (bytes, at, j) => q6kElement(bytes, at, j),
    scale: (bytes, at, b) => halfAt(bytes, at + 208) * ((bytes[at + 192 + b]! << 24) >> 24),
    minimum: none,
  },
};

/** Stored blocks of a [rows, columns] matrix to MatMulNBits' layout: nothing is rounded. Throws a RangeError on a wrong size. */
export function repack(type: BlockType, bytes: Uint8Array, rows: number, columns: number): BlockMatrix {
  const stored = BLOCK_LAYOUT[type];
  const expected = (rows * columns * stored.bytes) / stored.elements;
  if (columns % stored.elements !== 0 || bytes.length !== expected)
    throw new RangeError(`repack ${type} [${rows}, ${columns}]: expected ${expected} bytes, got ${bytes.length}`);

  const { bits, blockSize, zeroPoint, hasMinimum, element, scale, minimum } = FORMAT[type];
  const parts = stored.elements / blockSize;
  const blocks = (rows * columns) / blockSize;
  const packed = new Uint8Array((rows * columns * bits) / 8);
  const scales = new Float32Array(blocks);
  const minima = hasMinimum ? new Float32Array(blocks) : null;

  // Blocks of a row follow each other in both layouts, so one running index serves all rows.
  let block = 0;
  let out = 0;
  for (let at = 0; at < bytes.length; at += stored.bytes) {
    for (let b = 0; b < parts; b++) {
      scales[block] = scale(bytes, at, b);
      if (minima !== null) minima[block] = minimum(bytes, at, b);
      block++;
    }
    if (bits === 8) for (let j = 0; j < stored.elements; j++) packed[out++] = element(bytes, at, j);
    else
      for (let j = 0; j < stored.elements; j += 2)
        packed[out++] = element(bytes, at, j) | (element(bytes, at, j + 1) << 4);
  }
  return { bits, blockSize, rows, columns, packed, scales, zeroPoint, minima };
}

/** The matrix as f32 [rows, columns], rounded once an element: equal to `dequantise` of the same bytes. */
export function unpack(matrix: BlockMatrix): Float32Array {
  const { bits, blockSize, packed, scales, zeroPoint, minima } = matrix;
  const values = new Float32Array(matrix.rows * matrix.columns);
  for (let i = 0; i < values.length; i++) {
    const block = Math.floor(i / blockSize);
    const q = bits === 8 ? packed[i]! : (packed[i >> 1]! >> ((i & 1) * 4)) & 15;
    const product = scales[block]! * (q - zeroPoint);
    values[i] = minima === null ? product : product + minima[block]!;
  }
  return values;
}

/**
 * The zero points as MatMulNBits takes them: [N, ⌈K / blockSize · bits / 8⌉] bytes, two 4-bit values a byte. Null where
 * the operator's default, 2^(bits − 1), is meant.
 */
export function packedZeroPoints(matrix: BlockMatrix): Uint8Array | null {
  const { bits, blockSize, rows, columns, zeroPoint } = matrix;
  if (zeroPoint === 2 ** (bits - 1)) return null;
  const bytesPerRow = Math.ceil(((columns / blockSize) * bits) / 8);
  return new Uint8Array(rows * bytesPerRow).fill(bits === 8 ? zeroPoint : zeroPoint | (zeroPoint << 4));
}

/**
 * The same matrix with its minima as float zero points z = zeroPoint − minimum/scale, so that W ≈ scale · (q − z) with a
 * relative error of 2^−24 of the minimum. A block whose scale is 0 is rewritten as scale = minimum, q = 0, z = −1.
 */
export function floatZeroPoints(matrix: BlockMatrix): {
  packed: Uint8Array;
  scales: Float32Array;
  zeroPoints: Float32Array;
} {
  const { bits, blockSize, zeroPoint, minima } = matrix;
  const packed = matrix.packed.slice();
  const scales = matrix.scales.slice();
  const zeroPoints = new Float32Array(scales.length).fill(zeroPoint);
  if (minima === null) return { packed, scales, zeroPoints };
  const bytesPerBlock = (blockSize * bits) / 8;
  for (let block = 0; block < scales.length; block++) {
    if (scales[block] === 0) {
      packed.fill(0, block * bytesPerBlock, (block + 1) * bytesPerBlock);
      scales[block] = minima[block]!;
      zeroPoints[block] = -1;
    } else {
      zeroPoints[block] = zeroPoint - minima[block]! / scales[block]!;
    }
  }
  return { packed, scales, zeroPoints };
}
