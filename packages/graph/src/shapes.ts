import { addDims, type Dim, dimText, multiplyDims, type Shape, sameDim, sameShape, shapeText } from './dimension.ts';
import { GraphError } from './graph-error.ts';
import type { Op, OpKind, OpOf } from './op.ts';
import type { DataType, TensorType } from './tensor.ts';

type Rule<O extends Op> = (inputs: readonly TensorType[], op: O) => readonly TensorType[];

const broadcast: Rule<Op> = ([a, b], { kind }) => {
  if (a!.dataType !== b!.dataType) fail(kind, 'two inputs of one type', `${a!.dataType} and ${b!.dataType}`);
  return [{ dataType: a!.dataType, shape: broadcastShapes(kind, a!.shape, b!.shape) }];
};
const unary: Rule<Op> = ([x], { kind }) => {
  expectType(kind, x!, 'float32');
  return [{ dataType: 'float32', shape: x!.shape }];
};
const bits: Rule<Op> = ([a, b], { kind }) => {
  for (const operand of [a!, b!]) expectType(kind, operand, 'uint8');
  return [{ dataType: 'uint8', shape: broadcastShapes(kind, a!.shape, b!.shape) }];
};
const reduce: Rule<OpOf<'reduceMax' | 'reduceSum' | 'reduceMean' | 'reduceSumSquare'>> = ([x], { kind, axis }) => {
  const at = axisOf(kind, axis, x!.shape);
  return [{ dataType: x!.dataType, shape: x!.shape.map((dim, i) => (i === at ? 1 : dim)) }];
};

