import { type Dim, type Shape, shapeText } from './dimension.ts';
import { GraphError } from './graph-error.ts';
import type { Op } from './op.ts';
import { SHAPES } from './shapes.ts';
import { type DataType, holds, type Tensor, type TensorData } from './tensor.ts';

export interface Node {
  readonly op: Op;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

export interface Constant {
  readonly tensor: Tensor;
  readonly data: TensorData;
}

/** A finished graph: nodes in an order in which every input precedes its use. */
export interface Graph {
  readonly inputs: readonly Tensor[];
  readonly constants: readonly Constant[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly { readonly name: string; readonly tensor: Tensor }[];
}

/** Collects a graph op by op; every method checks its inputs' shapes and gives the result. */
export class GraphBuilder {
  readonly #inputs: Tensor[] = [];
  readonly #constants: Constant[] = [];
  readonly #nodes: Node[] = [];
  readonly #outputs: { name: string; tensor: Tensor }[] = [];
  readonly #names = new Set<string>();

  input(name: string, dataType: DataType, shape: Shape): Tensor {
    const tensor = { name: this.#name(name), dataType, shape };
    this.#inputs.push(tensor);
    return tensor;
  }

  /** Numbers that never change; the runtime lays them out for its kernels once. The array is not copied here. */
  constant(name: string, dataType: DataType, shape: readonly number[], data: TensorData): Tensor {
    const elements = shape.reduce((a, b) => a * b, 1);
    if (data.length !== elements || !holds(data, dataType))
      throw new GraphError(
        'LATHE_GRAPH_SHAPE',
        `constant ${name}: expected ${elements} ${dataType} for ${shapeText(shape)}, got ${data.length} in a ${data.constructor.name}`,
      );
    const tensor = { name: this.#name(name), dataType, shape };
    this.#constants.push({ tensor, data });
    return tensor;
  }

  scalar(name: string, value: number): Tensor {
    return this.constant(name, 'float32', [], new Float32Array([value]));
  }

  output(name: string, tensor: Tensor): void {
    this.#outputs.push({ name: this.#name(name), tensor });
  }

  build(): Graph {
    return { inputs: this.#inputs, constants: this.#constants, nodes: this.#nodes, outputs: this.#outputs };
  }

  /** Nodes so far: where the next one will stand. */
  get nodeCount(): number {
    return this.#nodes.length;
  }

  /** Any op by its description: its results in order. */
  apply(op: Op, inputs: readonly Tensor[]): readonly Tensor[] {
    return this.#node(op, inputs);
  }

  add(a: Tensor, b: Tensor): Tensor {
    return this.#one({ kind: 'add' }, a, b);
  }

  sub(a: Tensor, b: Tensor): Tensor {
    return this.#one({ kind: 'sub' }, a, b);
  }

  mul(a: Tensor, b: Tensor): Tensor {
    return this.#one({ kind: 'mul' }, a, b);
  }

  div(a: Tensor, b: Tensor): Tensor {
    return this.#one({ kind: 'div' }, a, b);
  }

  max(a: Tensor, b: Tensor): Tensor {
    return this.#one({ kind: 'max' }, a, b);
  }

  abs(x: Tensor): Tensor {
    return this.#one({ kind: 'abs' }, x);
  }

  sign(x: Tensor): Tensor {
    return this.#one({ kind: 'sign' }, x);
  }

  sqrt(x: Tensor): Tensor {
    return this.#one({ kind: 'sqrt' }, x);
  }

  greaterOrEqual(a: Tensor, b: Tensor): Tensor {
    return this.#one({ kind: 'greaterOrEqual' }, a, b);
  }

  exp(x: Tensor): Tensor {
    return this.#one({ kind: 'exp' }, x);
  }

  log(x: Tensor): Tensor {
    return this.#one({ kind: 'log' }, x);
  }

  sigmoid(x: Tensor): Tensor {
    return this.#one({ kind: 'sigmoid' }, x);
  }

  silu(x: Tensor): Tensor {
    return this.#one({ kind: 'silu' }, x);
  }

  matMul(
    a: Tensor,
    b: Tensor,
    options: { alpha?: number; transA?: boolean; transB?: boolean; transBatchA?: boolean; transBatchB?: boolean } = {},
  ): Tensor {
    const flags = { alpha: 1, transA: false, transB: false, transBatchA: false, transBatchB: false, ...options };
    return this.#one({ kind: 'matMul', ...flags }, a, b);
  }

  matMulNBits(
    x: Tensor,
    weight: { packed: Tensor; scales: Tensor; zeroPoints: Tensor | null },
    attributes: { k: number; n: number; bits: 4 | 8; blockSize: number; accuracyLevel: 0 | 1 | 4 },
  ): Tensor {
    const zeroPoints = weight.zeroPoints === null ? [] : [weight.zeroPoints];
    return this.#one({ kind: 'matMulNBits', ...attributes }, x, weight.packed, weight.scales, ...zeroPoints);
  }

  matMulIntegerToFloat(
    a: Tensor,
    b: Tensor,
    scaleA: Tensor,
    scaleB: Tensor,
    zeroA: Tensor,
    zeroB: Tensor,
    bias: Tensor | null = null,
  ): Tensor {
    const operands = [a, b, scaleA, scaleB, zeroA, zeroB, ...(bias === null ? [] : [bias])];
    return this.#one({ kind: 'matMulIntegerToFloat' }, ...operands);
  }

  quantizeLinear(x: Tensor, scale: Tensor, zeroPoint: Tensor): Tensor {
    return this.#one({ kind: 'quantizeLinear' }, x, scale, zeroPoint);
  }

  dequantizeLinear(q: Tensor, scale: Tensor): Tensor {
    return this.#one({ kind: 'dequantizeLinear' }, q, scale);
  }

  bitwiseAnd(a: Tensor, b: Tensor): Tensor {
    return this.#one({ kind: 'bitwiseAnd' }, a, b);
  }

  shiftRight(a: Tensor, b: Tensor): Tensor {
    return this.#one({ kind: 'shiftRight' }, a, b);
  }

  softmax(x: Tensor): Tensor {
    return this.#one({ kind: 'softmax' }, x);
  }

  logSoftmax(x: Tensor): Tensor {
    return this.#one({ kind: 'logSoftmax' }, x);
  }

  rmsNorm(x: Tensor, gain: Tensor, epsilon: number): Tensor {
    return this.#one({ kind: 'rmsNorm', epsilon }, x, gain);
  }

  addRmsNorm(a: Tensor, b: Tensor, gain: Tensor, epsilon: number): { normed: Tensor; sum: Tensor } {
    const [normed, sum] = this.#node({ kind: 'addRmsNorm', epsilon }, [a, b, gain]);
    return { normed: normed!, sum: sum! };
  }

  rotary(x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor, heads: number, interleaved: boolean): Tensor {
    return this.#one({ kind: 'rotary', heads, interleaved }, x, positions, cos, sin);
  }

  reduceMax(x: Tensor, axis: number): Tensor {
    return this.#one({ kind: 'reduceMax', axis }, x);
  }

  reduceSum(x: Tensor, axis: number): Tensor {
    return this.#one({ kind: 'reduceSum', axis }, x);
  }

  reduceMean(x: Tensor, axis: number): Tensor {
    return this.#one({ kind: 'reduceMean', axis }, x);
  }

  reduceSumSquare(x: Tensor, axis: number): Tensor {
    return this.#one({ kind: 'reduceSumSquare', axis }, x);
  }

  layerNorm(x: Tensor, gain: Tensor, bias: Tensor, epsilon: number): Tensor {
    return this.#one({ kind: 'layerNorm', epsilon }, x, gain, bias);
  }

  expand(x: Tensor, shape: Shape): Tensor {
    return this.#one({ kind: 'expand', shape }, x);
  }

  pick(x: Tensor, indices: Tensor): Tensor {
    return this.#one({ kind: 'pick' }, x, indices);
  }

  addAt(into: Tensor, indices: Tensor, updates: Tensor): Tensor {
    return this.#one({ kind: 'addAt' }, into, indices, updates);
  }

  addRows(into: Tensor, indices: Tensor, rows: Tensor): Tensor {
    return this.#one({ kind: 'addRows', atomic: false }, into, indices, rows);
  }

  gather(x: Tensor, indices: Tensor, axis: number): Tensor {
    return this.#one({ kind: 'gather', axis }, x, indices);
  }

  concat(inputs: readonly Tensor[], axis: number): Tensor {
    return this.#one({ kind: 'concat', axis }, ...inputs);
  }

  split(x: Tensor, sizes: Shape, axis: number): readonly Tensor[] {
    return this.#node({ kind: 'split', axis, sizes }, [x]);
  }

  reshape(x: Tensor, shape: Shape): Tensor {
    return this.#one({ kind: 'reshape', shape }, x);
  }

  transpose(x: Tensor, permutation: readonly number[]): Tensor {
    return this.#one({ kind: 'transpose', permutation }, x);
  }

  cast(x: Tensor, to: DataType): Tensor {
    return this.#one({ kind: 'cast', to }, x);
  }

  topK(x: Tensor, k: Dim): { values: Tensor; indices: Tensor } {
    const [values, indices] = this.#node({ kind: 'topK', k }, [x]);
    return { values: values!, indices: indices! };
  }

  #one(op: Op, ...inputs: readonly Tensor[]): Tensor {
    return this.#node(op, inputs)[0]!;
  }

  #node(op: Op, inputs: readonly Tensor[]): readonly Tensor[] {
    // The table's entry and the op agree by `kind`, which the compiler cannot follow through an index.
    const infer = SHAPES[op.kind] as (inputs: readonly Tensor[], op: Op) => ReturnType<(typeof SHAPES)['add']>;
    const outputs = infer(inputs, op).map((type, i) => ({
      ...type,
      name: this.#name(`${op.kind}_${this.#nodes.length}_${i}`),
    }));
    this.#nodes.push({ op, inputs, outputs });
    return outputs;
  }

  #name(name: string): string {
    if (this.#names.has(name)) throw new GraphError('LATHE_GRAPH_SHAPE', `expected each name once, got ${name} twice`);
    this.#names.add(name);
    return name;
  }
}
