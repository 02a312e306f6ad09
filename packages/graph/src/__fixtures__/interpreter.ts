import type { Graph } from '../builder.ts';
import type { Op, OpKind, OpOf } from '../op.ts';
import type { Tensor } from '../tensor.ts';

/** A tensor in double precision. Integers are held as numbers. */
export interface Dense {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

type Rule<O extends Op> = (op: O, inputs: readonly Dense[], outputs: readonly Tensor[]) => readonly Dense[];

export function dense(shape: readonly number[], data: ArrayLike<number>): Dense {
  return { shape, data: Float64Array.from(data) };
}

/**
 * Evaluates a graph of fixed shapes in double precision, as plainly as can be: the yardstick for the runtime and for
 * gradients.
 */
export function interpret(graph: Graph, feeds: Readonly<Record<string, Dense>>): Record<string, Dense> {
  const values = new Map<string, Dense>(Object.entries(feeds));
  for (const { tensor, data } of graph.constants)
    values.set(tensor.name, dense(tensor.shape as number[], Array.from(data, Number)));
  for (const { op, inputs, outputs } of graph.nodes) {
    const rule = RULES[op.kind] as Rule<Op>;
    const results = rule(
      op,
      inputs.map(({ name }) => values.get(name)!),
      outputs,
    );
    for (const [i, { name }] of outputs.entries()) values.set(name, results[i]!);
  }
  return Object.fromEntries(graph.outputs.map(({ name, tensor }) => [name, values.get(tensor.name)!]));
}

function size(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Index along each dimension of the element at `flat`. */
function place(shape: readonly number[], flat: number): number[] {
  const at = new Array<number>(shape.length);
  let rest = flat;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return at;
}

/** Element of `x` at `at`, whose dimensions may be broadcast. */
function element(x: Dense, at: readonly number[]): number {
  const extra = at.length - x.shape.length;
  return x.data[x.shape.reduce((flat, dim, axis) => flat * dim + (dim === 1 ? 0 : at[axis + extra]!), 0)]!;
}

function make(shape: readonly number[], value: (at: number[], flat: number) => number): Dense {
  const data = new Float64Array(size(shape));
  for (let flat = 0; flat < data.length; flat++) data[flat] = value(place(shape, flat), flat);
  return { shape, data };
}

const binary =
  (f: (a: number, b: number) => number): Rule<Op> =>
  (_, [a, b], [y]) => [make(y!.shape as number[], (at) => f(element(a!, at), element(b!, at)))];
const unary =
  (f: (x: number) => number): Rule<Op> =>
  (_, [x]) => [{ shape: x!.shape, data: x!.data.map(f) }];

/** Applies f to every run of the last dimension. */
function lastDimension(x: Dense, f: (run: Float64Array) => ArrayLike<number>): Dense {
  const width = x.shape.at(-1)!;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += width) data.set(f(x.data.subarray(start, start + width)), start);
  return { shape: x.shape, data };
}

const reduce =
  (f: (values: number[]) => number): Rule<OpOf<'reduceMax' | 'reduceSum' | 'reduceMean' | 'reduceSumSquare'>> =>
  ({ axis }, [x], [y]) => {
    const along = axis < 0 ? axis + x!.shape.length : axis;
    return [
      make(y!.shape as number[], (at) =>
        f(Array.from({ length: x!.shape[along]! }, (_, i) => element(x!, at.with(along, i)))),
      ),
    ];
  };

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
const unsupported: Rule<Op> = ({ kind }) => {
  throw new Error(`the interpreter has no ${kind}`);
};

const RULES: { readonly [K in OpKind]: Rule<OpOf<K>> } = {
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  max: binary(Math.max),
  greaterOrEqual: binary((a, b) => (a >= b ? 1 : 0)),
  abs: unary(Math.abs),
  sign: unary(Math.sign),
  sqrt: unary(Math.sqrt),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  silu: unary((x) => x / (1 + Math.exp(-x))),
  softmax: (_, [x]) => [
    lastDimension(x!, (run) => {
      const exps = run.map((value) => Math.exp(value - Math.max(...run)));
      return exps.map((value) => value / sum(exps));
    }),
  ],
  logSoftmax: (_, [x]) => [
    lastDimension(x!, (run) => {
      const largest = Math.max(...run);
      const total = Math.log(sum(run.map((value) => Math.exp(value - largest))));
      return run.map((value) => value - largest - total);
    }),
  ],
  matMul: (op, [a, b], [y]) => {
    if (op.transBatchA || op.transBatchB) throw new Error('the interpreter has no swapped batch');
    const inner = a!.shape.at(op.transA ? -2 : -1)!;
    return [
      make(y!.shape as number[], (at) => {
        const batch = at.slice(0, -2);
        const [row, column] = [at.at(-2)!, at.at(-1)!];
        let total = 0;
        for (let k = 0; k < inner; k++)
          total +=
            element(a!, [...batch, ...(op.transA ? [k, row] : [row, k])].slice(-Math.max(a!.shape.length, at.length))) *
            element(b!, [...batch, ...(op.transB ? [column, k] : [k, column])]);
        return op.alpha * total;
      }),
    ];
  },
  matMulNBits: unsupported,
  matMulIntegerToFloat: unsupported,
  quantizeLinear: unsupported,
  dequantizeLinear: (_, [q, scale]) => [make(q!.shape, (at, flat) => scale!.data[at[0]!]! * q!.data[flat]!)],
  bitwiseAnd: binary((a, b) => a & b),
  shiftRight: binary((a, b) => a >> b),
  topK: unsupported,
  rmsNorm: ({ epsilon }, [x, gain]) => [
    lastDimension(x!, (run) => {
      const r = 1 / Math.sqrt(sum(run.map((v) => v * v)) / run.length + epsilon);
      return run.map((v, i) => v * r * gain!.data[i]!);
    }),
  ],
  addRmsNorm: ({ epsilon }, [a, b, gain], [y]) => {
    const sums = make(y!.shape as number[], (at) => element(a!, at) + element(b!, at));
    return [...RULES.rmsNorm({ kind: 'rmsNorm', epsilon }, [sums, gain!], [y!]), sums];
  },
  layerNorm: ({ epsilon }, [x, gain, bias]) => [
    lastDimension(x!, (run) => {
      const mean = sum(run) / run.length;
      const r = 1 / Math.sqrt(sum(run.map((v) => (v - mean) ** 2)) / run.length + epsilon);
      return run.map((v, i) => (v - mean) * r * gain!.data[i]! + bias!.data[i]!);
    }),
  ],
  rotary: ({ heads, interleaved }, [x, positions, cos, sin]) => {
    const half = cos!.shape[1]!;
    return [
      make(x!.shape, (at) => {
        const inHead = at[2]! % (2 * half);
        const start = at[2]! - inHead;
        const pair = interleaved ? inHead >> 1 : inHead % half;
        const first = interleaved ? inHead % 2 === 0 : inHead < half;
        const partner = start + (interleaved ? inHead ^ 1 : (inHead + half) % (2 * half));
        const position = element(positions!, at.slice(0, 2));
        const [c, s] = [cos!.data[position * half + pair]!, sin!.data[position * half + pair]!];
        if (x!.shape[2] !== heads * 2 * half) throw new Error('heads do not fit');
        return element(x!, at) * c + (first ? -1 : 1) * element(x!, at.with(2, partner)) * s;
      }),
    ];
  },
  reduceMax: reduce((values) => Math.max(...values)),
  reduceSum: reduce(sum),
  reduceMean: reduce((values) => sum(values) / values.length),
  reduceSumSquare: reduce((values) => sum(values.map((value) => value * value))),
  expand: (_, [x], [y]) => [make(y!.shape as number[], (at) => element(x!, at))],
  pick: (_, [x, indices]) => [make(indices!.shape, (at, flat) => element(x!, at.with(-1, indices!.data[flat]!)))],
  addAt: (_, [into, indices, updates]) => {
    const data = Float64Array.from(into!.data);
    const width = into!.shape.at(-1)!;
    indices!.data.forEach((index, i) => {
      const at = Math.floor(i / indices!.shape.at(-1)!) * width + index;
      data[at] = data[at]! + updates!.data[i]!;
    });
    return [{ shape: into!.shape, data }];
  },
  addRows: (_, [into, indices, rows]) => {
    const data = Float64Array.from(into!.data);
    const width = into!.shape[1]!;
    indices!.data.forEach((index, i) => {
      for (let c = 0; c < width; c++) data[index * width + c] = data[index * width + c]! + rows!.data[i * width + c]!;
    });
    return [{ shape: into!.shape, data }];
  },
  gather: ({ axis }, [x, indices], [y]) => {
    const along = axis < 0 ? axis + x!.shape.length : axis;
    const rank = indices!.shape.length;
    return [
      make(y!.shape as number[], (at) =>
        element(x!, at.toSpliced(along, rank, element(indices!, at.slice(along, along + rank)))),
      ),
    ];
  },
  concat: ({ axis }, inputs, [y]) => {
    const along = axis < 0 ? axis + inputs[0]!.shape.length : axis;
    return [
      make(y!.shape as number[], (at) => {
        let offset = at[along]!;
        const part = inputs.find(({ shape }) => {
          if (offset < shape[along]!) return true;
          offset -= shape[along]!;
          return false;
        });
        return element(part!, at.with(along, offset));
      }),
    ];
  },
  split: ({ axis }, [x], outputs) => {
    const along = axis < 0 ? axis + x!.shape.length : axis;
    let start = 0;
    return outputs.map(({ shape }) => {
      const from = start;
      start += shape[along] as number;
      return make(shape as number[], (at) => element(x!, at.with(along, at[along]! + from)));
    });
  },
  reshape: ({ shape }, [x]) => [{ shape: shape as number[], data: x!.data }],
  transpose: ({ permutation }, [x], [y]) => [
    make(y!.shape as number[], (at) => {
      const source = new Array<number>(at.length);
      permutation.forEach((axis, i) => {
        source[axis] = at[i]!;
      });
      return element(x!, source);
    }),
  ],
  cast: (_, [x]) => [x!],
};
