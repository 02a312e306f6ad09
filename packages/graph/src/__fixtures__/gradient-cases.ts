import { backward } from '../backward.ts';
import { GraphBuilder } from '../builder.ts';
import type { OpKind } from '../op.ts';
import type { Tensor } from '../tensor.ts';

/** Numbers in (−1, 1) that are the same in every run, none near 0 where |x| and max have corners. */
function numbers(count: number, salt: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const wave = Math.sin((i + 1) * 12.9898 + salt * 78.233) * 43758.5453;
    const fraction = wave - Math.floor(wave);
    return fraction < 0.5 ? -0.9 + 1.6 * fraction : 0.1 + 1.6 * (fraction - 0.5);
  });
}

export interface Case {
  readonly kinds: readonly OpKind[];
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly integers?: Readonly<Record<string, { shape: readonly number[]; values: readonly number[] }>>;
  /** Values are shifted into (0.1, 1.9): for logarithms, roots and divisors. */
  readonly positive?: boolean;
  readonly build: (g: GraphBuilder, x: Record<string, Tensor>) => Tensor;
}

/** Small graphs that between them hold every op with a gradient. */
export const CASES: Record<string, Case> = {
  'add and sub with broadcasting': {
    kinds: ['add', 'sub'],
    inputs: { a: [2, 3, 4], b: [3, 1], c: [4] },
    build: (g, { a, b, c }) => g.sub(g.add(a!, b!), c!),
  },
  'mul and div with broadcasting': {
    kinds: ['mul', 'div'],
    inputs: { a: [2, 3], b: [3], c: [2, 1] },
    positive: true,
    build: (g, { a, b, c }) => g.div(g.mul(a!, b!), c!),
  },
  'a tensor used twice': { kinds: [], inputs: { a: [3] }, build: (g, { a }) => g.mul(a!, g.mul(a!, a!)) },
  'max, abs and sign': {
    kinds: ['max', 'abs', 'sign', 'greaterOrEqual'],
    inputs: { a: [2, 5], b: [5] },
    build: (g, { a, b }) => g.mul(g.max(a!, b!), g.add(g.abs(a!), g.sign(b!))),
  },
  'sqrt and log': {
    kinds: ['sqrt', 'log'],
    inputs: { a: [7] },
    positive: true,
    build: (g, { a }) => g.mul(g.sqrt(a!), g.log(a!)),
  },
  'exp, sigmoid, silu': {
    kinds: ['exp', 'sigmoid', 'silu'],
    inputs: { a: [9] },
    build: (g, { a }) => g.add(g.exp(a!), g.mul(g.sigmoid(a!), g.silu(a!))),
  },
  'matMul, plain': {
    kinds: ['matMul'],
    inputs: { a: [3, 4], b: [4, 5] },
    build: (g, { a, b }) => g.matMul(a!, b!),
  },
  'matMul, scaled and both transposed': {
    kinds: ['matMul'],
    inputs: { a: [4, 3], b: [5, 4] },
    build: (g, { a, b }) => g.matMul(a!, b!, { alpha: 0.5, transA: true, transB: true }),
  },
  'matMul, first transposed': {
    kinds: ['matMul'],
    inputs: { a: [4, 3], b: [4, 5] },
    build: (g, { a, b }) => g.matMul(a!, b!, { transA: true }),
  },
  'matMul, second transposed, few columns of the result': {
    kinds: ['matMul'],
    inputs: { a: [3, 5], b: [2, 5] },
    build: (g, { a, b }) => g.matMul(a!, b!, { transB: true }),
  },
  'matMul, scaled and second transposed, many columns of the result': {
    kinds: ['matMul'],
    inputs: { a: [3, 2], b: [5, 2] },
    build: (g, { a, b }) => g.matMul(a!, b!, { alpha: 0.5, transB: true }),
  },
  'matMul, one operand in several products': {
    kinds: ['matMul'],
    inputs: { a: [3, 2], b: [2, 2], c: [2, 4] },
    build: (g, { a, b, c }) => g.concat([g.matMul(a!, b!), g.matMul(a!, c!)], -1),
  },
  'matMul, second transposed, batched': {
    kinds: ['matMul'],
    inputs: { a: [2, 3, 4], b: [2, 5, 4] },
    build: (g, { a, b }) => g.matMul(a!, b!, { transB: true }),
  },
  'scales of 8-bit integers': {
    kinds: ['dequantizeLinear'],
    inputs: { scale: [3] },
    build: (g, { scale }) => {
      const q = g.constant('q', 'int8', [3, 4], Int8Array.from([-128, 5, 0, 127, 1, -2, 3, -4, 60, 61, -62, 63]));
      return g.dequantizeLinear(q, scale!);
    },
  },
  softmax: { kinds: ['softmax'], inputs: { a: [3, 5] }, build: (g, { a }) => g.softmax(a!) },
  'softmax into one product': {
    kinds: ['softmax', 'matMul'],
    inputs: { a: [2, 3, 5], b: [2, 5, 4] },
    build: (g, { a, b }) => g.matMul(g.softmax(a!), b!),
  },
  'softmax into a scaled product': {
    kinds: ['softmax', 'matMul'],
    inputs: { a: [3, 5], b: [5, 4] },
    build: (g, { a, b }) => g.matMul(g.softmax(a!), b!, { alpha: 0.5 }),
  },
  'softmax of one into a product for several': {
    kinds: ['softmax', 'matMul'],
    inputs: { a: [1, 3, 5], b: [2, 5, 4] },
    build: (g, { a, b }) => g.matMul(g.softmax(a!), b!),
  },
  'softmax into a product and a sum': {
    kinds: ['softmax', 'matMul'],
    inputs: { a: [3, 5], b: [5, 4] },
    build: (g, { a, b }) => {
      const y = g.softmax(a!);
      return g.concat([g.matMul(y, b!), y], -1);
    },
  },
  'cross entropy': {
    kinds: ['logSoftmax', 'pick'],
    inputs: { a: [4, 6] },
    integers: { target: { shape: [4, 1], values: [0, 5, 2, 2] } },
    build: (g, { a, target }) => g.pick(g.logSoftmax(a!), target!),
  },
  rmsNorm: {
    kinds: ['rmsNorm'],
    inputs: { x: [3, 6], gain: [6] },
    build: (g, { x, gain }) => g.rmsNorm(x!, gain!, 1e-5),
  },
  addRmsNorm: {
    kinds: ['addRmsNorm'],
    inputs: { a: [3, 6], b: [3, 6], gain: [6] },
    build: (g, { a, b, gain }) => {
      const { normed, sum } = g.addRmsNorm(a!, b!, gain!, 1e-5);
      return g.mul(normed, sum);
    },
  },
  layerNorm: {
    kinds: ['layerNorm'],
    inputs: { x: [3, 6], gain: [6], bias: [6] },
    build: (g, { x, gain, bias }) => g.layerNorm(x!, gain!, bias!, 1e-5),
  },
  'rotary, halves': {
    kinds: ['rotary'],
    inputs: { x: [1, 3, 8] },
    integers: { positions: { shape: [1, 3], values: [0, 2, 5] } },
    build: (g, { x, positions }) => rotate(g, x!, positions!, false),
  },
  'rotary, interleaved': {
    kinds: ['rotary'],
    inputs: { x: [1, 3, 8] },
    integers: { positions: { shape: [1, 3], values: [1, 3, 4] } },
    build: (g, { x, positions }) => rotate(g, x!, positions!, true),
  },
  reductions: {
    kinds: ['reduceMax', 'reduceSum', 'reduceMean'],
    inputs: { a: [3, 4] },
    build: (g, { a }) => g.mul(g.reduceMax(a!, 1), g.mul(g.reduceSum(a!, 0), g.reduceMean(a!, -1))),
  },
  'sums of squares': {
    kinds: ['reduceSumSquare'],
    inputs: { a: [3, 4] },
    build: (g, { a }) => g.mul(g.reduceSumSquare(a!, 0), g.reduceSumSquare(a!, -1)),
  },
  expand: { kinds: ['expand'], inputs: { a: [3, 1] }, build: (g, { a }) => g.expand(a!, [2, 3, 4]) },
  'embedding lookup with a repeated row': {
    kinds: ['gather'],
    inputs: { table: [5, 3] },
    integers: { token: { shape: [2, 2], values: [1, 4, 1, 0] } },
    build: (g, { table, token }) => g.gather(table!, token!, 0),
  },
  'lookup in a table of many rows': {
    kinds: ['gather'],
    inputs: { table: [1100, 1] },
    integers: { token: { shape: [5], values: [1, 1099, 1, 0, 700] } },
    build: (g, { table, token }) => g.gather(table!, token!, 0),
  },
  scatters: {
    kinds: ['addAt', 'addRows'],
    inputs: { into: [4, 3], rows: [2, 3], updates: [4, 1] },
    integers: { row: { shape: [2, 1], values: [2, 2] }, at: { shape: [4, 1], values: [0, 2, 1, 1] } },
    build: (g, { into, rows, updates, row, at }) => g.addAt(g.addRows(into!, row!, rows!), at!, updates!),
  },
  'shapes: concat, split, reshape, transpose, cast': {
    kinds: ['concat', 'split', 'reshape', 'transpose', 'cast'],
    inputs: { a: [2, 3, 4], b: [2, 3, 2] },
    build: (g, { a, b }) => {
      const [first, , last] = g.split(g.concat([a!, b!], -1), [1, 3, 2], -1);
      const turned = g.transpose(g.cast(last!, 'float32'), [2, 0, 1]);
      return g.mul(g.reshape(turned, [4, 3]), g.reshape(g.concat([first!, first!], 0), [4, 3]));
    },
  },
};