/** Type and shape of every result of an op, from its inputs'. Throws `GraphError` where they do not fit. */
export const SHAPES: { readonly [K in OpKind]: Rule<OpOf<K>> } = {
  add: broadcast,
  sub: broadcast,
  mul: broadcast,
  div: broadcast,
  max: broadcast,
  greaterOrEqual: ([a, b], { kind }) => [{ dataType: 'bool', shape: broadcastShapes(kind, a!.shape, b!.shape) }],
  abs: unary,
  sign: unary,
  sqrt: unary,
  exp: unary,
  log: unary,
  sigmoid: unary,
  silu: unary,
  softmax: unary,
  logSoftmax: unary,
  matMul: ([a, b], op) => {
    expectType('matMul', a!, 'float32');
    expectType('matMul', b!, 'float32');
    const left = matrixShape(a!.shape, op.transBatchA, op.transA);
    const right = matrixShape(b!.shape, op.transBatchB, op.transB);
    const [m, k] = [left.at(-2)!, left.at(-1)!];
    const [rightK, n] = [right.at(-2)!, right.at(-1)!];
    if (!sameDim(k, rightK))
      fail(
        'matMul',
        `equal inner dimensions of ${shapeText(left)} and ${shapeText(right)}`,
        `${dimText(k)}, ${dimText(rightK)}`,
      );
    const batch = broadcastShapes('matMul', left.slice(0, -2), right.slice(0, -2));
    return [{ dataType: 'float32', shape: [...batch, m, n] }];
  },
  matMulNBits: ([x, q, scales], { k, n, bits, blockSize }) => {
    expectType('matMulNBits', x!, 'float32');
    const packed = [n, k / blockSize, (blockSize * bits) / 8];
    if (!sameShape(q!.shape, packed)) fail('matMulNBits', `weights ${shapeText(packed)}`, shapeText(q!.shape));
    if (
      !sameDim(
        scales!.shape.reduce((a, b) => multiplyDims(a, b), 1 as Dim),
        (n * k) / blockSize,
      )
    )
      fail('matMulNBits', `${(n * k) / blockSize} scales`, shapeText(scales!.shape));
    if (!sameDim(x!.shape.at(-1)!, k)) fail('matMulNBits', `input [.., ${k}]`, shapeText(x!.shape));
    return [{ dataType: 'float32', shape: [...x!.shape.slice(0, -1), n] }];
  },
  matMulIntegerToFloat: ([a, b]) => {
    expectType('matMulIntegerToFloat', a!, 'uint8');
    expectType('matMulIntegerToFloat', b!, 'int8');
    if (b!.shape.length !== 2 || !sameDim(a!.shape.at(-1)!, b!.shape[0]!))
      fail('matMulIntegerToFloat', `[K, N] with K of ${shapeText(a!.shape)}`, shapeText(b!.shape));
    return [{ dataType: 'float32', shape: [...a!.shape.slice(0, -1), b!.shape[1]!] }];
  },
  quantizeLinear: ([x]) => {
    expectType('quantizeLinear', x!, 'float32');
    return [{ dataType: 'uint8', shape: x!.shape }];
  },
  dequantizeLinear: ([q, scale]) => {
    if (q!.dataType !== 'int8' && q!.dataType !== 'uint8')
      fail('dequantizeLinear', 'int8 or uint8', `${q!.dataType} ${shapeText(q!.shape)}`);
    if (q!.shape.length !== 2 || !sameShape(scale!.shape, q!.shape.slice(0, 1)))
      fail('dequantizeLinear', 'q [N, B] and scale [N]', `${shapeText(q!.shape)} and ${shapeText(scale!.shape)}`);
    return [{ dataType: 'float32', shape: q!.shape }];
  },
  bitwiseAnd: bits,
  shiftRight: bits,
  rmsNorm: ([x, gain]) => {
    const width = x!.shape.at(-1)!;
    if (gain!.shape.length !== 1 || !sameDim(gain!.shape[0]!, width))
      fail('rmsNorm', `a gain [${dimText(width)}]`, shapeText(gain!.shape));
    return [{ dataType: 'float32', shape: x!.shape }];
  },
  addRmsNorm: ([a, b, gain]) => {
    const width = a!.shape.at(-1)!;
    if (!sameShape(a!.shape, b!.shape)) fail('addRmsNorm', shapeText(a!.shape), shapeText(b!.shape));
    if (gain!.shape.length !== 1 || !sameDim(gain!.shape[0]!, width))
      fail('addRmsNorm', `a gain [${dimText(width)}]`, shapeText(gain!.shape));
    return [
      { dataType: 'float32', shape: a!.shape },
      { dataType: 'float32', shape: a!.shape },
    ];
  },
  rotary: ([x, positions, cos, sin], { heads }) => {
    expectType('rotary', positions!, 'int64');
    const width = x!.shape.at(-1)!;
    const half = cos!.shape.at(-1)!;
    if (x!.shape.length !== 3 || !sameDim(width, multiplyDims(2 * heads, half)))
      fail('rotary', `[batch, time, ${heads} · 2 · ${dimText(half)}]`, shapeText(x!.shape));
    if (!sameShape(positions!.shape, x!.shape.slice(0, 2)))
      fail('rotary', `positions ${shapeText(x!.shape.slice(0, 2))}`, shapeText(positions!.shape));
    if (!sameShape(cos!.shape, sin!.shape)) fail('rotary', `sin ${shapeText(cos!.shape)}`, shapeText(sin!.shape));
    return [{ dataType: 'float32', shape: x!.shape }];
  },
  reduceMax: reduce,
  reduceSum: reduce,
  reduceMean: reduce,
  reduceSumSquare: reduce,
  layerNorm: ([x, gain, bias]) => {
    const width = x!.shape.at(-1)!;
    for (const part of [gain!, bias!])
      if (part.shape.length !== 1 || !sameDim(part.shape[0]!, width))
        fail('layerNorm', `a gain and a bias [${dimText(width)}]`, shapeText(part.shape));
    return [{ dataType: 'float32', shape: x!.shape }];
  },
  expand: ([x], { shape }) => {
    if (!sameShape(broadcastShapes('expand', x!.shape, shape), shape))
      fail('expand', `a shape that broadcasts to ${shapeText(shape)}`, shapeText(x!.shape));
    return [{ dataType: x!.dataType, shape }];
  },
  pick: ([x, indices]) => {
    expectIndices('pick', indices!, [...x!.shape.slice(0, -1), indices!.shape.at(-1)!]);
    return [{ dataType: x!.dataType, shape: indices!.shape }];
  },
  addAt: ([into, indices, updates]) => {
    expectIndices('addAt', indices!, [...into!.shape.slice(0, -1), indices!.shape.at(-1)!]);
    if (!sameShape(updates!.shape, indices!.shape))
      fail('addAt', `updates ${shapeText(indices!.shape)}`, shapeText(updates!.shape));
    return [{ dataType: into!.dataType, shape: into!.shape }];
  },
  addRows: ([into, indices, rows]) => {
    if (into!.shape.length !== 2 || rows!.shape.length !== 2 || !sameDim(rows!.shape[1]!, into!.shape[1]!))
      fail('addRows', `rows of ${shapeText(into!.shape)}`, shapeText(rows!.shape));
    expectIndices('addRows', indices!, [rows!.shape[0]!, 1]);
    return [{ dataType: into!.dataType, shape: into!.shape }];
  },
  gather: ([x, indices], { axis }) => {
    expectType('gather', indices!, 'int64');
    const at = axisOf('gather', axis, x!.shape);
    return [{ dataType: x!.dataType, shape: x!.shape.toSpliced(at, 1, ...indices!.shape) }];
  },
  concat: (inputs, { axis }) => {
    const first = inputs[0]!;
    const at = axisOf('concat', axis, first.shape);
    for (const input of inputs)
      if (input.dataType !== first.dataType || !sameShape(input.shape.toSpliced(at, 1), first.shape.toSpliced(at, 1)))
        fail(
          'concat',
          `${first.dataType} ${shapeText(first.shape)} but for axis ${at}`,
          `${input.dataType} ${shapeText(input.shape)}`,
        );
    return [
      { dataType: first.dataType, shape: first.shape.with(at, addDims(...inputs.map(({ shape }) => shape[at]!))) },
    ];
  },
  split: ([x], { axis, sizes }) => {
    const at = axisOf('split', axis, x!.shape);
    if (!sameDim(addDims(...sizes), x!.shape[at]!))
      fail('split', `sizes that sum to ${dimText(x!.shape[at]!)}`, shapeText(sizes));
    return sizes.map((size) => ({ dataType: x!.dataType, shape: x!.shape.with(at, size) }));
  },
  reshape: ([x], { shape }) => {
    if (!sameDim(multiplyDims(...shape), multiplyDims(...x!.shape)))
      fail('reshape', `as many elements as ${shapeText(x!.shape)}`, shapeText(shape));
    return [{ dataType: x!.dataType, shape }];
  },
  transpose: ([x], { permutation }) => {
    if ([...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i) || permutation.length !== x!.shape.length)
      fail('transpose', `a permutation of ${x!.shape.length} axes`, `[${permutation.join(', ')}]`);
    return [{ dataType: x!.dataType, shape: permutation.map((axis) => x!.shape[axis]!) }];
  },
  cast: ([x], { to }) => [{ dataType: to, shape: x!.shape }],
  topK: ([x], { k }) => {
    const shape = [...x!.shape.slice(0, -1), k];
    return [
      { dataType: x!.dataType, shape },
      { dataType: 'int64', shape },
    ];
  },
};

