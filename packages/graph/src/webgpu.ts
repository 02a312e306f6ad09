/**
 * A graph in the ops that onnxruntime's WebGPU provider runs itself and runs right. The others it would leave to the
 * processor without a word, each with a copy there and back; they are composed from what it has. Which ones those are was
 * found by running each op with the fall-back forbidden and comparing its results with the processor's.
 */
import { type Constant, type Graph, GraphBuilder } from './builder.ts';
import { addDims, type Shape, shapeText } from './dimension.ts';
import { GraphError } from './graph-error.ts';
import type { Op, OpKind, OpOf } from './op.ts';
import type { Tensor } from './tensor.ts';

export interface WebGpuGraph {
  readonly graph: Graph;
  /** Inputs that hold what another one holds, in another shape. */
  readonly views: readonly View[];
}

export interface View {
  readonly name: string;
  readonly source: string;
  readonly shape: Shape;
}

interface Context {
  readonly g: GraphBuilder;
  number(value: number): Tensor;
  /** An integer input or constant in another shape: the provider reads int64 as indices but moves it nowhere. */
  reshapeInteger(tensor: Tensor, shape: Shape): Tensor;
}

/** The op's result, or its results. */
type Composed<O extends Op> = (context: Context, op: O, inputs: readonly Tensor[]) => Tensor | readonly Tensor[];

const composed = {
  // [x ≥ 0] − [0 ≥ x]
  sign: ({ g, number }, _, [x]) => {
    const zero = number(0);
    return g.sub(g.cast(g.greaterOrEqual(x!, zero), 'float32'), g.cast(g.greaterOrEqual(zero, x!), 'float32'));
  },
  // The flags of FusedMatMul as operations of their own.
  matMul: ({ g, number }, op, [a, b]) => {
    let left = op.transA ? swapLast(g, batchFirst(g, a!, op.transBatchA)) : batchFirst(g, a!, op.transBatchA);
    let right = op.transB ? swapLast(g, batchFirst(g, b!, op.transBatchB)) : batchFirst(g, b!, op.transBatchB);
    // An inner dimension of 0 ends the process. One that may be 0 is made longer by a zero on each side.
    if (typeof left.shape.at(-1) !== 'number') {
      left = g.concat([left, g.expand(number(0), left.shape.with(-1, 1))], -1);
      right = g.concat([right, g.expand(number(0), right.shape.with(-2, 1))], -2);
    }
    const product = g.matMul(left, right);
    return op.alpha === 1 ? product : g.mul(product, number(op.alpha));
  },
  // c = x − max x:  c − ln Σ eᶜ
  logSoftmax: ({ g }, _, [x]) => {
    const c = g.sub(x!, g.reduceMax(x!, -1));
    return g.sub(c, g.log(g.reduceSum(g.exp(c), -1)));
  },
  reduceSumSquare: ({ g }, { axis }, [x]) => g.reduceSum(g.mul(x!, x!), axis),
  addRmsNorm: ({ g }, { epsilon }, [a, b, gain]) => {
    const sum = g.add(a!, b!);
    return [g.rmsNorm(sum, gain!, epsilon), sum];
  },
  reshape: ({ g, reshapeInteger }, { shape }, [x]) =>
    x!.dataType === 'float32' ? g.reshape(x!, shape) : reshapeInteger(x!, shape),
  addRows: ({ g }, op, inputs) => g.apply({ ...op, atomic: true }, inputs)[0]!,
  split: ({ g }, { sizes, axis }, [x]) => splitInTurns(g, x!, sizes, axis),
  matMulIntegerToFloat: () => {
    throw unsupported('products of 8-bit integers', 'Use the precision exact or f32.');
  },
  quantizeLinear: () => {
    throw unsupported('rounding to 8 bits', 'Use the precision exact or f32.');
  },
  bitwiseAnd: () => {
    throw unsupported('operations on bits', null);
  },
  shiftRight: () => {
    throw unsupported('operations on bits', null);
  },
} satisfies { [K in OpKind]?: Composed<OpOf<K>> };

/** Every op: what it is composed of, or that the provider has it. */
const RULES: { readonly [K in OpKind]: Composed<OpOf<K>> | 'has' } = {
  ...composed,
  add: 'has',
  sub: 'has',
  mul: 'has',
  div: 'has',
  max: 'has',
  abs: 'has',
  sqrt: 'has',
  greaterOrEqual: 'has',
  exp: 'has',
  log: 'has',
  sigmoid: 'has',
  silu: 'has',
  matMulNBits: 'has',
  dequantizeLinear: 'has',
  softmax: 'has',
  // Its first result is right; only the second, which is not asked for here, holds something else.
  rmsNorm: 'has',
  rotary: 'has',
  layerNorm: 'has',
  reduceMax: 'has',
  reduceSum: 'has',
  reduceMean: 'has',
  expand: 'has',
  pick: 'has',
  addAt: 'has',
  gather: 'has',
  concat: 'has',
  transpose: 'has',
  cast: 'has',
  topK: 'has',
};