function rotate(g: GraphBuilder, x: Tensor, positions: Tensor, interleaved: boolean): Tensor {
  const angles = Array.from({ length: 12 }, (_, i) => (i >> 1) * (i % 2 === 0 ? 1 : 0.3));
  const cos = g.constant('cos', 'float32', [6, 2], Float32Array.from(angles, Math.cos));
  const sin = g.constant('sin', 'float32', [6, 2], Float32Array.from(angles, Math.sin));
  return g.rotary(x, positions, cos, sin, 2, interleaved);
}

/** The case with a loss Σ y · w for fixed random w, so that no error can cancel, and the gradient of every input. */
export function withGradients({ inputs, integers = {}, positive, build }: Case) {
  const g = new GraphBuilder();
  const tensors: Record<string, Tensor> = {};
  const feeds: Record<string, { shape: readonly number[]; values: readonly number[]; integer: boolean }> = {};
  for (const [i, [name, shape]] of Object.entries(inputs).entries()) {
    tensors[name] = g.input(name, 'float32', shape);
    const values = numbers(
      shape.reduce((a, b) => a * b, 1),
      i + 1,
    ).map((value) => (positive ? value + 1 : value));
    feeds[name] = { shape, values, integer: false };
  }
  for (const [name, { shape, values }] of Object.entries(integers)) {
    tensors[name] = g.input(name, 'int64', shape);
    feeds[name] = { shape, values, integer: true };
  }
  const y = build(g, tensors);
  const shape = y.shape as readonly number[];
  const weights = Float32Array.from(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      99,
    ),
  );
  let loss = g.mul(y, g.constant('weights', 'float32', shape, weights));
  for (const axis of shape.keys()) loss = g.reduceSum(loss, axis);
  const wrt = Object.keys(inputs);
  g.output('loss', loss);
  const gradients = backward(
    g,
    loss,
    wrt.map((name) => tensors[name]!),
  );
  for (const [i, name] of wrt.entries()) g.output(`d.${name}`, gradients[i]!);
  return { graph: g.build(), feeds, wrt };
}