/** [.., rows, columns] of an operand after its flags are applied. */
function matrixShape(shape: Shape, transBatch: boolean, trans: boolean): Shape {
  if (shape.length < 2) fail('matMul', 'at least 2 dimensions', shapeText(shape));
  const plain = transBatch ? [...shape.slice(1, -1), shape[0]!, shape.at(-1)!] : shape;
  return trans ? [...plain.slice(0, -2), plain.at(-1)!, plain.at(-2)!] : plain;
}

function broadcastShapes(kind: OpKind, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (sameDim(left, right) || right === 1) return left;
    if (left === 1) return right;
    return fail(kind, 'shapes that broadcast', `${shapeText(a)} and ${shapeText(b)}`);
  });
}

function axisOf(kind: OpKind, axis: number, shape: Shape): number {
  const at = axis < 0 ? axis + shape.length : axis;
  if (at < 0 || at >= shape.length) fail(kind, `an axis of ${shapeText(shape)}`, `${axis}`);
  return at;
}

function expectIndices(kind: OpKind, indices: TensorType, shape: Shape): void {
  expectType(kind, indices, 'int64');
  if (!sameShape(indices.shape, shape)) fail(kind, `indices ${shapeText(shape)}`, shapeText(indices.shape));
}

function expectType(kind: OpKind, tensor: TensorType, dataType: DataType): void {
  if (tensor.dataType !== dataType) fail(kind, dataType, `${tensor.dataType} ${shapeText(tensor.shape)}`);
}

function fail(kind: OpKind, expected: string, got: string): never {
  throw new GraphError('LATHE_GRAPH_SHAPE', `${kind}: expected ${expected}, got ${got}`);
}