/** Throws `GraphError` where an op can neither be run nor be composed. */
export function forWebGpu(graph: Graph): WebGpuGraph {
  const g = new GraphBuilder();
  const views: View[] = [];
  const numbers = new Map<number, Tensor>();
  const constants = new Map<string, Constant>(graph.constants.map((constant) => [constant.tensor.name, constant]));
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const context: Context = {
    g,
    number(value) {
      const made = numbers.get(value) ?? g.scalar(`webgpu.${value}`, value);
      numbers.set(value, made);
      return made;
    },
    reshapeInteger(tensor, shape) {
      const name = `${tensor.name} as ${shapeText(shape)}`;
      const made = integers.get(name);
      if (made !== undefined) return made;
      const constant = constants.get(tensor.name);
      if (constant === undefined && !inputs.has(tensor.name))
        throw unsupported(`${tensor.dataType} values that are computed, in another shape`, null);
      const view = constant
        ? g.constant(name, tensor.dataType, shape as readonly number[], constant.data)
        : g.input(name, tensor.dataType, shape);
      if (constant === undefined) views.push({ name, source: tensor.name, shape });
      integers.set(name, view);
      return view;
    },
  };
  const integers = new Map<string, Tensor>();

  const lowered = new Map<string, Tensor>();
  for (const { name, dataType, shape } of graph.inputs) lowered.set(name, g.input(name, dataType, shape));
  for (const { tensor, data } of graph.constants)
    lowered.set(tensor.name, g.constant(tensor.name, tensor.dataType, tensor.shape as readonly number[], data));
  for (const { op, inputs, outputs } of graph.nodes) {
    const operands = inputs.map(({ name }) => lowered.get(name)!);
    // The table's entry and the op agree by `kind`, which the compiler cannot follow through an index.
    const rule = RULES[op.kind] as Composed<Op> | 'has';
    const results = rule === 'has' ? g.apply(op, operands) : [rule(context, op, operands)].flat();
    for (const [i, { name }] of outputs.entries()) lowered.set(name, results[i]!);
  }
  for (const { name, tensor } of graph.outputs) g.output(name, lowered.get(tensor.name)!);
  return { graph: g.build(), views };
}

/** Every tensor of a shader takes one of its storage buffers, of which all GPUs have 8 and hardly any many more. */
const MOST_PARTS = 7;

/** Many parts are cut out of a few larger ones. */
function splitInTurns(g: GraphBuilder, x: Tensor, sizes: Shape, axis: number): readonly Tensor[] {
  if (sizes.length <= MOST_PARTS) return g.split(x, sizes, axis);
  const width = Math.ceil(sizes.length / MOST_PARTS);
  const groups = Array.from({ length: Math.ceil(sizes.length / width) }, (_, i) =>
    sizes.slice(i * width, (i + 1) * width),
  );
  const larger = g.split(
    x,
    groups.map((group) => addDims(...group)),
    axis,
  );
  return larger.flatMap((part, i) => splitInTurns(g, part, groups[i]!, axis));
}

function swapLast(g: GraphBuilder, x: Tensor): Tensor {
  const rank = x.shape.length;
  return g.transpose(x, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
}

/** [M, B, K] → [B, M, K] */
function batchFirst(g: GraphBuilder, x: Tensor, swapped: boolean): Tensor {
  if (!swapped) return x;
  const middle = Array.from({ length: x.shape.length - 2 }, (_, i) => i + 1);
  return g.transpose(x, [...middle, 0, x.shape.length - 1]);
}

function unsupported(what: string, remedy: string | null): GraphError {
  return new GraphError('LATHE_GRAPH_DEVICE', `the WebGPU provider does not run ${what}`, { remedy });
}

/** Why a session for the provider could not be opened: onnxruntime says it in words only. */
export function webGpuError(cause: unknown): GraphError {
  const said = cause instanceof Error ? cause.message : String(cause);
  if (/WebGPU adapter|WebGPU device|WebGpuContext/.test(said))
    return new GraphError(
      'LATHE_GRAPH_DEVICE',
      'there is no GPU that WebGPU can use: expected an adapter of Vulkan, Direct3D 12 or Metal, got none',
      {
        cause,
        remedy:
          "Leave --device webgpu out, or install the GPU's driver (on Linux its Vulkan driver, and apt-get install -y libvulkan1).",
      },
    );
  if (said.includes('fallback to CPU EP has been explicitly disabled'))
    return new GraphError('LATHE_GRAPH_DEVICE', 'the graph holds an operation that the WebGPU provider does not run', {
      cause,
      remedy: 'Leave --device webgpu out.',
    });
  return new GraphError('LATHE_GRAPH_RUNTIME', `onnxruntime refused the graph: ${said}`, { cause });
}
