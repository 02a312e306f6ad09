import type { GraphBuilder } from './builder.ts';
import { type Dim, dimText, multiplyDims, type Shape, sameDim } from './dimension.ts';
import { GraphError } from './graph-error.ts';
import type { Op, OpKind, OpOf } from './op.ts';
import type { Tensor } from './tensor.ts';

/** What a rule has at hand besides the builder: numbers as tensors, each made once. */
export interface GradientContext {
  readonly g: GraphBuilder;
  number(value: number): Tensor;
  /** A matrix with rows and columns swapped, made once. */
  transposed(matrix: Tensor): Tensor;
  /**
   * Where the node's result goes into one product y · B and nowhere else: that product and its gradient. Then
   * Σ dy · y over a row is Σ of the product with its gradient, over rows that are often much shorter.
   */
  readonly product: { readonly value: Tensor; readonly gradient: Tensor } | null;
  /** Which inputs' gradients are wanted; the others' may be left out as null. */
  readonly needs: readonly boolean[];
}

export interface ForwardNode<O extends Op> {
  readonly op: O;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** From ∂L/∂outputs to ∂L/∂inputs. `dy` is null for a result the loss does not depend on; null for an input without gradient. */
type Rule<O extends Op> = (
  context: GradientContext,
  node: ForwardNode<O>,
  dy: readonly (Tensor | null)[],
) => readonly (Tensor | null)[];

/** Rows of a table up to which a product with one-hot rows is cheaper than adding one by one. */
const MOST_ONE_HOT = 1024;

/**
 * The derivative of every op, beside its formula. `y` is the op's result, `dy` its gradient, Σ sums over what the op
 * summed or broadcast. The table is total: an op without an entry does not compile. An op that has no useful derivative
 * (rounding, choosing by rank) throws when a gradient is asked to pass through it, rather than letting it vanish.
 */
export const GRADIENTS: { readonly [K in OpKind]: Rule<OpOf<K>> } = {
  // y = a + b:  da = dy, db = dy
  add: ({ g, needs }, { inputs: [a, b] }, [dy]) => [
    needs[0] ? sumTo(g, dy!, a!.shape) : null,
    needs[1] ? sumTo(g, dy!, b!.shape) : null,
  ],
  // y = a − b:  da = dy, db = −dy
  sub: ({ g, needs, number }, { inputs: [a, b] }, [dy]) => [
    needs[0] ? sumTo(g, dy!, a!.shape) : null,
    needs[1] ? sumTo(g, g.mul(dy!, number(-1)), b!.shape) : null,
  ],
  // y = a · b:  da = dy · b, db = dy · a
  mul: ({ g, needs }, { inputs: [a, b] }, [dy]) => [
    needs[0] ? sumTo(g, g.mul(dy!, b!), a!.shape) : null,
    needs[1] ? sumTo(g, g.mul(dy!, a!), b!.shape) : null,
  ],
  // y = a / b:  da = dy / b, db = −dy · y / b
  div: ({ g, needs, number }, { inputs: [a, b], outputs: [y] }, [dy]) => [
    needs[0] ? sumTo(g, g.div(dy!, b!), a!.shape) : null,
    needs[1] ? sumTo(g, g.mul(g.div(g.mul(dy!, y!), b!), number(-1)), b!.shape) : null,
  ],
  // y = max(a, b):  da = dy · [a ≥ b], db = dy − da
  max: ({ g }, { inputs: [a, b] }, [dy]) => {
    const toA = g.mul(dy!, g.cast(g.greaterOrEqual(a!, b!), 'float32'));
    return [sumTo(g, toA, a!.shape), sumTo(g, g.sub(dy!, toA), b!.shape)];
  },
  // y = |x|:  dx = dy · sign(x)
  abs: ({ g }, { inputs: [x] }, [dy]) => [g.mul(dy!, g.sign(x!))],
  // Constant between its jumps.
  sign: ({ g, number }, { inputs: [x] }) => [g.expand(number(0), x!.shape)],
  // y = √x:  dx = dy / 2y
  sqrt: ({ g, number }, { outputs: [y] }, [dy]) => [g.div(g.mul(dy!, number(0.5)), y!)],
  greaterOrEqual: () => [null, null],
  // y = eˣ:  dx = dy · y
  exp: ({ g }, { outputs: [y] }, [dy]) => [g.mul(dy!, y!)],
  // y = ln x:  dx = dy / x
  log: ({ g }, { inputs: [x] }, [dy]) => [g.div(dy!, x!)],
  // y = σ(x):  dx = dy · y · (1 − y)
  sigmoid: ({ g, number }, { outputs: [y] }, [dy]) => [g.mul(dy!, g.mul(y!, g.sub(number(1), y!)))],
  // y = x · σ(x):  dx = dy · (σ + y · (1 − σ))
  silu: ({ g, number }, { inputs: [x], outputs: [y] }, [dy]) => {
    const s = g.sigmoid(x!);
    return [g.mul(dy!, g.add(s, g.mul(y!, g.sub(number(1), s))))];
  },
  // y = α · A · B:  dA = α · dy · Bᵀ, dB = α · Aᵀ · dy, each transposed where the operand was
  matMul: ({ g, needs, transposed }, { op, inputs: [a, b] }, [dy]) => {
    const { alpha, transA, transB } = op;
    if (op.transBatchA || op.transBatchB) throw notDifferentiable('matMul', 'with its batch dimension swapped');
    const toA = () =>
      transA
        ? g.matMul(b!, dy!, { alpha, transA: transB, transB: true })
        : g.matMul(dy!, b!, { alpha, transB: !transB });
    const toB = () => {
      if (a!.shape.length === 2 && b!.shape.length === 2 && !transA)
        return transB ? overRows(g, transposed, dy!, a!, alpha) : overRows(g, transposed, a!, dy!, alpha);
      return transB
        ? g.matMul(dy!, a!, { alpha, transA: true, transB: transA })
        : g.matMul(a!, dy!, { alpha, transA: !transA });
    };
    return [needs[0] ? sumTo(g, toA(), a!.shape) : null, needs[1] ? sumTo(g, toB(), b!.shape) : null];
  },
  matMulNBits: () => {
    throw notDifferentiable(
      'matMulNBits',
      'because its weights are packed for the forward product alone; train through dequantised weights',
    );
  },
  matMulIntegerToFloat: () => {
    throw notDifferentiable('matMulIntegerToFloat', 'because its operands are integers');
  },
  quantizeLinear: () => {
    throw notDifferentiable('quantizeLinear', 'because it rounds');
  },
  // y = scale · q:  dscale = Σ dy · q over the row; integers have none
  dequantizeLinear: ({ g }, { inputs: [q, scale] }, [dy]) => [
    null,
    g.reshape(g.reduceSum(g.mul(dy!, g.cast(q!, 'float32')), -1), scale!.shape),
  ],
  bitwiseAnd: () => {
    throw notDifferentiable('bitwiseAnd', 'because its operands are integers');
  },
  shiftRight: () => {
    throw notDifferentiable('shiftRight', 'because its operands are integers');
  },
  // y = softmax(x):  dx = y · (dy − Σ dy · y)
  softmax: ({ g, product }, { outputs: [y] }, [dy]) => {
    const mixed = product === null ? g.mul(dy!, y!) : g.mul(product.value, product.gradient);
    return [g.mul(y!, g.sub(dy!, g.reduceSum(mixed, -1)))];
  },
  // y = log softmax(x):  dx = dy − e^y · Σ dy
  logSoftmax: ({ g }, { outputs: [y] }, [dy]) => [g.sub(dy!, g.mul(g.exp(y!), g.reduceSum(dy!, -1)))],
  // y = x · r · gain, r = 1 / √(mean x² + ε); p = dy · x, Σ over the row or over the rows as a product of matrices:
  // dgain = Σ p · r, dx = r · (dy · gain − x · r² · mean(p · gain))
  rmsNorm: ({ g, needs, number }, { op, inputs: [x, gain] }, [dy]) => {
    const rows = asRows(g, x!);
    const dRows = asRows(g, dy!);
    const r = inverseRoot(g, number, rows, op.epsilon);
    const p = g.mul(dRows, rows);
    const dx = () => {
      const shrink = g.mul(g.mul(r, r), meanWith(g, p, gain!));
      return g.reshape(g.mul(r, g.sub(g.mul(dRows, gain!), g.mul(rows, shrink))), x!.shape);
    };
    return [needs[0] ? dx() : null, needs[1] ? g.reshape(g.matMul(r, p, { transA: true }), gain!.shape) : null];
  },
  // s = a + b, y = rmsNorm(s):  da = db = ds + drmsNorm
  addRmsNorm: (context, { op, inputs: [, , gain], outputs: [y, s] }, [dy, ds]) => {
    const { g, needs } = context;
    const [throughNorm, dgain] = dy
      ? GRADIENTS.rmsNorm(
          { ...context, needs: [needs[0]! || needs[1]!, needs[2]!] },
          { op: { kind: 'rmsNorm', epsilon: op.epsilon }, inputs: [s!, gain!], outputs: [y!] },
          [dy],
        )
      : [null, null];
    const d = throughNorm && ds ? g.add(throughNorm, ds) : (throughNorm ?? ds ?? null);
    return [needs[0] ? d : null, needs[1] ? d : null, dgain ?? null];
  },
  // c = x − mean x, r = 1 / √(mean c² + ε), y = c · r · gain + bias; p = dy · c:
  // dgain = Σ p · r, dbias = Σ dy, dx = r · (dy · gain − mean(dy · gain) − c · r² · mean(p · gain))
  layerNorm: ({ g, needs, number }, { op, inputs: [x, gain, bias] }, [dy]) => {
    const rows = asRows(g, x!);
    const dRows = asRows(g, dy!);
    const c = g.sub(rows, g.reduceMean(rows, -1));
    const r = inverseRoot(g, number, c, op.epsilon);
    const p = g.mul(dRows, c);
    const dx = () => {
      const shrink = g.mul(g.mul(r, r), meanWith(g, p, gain!));
      const even = g.sub(g.mul(dRows, gain!), meanWith(g, dRows, gain!));
      return g.reshape(g.mul(r, g.sub(even, g.mul(c, shrink))), x!.shape);
    };
    return [
      needs[0] ? dx() : null,
      needs[1] ? g.reshape(g.matMul(r, p, { transA: true }), gain!.shape) : null,
      needs[2] ? sumTo(g, dy!, bias!.shape) : null,
    ];
  },
  // y = R(θ) · x, a rotation:  dx = R(−θ) · dy
  rotary: ({ g, number }, { op, inputs: [, positions, cos, sin] }, [dy]) => [
    g.rotary(dy!, positions!, cos!, g.mul(sin!, number(-1)), op.heads, op.interleaved),
    null,
    null,
    null,
  ],
  // y = max x:  dx = dy shared by the entries that equal y
  reduceMax: ({ g }, { op, inputs: [x], outputs: [y] }, [dy]) => {
    const largest = g.cast(g.greaterOrEqual(x!, y!), 'float32');
    return [g.mul(g.div(largest, g.reduceSum(largest, op.axis)), dy!)];
  },
  // y = Σ x:  dx = dy, repeated
  reduceSum: ({ g }, { inputs: [x] }, [dy]) => [g.expand(dy!, x!.shape)],
  // y = Σ x / n:  dx = dy / n, repeated
  reduceMean: ({ g, number }, { op, inputs: [x] }, [dy]) => {
    const n = x!.shape.at(op.axis)!;
    if (typeof n !== 'number') throw notDifferentiable('reduceMean', `over a dimension of unknown size ${dimText(n)}`);
    return [g.expand(g.mul(dy!, number(1 / n)), x!.shape)];
  },
  // y = Σ x²:  dx = 2 · x · dy
  reduceSumSquare: ({ g, number }, { inputs: [x] }, [dy]) => [g.mul(x!, g.mul(dy!, number(2)))],
  // y = x, repeated:  dx = Σ dy
  expand: ({ g }, { inputs: [x] }, [dy]) => [sumTo(g, dy!, x!.shape)],
  // y = x[i]:  dx = dy at i, 0 elsewhere
  pick: ({ g, number }, { inputs: [x, indices] }, [dy]) => [
    g.addAt(g.expand(number(0), x!.shape), indices!, dy!),
    null,
  ],
  // y = into, updates added at i:  dinto = dy, dupdates = dy[i]
  addAt: ({ g }, { inputs: [, indices] }, [dy]) => [dy!, null, g.pick(dy!, indices!)],
  // y = into, rows added at i:  dinto = dy, drows = dy[i]
  addRows: ({ g }, { inputs: [, indices] }, [dy]) => [
    dy!,
    null,
    g.gather(dy!, g.reshape(indices!, [indices!.shape[0]!]), 0),
  ],
  // y = x[i]:  dx = Σ dy over the places that took the row; for few rows as a product with one-hot rows
  gather: ({ g, number }, { op, inputs: [x, indices] }, [dy]) => {
    if (op.axis !== 0 || x!.shape.length !== 2) throw notDifferentiable('gather', 'except of the rows of a matrix');
    const count = multiplyDims(...indices!.shape);
    const [rows, width] = x!.shape as readonly [Dim, Dim];
    const dRows = g.reshape(dy!, [count, width]);
    const at = g.reshape(indices!, [count, 1]);
    if (typeof rows !== 'number' || rows > MOST_ONE_HOT)
      return [g.addRows(g.expand(number(0), x!.shape), at, dRows), null];
    const oneHot = g.addAt(g.expand(number(0), [count, rows]), at, g.expand(number(1), [count, 1]));
    return [g.matMul(oneHot, dRows, { transA: true }), null];
  },
  // y = [a b …]:  each its part of dy
  concat: ({ g }, { op, inputs }, [dy]) =>
    g.split(
      dy!,
      inputs.map(({ shape }) => shape.at(op.axis)!),
      op.axis,
    ),
  // [a b …] = x:  dx = [da db …]
  split: ({ g, number }, { op, outputs }, dy) => [
    g.concat(
      outputs.map((part, i) => dy[i] ?? g.expand(number(0), part.shape)),
      op.axis,
    ),
  ],
  reshape: ({ g }, { inputs: [x] }, [dy]) => [g.reshape(dy!, x!.shape)],
  transpose: ({ g }, { op }, [dy]) => [
    g.transpose(
      dy!,
      op.permutation.map((_, axis) => op.permutation.indexOf(axis)),
    ),
  ],
  cast: (_, { op, inputs: [x] }, [dy]) => [op.to === 'float32' && x!.dataType === 'float32' ? dy! : null],
  topK: () => {
    throw notDifferentiable('topK', 'because it chooses by rank');
  },
};

/** [.., C] → [rows, C] */
function asRows(g: GraphBuilder, x: Tensor): Tensor {
  return x.shape.length === 2 ? x : g.reshape(x, [multiplyDims(...x.shape.slice(0, -1)), x.shape.at(-1)!]);
}

/**
 * α · Aᵀ · B, a sum over rows: [rows, N], [rows, K] → [N, K]. The runtime multiplies a transposed first operand a quarter more
 * slowly, so the smaller of the two is transposed before; where that is B, whose copy others share, the result is too.
 */
function overRows(
  g: GraphBuilder,
  transposed: GradientContext['transposed'],
  a: Tensor,
  b: Tensor,
  alpha: number,
): Tensor {
  const [n, k] = [a.shape[1]!, b.shape[1]!];
  if (typeof n !== 'number' || typeof k !== 'number' || n < k) return g.matMul(transposed(a), b, { alpha });
  return g.transpose(g.matMul(transposed(b), a, { alpha }), [1, 0]);
}

/** 1 / √(mean x² + ε) of each row: [rows, C] → [rows, 1]. */
function inverseRoot(g: GraphBuilder, number: GradientContext['number'], x: Tensor, epsilon: number): Tensor {
  const C = x.shape.at(-1)!;
  if (typeof C !== 'number') throw notDifferentiable('rmsNorm', `over a dimension of unknown size ${dimText(C)}`);
  const mean = g.mul(g.reduceSumSquare(x, -1), number(1 / C));
  return g.div(number(1), g.sqrt(g.add(mean, number(epsilon))));
}

/** mean(x · weights) of each row, as one product: [rows, C], [C] → [rows, 1]. */
function meanWith(g: GraphBuilder, x: Tensor, weights: Tensor): Tensor {
  const C = weights.shape[0]!;
  if (typeof C !== 'number') throw notDifferentiable('rmsNorm', `over a dimension of unknown size ${dimText(C)}`);
  return g.matMul(x, g.reshape(weights, [C, 1]), { alpha: 1 / C });
}

/** Undoes broadcasting: sums the dimensions that `shape` does not have or has as 1. */
function sumTo(g: GraphBuilder, x: Tensor, shape: Shape): Tensor {
  const extra = x.shape.length - shape.length;
  let summed = x;
  for (let axis = 0; axis < x.shape.length; axis++) {
    const target = axis < extra ? 1 : shape[axis - extra]!;
    if (!sameDim(x.shape[axis]!, target)) summed = g.reduceSum(summed, axis);
  }
  return extra > 0 ? g.reshape(summed, shape) : summed;
}

function notDifferentiable(kind: OpKind, why: string): GraphError {
  return new GraphError('LATHE_GRAPH_GRADIENT', `${kind} has no gradient ${why}`);
}
