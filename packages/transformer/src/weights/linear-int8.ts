import type { GraphBuilder, Tensor } from '@lathe/graph';
import { dequantise } from './dequantise.ts';
import { type Linear, type StoredMatrix, shared, withBias } from './linear.ts';

/**
 * Linear layer in 8-bit integers, y = ŝ · (x̂ · Ŵ), with one scale per row of x and one per output of W:
 *
 *   x̂[m, k] = round(127 · x[m, k] / a_m) + 128 as u8,   a_m = max_k |x[m, k]|
 *   Ŵ[k, n] = round(W[n, k] / s_n) as i8,               s_n = max_k |W[n, k]| / 127
 *   y[m, n] = a_m · (s_n / 127) · Σ_k (x̂ − 128) · Ŵ
 *
 * The sum is exact in 32 bits, so a row's result does not depend on the other rows. Activations are unsigned because the
 * fast kernels are (AVX-512 VNNI and AMX multiply u8 by i8).
 */
export function int8Linear(g: GraphBuilder, { name, type, bytes, outputs, inputs, bias }: StoredMatrix): Linear {
  const { transposed, scales } = quantisePerOutput(dequantise(type, bytes), outputs, inputs);
  const weight = g.constant(`${name}.q`, 'int8', [inputs, outputs], transposed);
  const scale = g.constant(`${name}.scales`, 'float32', [outputs], scales);
  const zero = g.constant(`${name}.zeros`, 'int8', [outputs], new Int8Array(outputs));
  const unit = {
    scale: g.scalar(`${name}.unit`, 1 / 127),
    zero: g.constant(`${name}.middle`, 'uint8', [], new Uint8Array([128])),
  };
  return (projector) => {
    const [quantised, largest] = shared(projector, 'rows', () => quantiseRows(g, projector.x, unit));
    const product = g.matMulIntegerToFloat(quantised!, weight, unit.scale, scale, unit.zero, zero);
    return withBias(g, g.mul(product, largest!), bias);
  };
}

function quantiseRows(g: GraphBuilder, x: Tensor, unit: { scale: Tensor; zero: Tensor }): readonly Tensor[] {
  const largest = g.reduceMax(g.abs(x), -1);
  return [g.quantizeLinear(g.div(x, largest), unit.scale, unit.zero), largest];
}

/** Scales [outputs] and the rounded weights as [inputs, outputs]. An output whose weights are all 0 has scale 0. */
export function quantisePerOutput(
  values: Float32Array,
  outputs: number,
  inputs: number,
): { transposed: Int8Array; scales: Float32Array } {
  const transposed = new Int8Array(inputs * outputs);
  const scales = new Float32Array(outputs);
  const inverse = new Float32Array(outputs);
  for (let n = 0; n < outputs; n++) {
    let largest = 0;
    for (let i = n * inputs; i < (n + 1) * inputs; i++) {
      const size = Math.abs(values[i]!);
      if (size > largest) largest = size;
    }
    scales[n] = largest / 127;
    inverse[n] = largest === 0 ? 0 : 127 / largest;
  }
  // Tiles, so that both the reads (along k) and the writes (along n) stay within the cache.
  const TILE = 64;
  for (let n0 = 0; n0 < outputs; n0 += TILE) {
    const n1 = Math.min(n0 + TILE, outputs);
    for (let k0 = 0; k0 < inputs; k0 += TILE) {
      const k1 = Math.min(k0 + TILE, inputs);
      for (let n = n0; n < n1; n++) {
        const factor = inverse[n]!;
        const row = n * inputs;
        // Adding and subtracting 1.5 · 2^52 rounds half to even without a call.
        for (let k = k0; k < k1; k++)
          transposed[k * outputs + n] = values[row + k]! * factor + 6755399441055744 - 6755399441055744;
      }
    }
  }
  return { transposed, scales };
}
