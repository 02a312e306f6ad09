import type { GraphBuilder, Tensor } from '@lathe/graph';
import { type Linear, shared, withBias } from './linear.ts';
import { hadamardMatrix } from './rotation.ts';

/** A matrix whose values have been read, and turned where that is wanted. */
export interface DenseMatrix {
  readonly name: string;
  /** [outputs, inputs] */
  readonly values: Float32Array;
  readonly outputs: number;
  readonly inputs: number;
  readonly bias: Tensor | null;
  /** The matrix takes inputs whose neighbours are mixed in blocks of so many by H: null where they come as they are. */
  readonly mixBlock: number | null;
}

/**
 * Linear layer in 8-bit integers, with one scale per row of x and one per output of W:
 *
 *   x̂[m, k] = round(127 · x[m, k] / a_m) + 128 as u8,   a_m = max_k |x[m, k]|
 *   Ŵ[k, n] = round(W[n, k] / s_n) as i8,               s_n = max_k |W[n, k]| / 127
 *   y[m, n] = a_m · (s_n / 127) · Σ_k (x̂ − 128) · Ŵ
 *
 * The sum is exact in 32 bits, so a row's result does not depend on the other rows. Activations are unsigned because the
 * fast kernels are (AVX-512 VNNI and AMX multiply u8 by i8).
 */
export function int8Linear(
  g: GraphBuilder,
  constants: Int8Constants,
  { name, values, outputs, inputs, bias, mixBlock }: DenseMatrix,
): Linear {
  const { quantised, scales } = quantisePerOutput(values, outputs, inputs);
  // Transposed once, when the session is made.
  const weight = g.transpose(g.constant(`${name}.q`, 'int8', [outputs, inputs], quantised), [1, 0]);
  const scale = g.constant(`${name}.scales`, 'float32', [outputs], scales);
  const zero = g.constant(`${name}.zeros`, 'int8', [outputs], new Int8Array(outputs));
  return (projector) => {
    const [rows, largest] = shared(projector, 'rows', () =>
      quantiseRows(g, mixBlock === null ? projector.x : mixed(g, projector.x, constants.mix(mixBlock)), constants),
    );
    const product = g.matMulIntegerToFloat(rows!, weight, constants.scale, scale, constants.zero, zero);
    return withBias(g, g.mul(product, largest!), bias);
  };
}

/** Constants that all linear layers of a graph share. */
export interface Int8Constants {
  /** 1/127 */
  readonly scale: Tensor;
  /** 128 */
  readonly zero: Tensor;
  /** A row of zeros has no scale of its own: this one. */
  readonly least: Tensor;
  /** H of the size given. */
  mix(block: number): Tensor;
}

export function int8Constants(g: GraphBuilder): Int8Constants {
  const mixes = new Map<number, Tensor>();
  return {
    scale: g.scalar('int8.scale', 1 / 127),
    zero: g.constant('int8.zero', 'uint8', [], new Uint8Array([128])),
    least: g.scalar('int8.least', 1e-30),
    mix: (block) => {
      const made = mixes.get(block) ?? g.constant(`int8.mix${block}`, 'float32', [block, block], hadamardMatrix(block));
      mixes.set(block, made);
      return made;
    },
  };
}

function mixed(g: GraphBuilder, x: Tensor, mix: Tensor): Tensor {
  const [rows, inputs] = x.shape as [Tensor['shape'][number], number];
  const block = mix.shape[0] as number;
  return g.reshape(g.matMul(g.reshape(x, [rows, inputs / block, block]), mix), [rows, inputs]);
}

function quantiseRows(g: GraphBuilder, x: Tensor, { scale, zero, least }: Int8Constants): readonly Tensor[] {
  const largest = g.max(g.reduceMax(g.abs(x), -1), least);
  return [g.quantizeLinear(g.div(x, largest), scale, zero), largest];
}

/** Scales [outputs] and the rounded weights [outputs, inputs]. An output whose weights are all 0 has scale 0. */
export function quantisePerOutput(
  values: Float32Array,
  outputs: number,
  inputs: number,
): { quantised: Int8Array; scales: Float32Array } {
  const quantised = new Int8Array(inputs * outputs);
  const scales = new Float32Array(outputs);
  for (let n = 0; n < outputs; n++) {
    const [from, to] = [n * inputs, (n + 1) * inputs];
    let largest = 0;
    for (let i = from; i < to; i++) {
      const size = Math.abs(values[i]!);
      if (size > largest) largest = size;
    }
    scales[n] = largest / 127;
    const factor = largest === 0 ? 0 : 127 / largest;
    // Adding and subtracting 1.5 · 2^52 rounds half to even without a call.
    for (let i = from; i < to; i++) quantised[i] = values[i]! * factor + 6755399441055744 - 6755399441055744;
  }
  return { quantised, scales };
}
