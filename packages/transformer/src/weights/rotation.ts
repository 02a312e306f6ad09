/**
 * Orthogonal changes of basis that spread a few very large channels over all of them, so that rounding to 8 bits with one
 * scale a row loses little. A transformer's result does not change when its residual stream is held in another
 * orthonormal basis and every matrix beside it is turned accordingly. Ashkboos et al. 2024, https://arxiv.org/abs/2404.00456
 *
 *   R = (I_m ⊗ H_p) · first · last,   n = m · p,  p the largest power of two in n
 *
 * H is the Hadamard matrix over the root of its size. It mixes within blocks of p; `first` and `last` mix across the first
 * and the last q blocks, q the largest power of two up to m: together every channel reaches (nearly) every other in
 * additions alone.
 */

/** x[o, ·, i] ← x[o, ·, i] · R in place, for values [outer, n, inner]. */
export function rotate(values: Float32Array, outer: number, n: number, inner: number): void {
  const p = powerOfTwoIn(n);
  const m = n / p;
  const q = 2 ** Math.floor(Math.log2(m));
  for (let o = 0; o < outer; o++) {
    const start = o * n * inner;
    for (let block = 0; block < m; block++) hadamard(values, start + block * p * inner, p, inner);
    if (q > 1) hadamard(values, start, q, p * inner);
    if (q > 1 && q < m) hadamard(values, start + (m - q) * p * inner, q, p * inner);
  }
}

/** The same with R = I ⊗ H_block: blocks of `block` (a power of two) neighbours are mixed among themselves. */
export function rotateBlocks(values: Float32Array, outer: number, n: number, inner: number, block: number): void {
  for (let start = 0; start < outer * n * inner; start += block * inner) hadamard(values, start, block, inner);
}

/** H_size / √size, row-major and symmetric. */
export function hadamardMatrix(size: number): Float32Array {
  const matrix = new Float32Array(size * size);
  for (let i = 0; i < size; i++) matrix[i * size + i] = 1;
  for (let i = 0; i < size; i++) hadamard(matrix, i * size, size, 1);
  return matrix;
}

export function powerOfTwoIn(n: number): number {
  return n & -n;
}

/** Fast Walsh-Hadamard transform along the first of [size, inner] from `start` on: three stages a pass, then what is left. */
function hadamard(values: Float32Array, start: number, size: number, inner: number): void {
  const end = start + size * inner;
  let stride = inner;
  for (; 8 * stride <= size * inner; stride *= 8)
    for (let group = start; group < end; group += 8 * stride)
      for (let i = group; i < group + stride; i++) {
        const i1 = i + stride;
        const i2 = i1 + stride;
        const i3 = i2 + stride;
        const i4 = i3 + stride;
        const i5 = i4 + stride;
        const i6 = i5 + stride;
        const i7 = i6 + stride;
        const x0 = values[i]!;
        const x1 = values[i1]!;
        const x2 = values[i2]!;
        const x3 = values[i3]!;
        const x4 = values[i4]!;
        const x5 = values[i5]!;
        const x6 = values[i6]!;
        const x7 = values[i7]!;
        const a0 = x0 + x1;
        const a1 = x0 - x1;
        const a2 = x2 + x3;
        const a3 = x2 - x3;
        const a4 = x4 + x5;
        const a5 = x4 - x5;
        const a6 = x6 + x7;
        const a7 = x6 - x7;
        const b0 = a0 + a2;
        const b2 = a0 - a2;
        const b1 = a1 + a3;
        const b3 = a1 - a3;
        const b4 = a4 + a6;
        const b6 = a4 - a6;
        const b5 = a5 + a7;
        const b7 = a5 - a7;
        values[i] = (b0 + b4) * ROOT_EIGHTH;
        values[i1] = (b1 + b5) * ROOT_EIGHTH;
        values[i2] = (b2 + b6) * ROOT_EIGHTH;
        values[i3] = (b3 + b7) * ROOT_EIGHTH;
        values[i4] = (b0 - b4) * ROOT_EIGHTH;
        values[i5] = (b1 - b5) * ROOT_EIGHTH;
        values[i6] = (b2 - b6) * ROOT_EIGHTH;
        values[i7] = (b3 - b7) * ROOT_EIGHTH;
      }
  for (; stride < size * inner; stride *= 2)
    for (let group = start; group < end; group += 2 * stride)
      for (let i = group; i < group + stride; i++) {
        const a = values[i]!;
        const b = values[i + stride]!;
        values[i] = (a + b) * Math.SQRT1_2;
        values[i + stride] = (a - b) * Math.SQRT1_2;
      }
}

const ROOT_EIGHTH = 1 / Math.sqrt(8);
