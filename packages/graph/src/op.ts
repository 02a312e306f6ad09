import type { Dim, Shape } from './dimension.ts';
import type { DataType } from './tensor.ts';

/**
 * Every operation a graph may hold, as one union: shape inference (`shapes.ts`) and the ONNX writing (`onnx-op.ts`) are
 * tables that are total over `OpKind`, so an op without a rule does not compile. A table of gradients is one more.
 *
 * Letters in shapes: B batch (any number of leading dimensions), M rows, K inner, N columns.
 */
export type Op =
  /** a + b, a − b, a · b, a / b with NumPy broadcasting. */
  | { readonly kind: 'add' }
  | { readonly kind: 'sub' }
  | { readonly kind: 'mul' }
  | { readonly kind: 'div' }
  | { readonly kind: 'max' }
  | { readonly kind: 'abs' }
  | { readonly kind: 'sign' }
  | { readonly kind: 'sqrt' }
  /** a ≥ b with broadcasting, as bool. */
  | { readonly kind: 'greaterOrEqual' }
  | { readonly kind: 'exp' }
  | { readonly kind: 'log' }
  | { readonly kind: 'sigmoid' }
  /** x · σ(x). Ramachandran, Zoph & Le 2017, https://arxiv.org/abs/1710.05941 */
  | { readonly kind: 'silu' }
  /**
   * alpha · op(a) · op(b): [B, M, K] · [B, K, N] → [B, M, N]; `transA`, `transB` swap the last two dimensions first.
   * `transBatchA`, `transBatchB`: the operand lies as [M, B, K] (first dimension before the batch), so that a cache
   * of [tokens, heads, d] is multiplied per head without a transposed copy.
   */
  | {
      readonly kind: 'matMul';
      readonly alpha: number;
      readonly transA: boolean;
      readonly transB: boolean;
      readonly transBatchA: boolean;
      readonly transBatchB: boolean;
    }
  /**
   * x · Wᵀ with W[n, k] = scale[n, b] · (q[n, k] − zeroPoint): inputs x [M, K], q [N, K / block, bytes], scales [N · K / block]
   * and, unless the zero point is 2^(bits−1), packed zero points. `accuracyLevel` 0: f32 products; 4: int8 activations per block.
   */
  | {
      readonly kind: 'matMulNBits';
      readonly k: number;
      readonly n: number;
      readonly bits: 4 | 8;
      readonly blockSize: number;
      readonly accuracyLevel: 0 | 1 | 4;
    }
  /**
   * (a − zeroA)·scaleA · (b − zeroB)·scaleB (+ bias) in exact integers: inputs a u8 [M, K], b i8 [K, N], scaleA [],
   * scaleB [N], zeroA [], zeroB [N] and possibly bias [N]; f32 out.
   */
  | { readonly kind: 'matMulIntegerToFloat' }
  /** round-half-even(x / scale) + zeroPoint, saturated to u8: inputs x, scale [], zeroPoint []. */
  | { readonly kind: 'quantizeLinear' }
  /** scale[n] · q[n, b]: inputs q i8 or u8 [N, B], scale [N]; f32 out. */
  | { readonly kind: 'dequantizeLinear' }
  /** Of u8 tensors, with broadcasting: the bits that a and b have in common; a without its b lowest bits, shifted down. */
  | { readonly kind: 'bitwiseAnd' }
  | { readonly kind: 'shiftRight' }
  | { readonly kind: 'softmax' }
  | { readonly kind: 'logSoftmax' }
  /** x / √(mean(x²) + epsilon) · gain over the last dimension. Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467 */
  | { readonly kind: 'rmsNorm'; readonly epsilon: number }
  /** Results: rmsNorm of the sum of two tensors, and that sum. */
  | { readonly kind: 'addRmsNorm'; readonly epsilon: number }
  /**
   * Rotation of pairs (i, i + D/2), or (2i, 2i + 1) where `interleaved`, of each head: inputs x [B, T, heads·D],
   * positions int64 [B, T], cos and sin [maxPosition, D/2]. Su et al. 2021, https://arxiv.org/abs/2104.09864
   */
  | { readonly kind: 'rotary'; readonly heads: number; readonly interleaved: boolean }
  /** (x − mean) / √(variance + epsilon) · gain + bias over the last dimension. Ba, Kiros & Hinton 2016, https://arxiv.org/abs/1607.06450 */
  | { readonly kind: 'layerNorm'; readonly epsilon: number }
  | { readonly kind: 'reduceMax'; readonly axis: number }
  | { readonly kind: 'reduceSum'; readonly axis: number }
  | { readonly kind: 'reduceMean'; readonly axis: number }
  | { readonly kind: 'reduceSumSquare'; readonly axis: number }
  /** Repeats dimensions of size 1 up to `shape`. */
  | { readonly kind: 'expand'; readonly shape: Shape }
  /** x [B, N], indices int64 [B, K] → [B, K]: so many entries of each last dimension. */
  | { readonly kind: 'pick' }
  /** into [B, N] with updates [B, K] added at indices int64 [B, K]: what `pick` undoes. */
  | { readonly kind: 'addAt' }
  /**
   * into [V, C] with rows [T, C] added at indices int64 [T, 1]; an index may stand several times. `atomic`: by ScatterND,
   * whose additions some providers make atomic; the processor's threads lose some to each other, so there it is one by one.
   */
  | { readonly kind: 'addRows'; readonly atomic: boolean }
  /** Rows of the first input chosen by an int64 index tensor along `axis`. */
  | { readonly kind: 'gather'; readonly axis: number }
  | { readonly kind: 'concat'; readonly axis: number }
  /** One result per entry of `sizes`. */
  | { readonly kind: 'split'; readonly axis: number; readonly sizes: Shape }
  | { readonly kind: 'reshape'; readonly shape: Shape }
  | { readonly kind: 'transpose'; readonly permutation: readonly number[] }
  | { readonly kind: 'cast'; readonly to: DataType }
  /** The `k` largest of the last dimension, largest first, equal values by lower index: values and int64 indices. */
  | { readonly kind: 'topK'; readonly k: Dim };

export type OpKind = Op['kind'];
export type OpOf<K extends OpKind> = Extract<Op, { kind: K }>;
