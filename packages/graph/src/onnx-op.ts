import { type Dim, dimText, type Shape } from './dimension.ts';
import type { OpKind, OpOf } from './op.ts';
import type { DataType, Tensor } from './tensor.ts';

export type Attribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly text: string };

/** One ONNX node. `shapeInputs` are int64 vectors after the tensors: constants, or computed from the symbols of each run. */
export interface OnnxNode {
  readonly type: string;
  /** Empty: the ONNX standard. */
  readonly domain: '' | 'com.microsoft';
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly shapeInputs?: readonly Shape[];
  /** At which of the node's outputs each result lies, where not in order. */
  readonly outputsAt?: readonly number[];
  /** An input that is repeated up to a shape by a node of its own before. */
  readonly repeated?: { readonly input: number; readonly shape: Shape };
}

export const ELEMENT_TYPE: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
};

type Lower<K extends OpKind> = (op: OpOf<K>, inputs: readonly Tensor[]) => OnnxNode;
const standard =
  (type: string): (() => OnnxNode) =>
  () => ({ type, domain: '' });
const lastAxis = { axis: { int: -1 } };
const flag = (value: boolean) => ({ int: value ? 1 : 0 });

/**
 * How each op is written.
 * Sources: https://onnx.ai/onnx/operators/ and https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export const ONNX: { readonly [K in OpKind]: Lower<K> } = {
  add: standard('Add'),
  sub: standard('Sub'),
  mul: standard('Mul'),
  div: standard('Div'),
  max: standard('Max'),
  abs: standard('Abs'),
  sign: standard('Sign'),
  sqrt: standard('Sqrt'),
  greaterOrEqual: standard('GreaterOrEqual'),
  exp: standard('Exp'),
  log: standard('Log'),
  sigmoid: standard('Sigmoid'),
  silu: () => ({ type: 'QuickGelu', domain: 'com.microsoft', attributes: { alpha: { float: 1 } } }),
  matMul: (op) => {
    const { alpha, transA, transB, transBatchA, transBatchB } = op;
    if (alpha === 1 && !transA && !transB && !transBatchA && !transBatchB) return { type: 'MatMul', domain: '' };
    return {
      type: 'FusedMatMul',
      domain: 'com.microsoft',
      attributes: {
        alpha: { float: alpha },
        transA: flag(transA),
        transB: flag(transB),
        transBatchA: flag(transBatchA),
        transBatchB: flag(transBatchB),
      },
    };
  },
  matMulNBits: ({ k, n, bits, blockSize, accuracyLevel }) => ({
    type: 'MatMulNBits',
    domain: 'com.microsoft',
    attributes: {
      K: { int: k },
      N: { int: n },
      bits: { int: bits },
      block_size: { int: blockSize },
      accuracy_level: { int: accuracyLevel },
    },
  }),
  matMulIntegerToFloat: () => ({ type: 'MatMulIntegerToFloat', domain: 'com.microsoft' }),
  quantizeLinear: standard('QuantizeLinear'),
  dequantizeLinear: () => ({ type: 'DequantizeLinear', domain: '', attributes: { axis: { int: 0 } } }),
  bitwiseAnd: standard('BitwiseAnd'),
  shiftRight: () => ({ type: 'BitShift', domain: '', attributes: { direction: { text: 'RIGHT' } } }),
  softmax: () => ({ type: 'Softmax', domain: '', attributes: lastAxis }),
  logSoftmax: () => ({ type: 'LogSoftmax', domain: '', attributes: lastAxis }),
  // Registered by onnxruntime under the standard's domain.
  rmsNorm: ({ epsilon }) => ({
    type: 'SimplifiedLayerNormalization',
    domain: '',
    attributes: { ...lastAxis, epsilon: { float: epsilon }, stash_type: { int: 1 } },
  }),
  addRmsNorm: ({ epsilon }) => ({
    type: 'SkipSimplifiedLayerNormalization',
    domain: 'com.microsoft',
    attributes: { epsilon: { float: epsilon } },
    outputsAt: [0, 3],
  }),
  rotary: ({ heads, interleaved }) => ({
    type: 'RotaryEmbedding',
    domain: 'com.microsoft',
    attributes: { num_heads: { int: heads }, interleaved: flag(interleaved) },
  }),
  reduceMax: ({ axis }) => reduce('ReduceMax', axis),
  reduceSum: ({ axis }) => reduce('ReduceSum', axis),
  reduceMean: ({ axis }) => reduce('ReduceMean', axis),
  reduceSumSquare: ({ axis }) => reduce('ReduceSumSquare', axis),
  layerNorm: ({ epsilon }) => ({
    type: 'LayerNormalization',
    domain: '',
    attributes: { ...lastAxis, epsilon: { float: epsilon } },
  }),
  expand: ({ shape }) => ({ type: 'Expand', domain: '', shapeInputs: [shape] }),
  pick: () => ({ type: 'GatherElements', domain: '', attributes: lastAxis }),
  addAt: () => ({ type: 'ScatterElements', domain: '', attributes: { ...lastAxis, reduction: { text: 'add' } } }),
  addRows: ({ atomic }, [, , rows]): OnnxNode =>
    atomic
      ? { type: 'ScatterND', domain: '', attributes: { reduction: { text: 'add' } } }
      : {
          type: 'ScatterElements',
          domain: '',
          attributes: { axis: { int: 0 }, reduction: { text: 'add' } },
          repeated: { input: 1, shape: rows!.shape },
        },
  gather: ({ axis }) => ({ type: 'Gather', domain: '', attributes: { axis: { int: axis } } }),
  concat: ({ axis }) => ({ type: 'Concat', domain: '', attributes: { axis: { int: axis } } }),
  split: ({ axis, sizes }) => ({
    type: 'Split',
    domain: '',
    attributes: { axis: { int: axis } },
    shapeInputs: [sizes],
  }),
  reshape: ({ shape }) => ({
    type: 'Reshape',
    domain: '',
    attributes: { allowzero: { int: 1 } },
    shapeInputs: [oneInferred(shape)],
  }),
  transpose: ({ permutation }) => ({ type: 'Transpose', domain: '', attributes: { perm: { ints: permutation } } }),
  cast: ({ to }) => ({ type: 'Cast', domain: '', attributes: { to: { int: ELEMENT_TYPE[to] } } }),
  topK: ({ k }) => ({
    type: 'TopK',
    domain: '',
    attributes: { ...lastAxis, largest: { int: 1 }, sorted: { int: 1 } },
    shapeInputs: [[k]],
  }),
};

function reduce(type: string, axis: number): OnnxNode {
  return { type, domain: '', attributes: { keepdims: { int: 1 } }, shapeInputs: [[axis]] };
}

/** A single symbolic size among numbers becomes −1, which the runtime infers: the vector is then a constant. */
function oneInferred(shape: Shape): Shape {
  const symbolic = shape.filter((dim) => typeof dim !== 'number');
  return symbolic.length === 1 && !shape.includes(0)
    ? shape.map((dim): Dim => (typeof dim === 'number' ? dim : -1))
    : shape;
}

/** Key under which equal vectors share one tensor. */
export function vectorKey(shape: Shape): string {
  return shape.map(dimText).join(',');
}
