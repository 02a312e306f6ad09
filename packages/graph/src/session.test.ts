import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { evaluateDim, multiplyDims, symbol } from './dimension.ts';
import { openSession } from './session.ts';
import type { Tensor, Value } from './tensor.ts';

const SETUP = { threads: 1, spinning: false };
const n = symbol('n');

function f32(dims: number[], data: readonly number[]): Value {
  return { dataType: 'float32', dims, data: Float32Array.from(data) };
}

function int64(dims: number[], data: readonly number[]): Value {
  return { dataType: 'int64', dims, data: BigInt64Array.from(data, BigInt) };
}

/** Numbers that repeat: 0.5, −0.4, 0.3, … */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => (((i * 7) % 11) / 10 - 0.5) * (i % 2 === 0 ? 1 : -1));
}

/** Runs a graph of one output. Shape inference must agree with what comes out, its symbols being n = `rows`. */
async function run(
  build: (g: GraphBuilder) => Tensor,
  feeds: Record<string, Value>,
  rows = 2,
): Promise<{ dims: readonly number[]; data: number[] }> {
  const g = new GraphBuilder();
  const result = build(g);
  g.output('result', result);
  const session = await openSession(g.build(), SETUP);
  const { result: value } = await session.run(feeds);
  await session.close();
  expect(value!.dims).toEqual(result.shape.map((dim) => evaluateDim(dim, new Map([['n', rows]]))));
  expect(value!.dataType).toBe(result.dataType);
  return { dims: value!.dims, data: Array.from(value!.data as Float32Array, Number) };
}

function close(got: readonly number[], expected: readonly number[]): void {
  expect(got.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 5);
}

const X = numbers(6); // [2, 3]
const row = (values: readonly number[], i: number, width = 3) => values.slice(i * width, (i + 1) * width);

describe('an op gives what its formula says', () => {
  const x = f32([2, 3], X);
  const unary: [string, (g: GraphBuilder, x: Tensor) => Tensor, (values: number[]) => number[]][] = [
    ['abs', (g, v) => g.abs(v), (v) => v.map(Math.abs)],
    ['exp', (g, v) => g.exp(v), (v) => v.map(Math.exp)],
    ['log', (g, v) => g.log(g.exp(v)), (v) => v],
    ['sigmoid', (g, v) => g.sigmoid(v), (v) => v.map((a) => 1 / (1 + Math.exp(-a)))],
    ['silu', (g, v) => g.silu(v), (v) => v.map((a) => a / (1 + Math.exp(-a)))],
    [
      'softmax',
      (g, v) => g.softmax(v),
      (v) => [row(v, 0), row(v, 1)].flatMap((r) => r.map((a) => Math.exp(a) / r.reduce((s, b) => s + Math.exp(b), 0))),
    ],
    [
      'logSoftmax',
      (g, v) => g.logSoftmax(v),
      (v) => [row(v, 0), row(v, 1)].flatMap((r) => r.map((a) => a - Math.log(r.reduce((s, b) => s + Math.exp(b), 0)))),
    ],
    ['reduceMax', (g, v) => g.reduceMax(v, -1), (v) => [row(v, 0), row(v, 1)].map((r) => Math.max(...r))],
    ['reduceSum', (g, v) => g.reduceSum(v, 0), (v) => [0, 1, 2].map((i) => v[i]! + v[i + 3]!)],
    ['transpose', (g, v) => g.transpose(v, [1, 0]), (v) => [0, 3, 1, 4, 2, 5].map((i) => v[i]!)],
    ['reshape', (g, v) => g.reshape(v, [multiplyDims(n, 3)]), (v) => v],
  ];
  it.each(unary)('%s', async (_, build, expected) => {
    close((await run((g) => build(g, g.input('x', 'float32', [n, 3])), { x })).data, expected(X));
  });

  const binary: [string, 'add' | 'sub' | 'mul' | 'div' | 'max', (a: number, b: number) => number][] = [
    ['add', 'add', (a, b) => a + b],
    ['sub', 'sub', (a, b) => a - b],
    ['mul', 'mul', (a, b) => a * b],
    ['div', 'div', (a, b) => a / b],
    ['max', 'max', Math.max],
  ];
  it.each(binary)('%s, with a column broadcast', async (_, op, expected) => {
    const feeds = { x, y: f32([2, 1], [2, -3]) };
    const got = await run((g) => g[op](g.input('x', 'float32', [n, 3]), g.input('y', 'float32', [n, 1])), feeds);
    close(
      got.data,
      X.map((a, i) => expected(a, i < 3 ? 2 : -3)),
    );
  });

  it('matMul, with alpha and the second operand transposed, in batches', async () => {
    const [a, b] = [numbers(2 * 2 * 3), numbers(2 * 4 * 3).map((v) => v + 0.1)];
    const got = await run(
      (g) =>
        g.matMul(g.input('a', 'float32', [2, n, 3]), g.input('b', 'float32', [2, 4, 3]), { alpha: 0.5, transB: true }),
      { a: f32([2, 2, 3], a), b: f32([2, 4, 3], b) },
    );
    const expected: number[] = [];
    for (let batch = 0; batch < 2; batch++)
      for (let m = 0; m < 2; m++)
        for (let j = 0; j < 4; j++)
          expected.push(
            0.5 * [0, 1, 2].reduce((sum, k) => sum + a[batch * 6 + m * 3 + k]! * b[batch * 12 + j * 3 + k]!, 0),
          );
    close(got.data, expected);
  });

  it('matMul of nothing is zero: an inner dimension of 0', async () => {
    const got = await run(
      (g) => g.matMul(g.input('a', 'float32', [2, 2, n]), g.input('b', 'float32', [2, n, 3])),
      { a: f32([2, 2, 0], []), b: f32([2, 0, 3], []) },
      0,
    );
    expect(got.data).toEqual(Array(12).fill(0));
  });

  it('rmsNorm', async () => {
    const gain = [1, 2, -0.5];
    const got = await run(
      (g) =>
        g.rmsNorm(g.input('x', 'float32', [n, 3]), g.constant('gain', 'float32', [3], Float32Array.from(gain)), 1e-5),
      { x },
    );
    close(
      got.data,
      [0, 1].flatMap((i) =>
        row(X, i).map((v, k) => (v / Math.sqrt(row(X, i).reduce((s, u) => s + u * u, 0) / 3 + 1e-5)) * gain[k]!),
      ),
    );
  });

  it.each([false, true])('rotary, pairs of neighbours: %s', async (interleaved) => {
    const values = numbers(2 * 8); // two tokens, two heads of 4
    const angle = (position: number, i: number) => position * [1, 0.1][i]!;
    const table = (f: (angle: number) => number) =>
      Float32Array.from([0, 1, 2, 3, 4, 5], (i) => f(angle(i >> 1, i & 1)));
    const got = await run(
      (g) =>
        g.rotary(
          g.input('x', 'float32', [1, n, 8]),
          g.input('positions', 'int64', [1, n]),
          g.constant('cos', 'float32', [3, 2], table(Math.cos)),
          g.constant('sin', 'float32', [3, 2], table(Math.sin)),
          2,
          interleaved,
        ),
      { x: f32([1, 2, 8], values), positions: int64([1, 2], [2, 1]) },
    );
    const expected = [...values];
    for (const [token, position] of [2, 1].entries())
      for (let head = 0; head < 2; head++)
        for (let i = 0; i < 2; i++) {
          const base = token * 8 + head * 4;
          const [a, b] = interleaved ? [base + 2 * i, base + 2 * i + 1] : [base + i, base + i + 2];
          expected[a] = values[a]! * Math.cos(angle(position, i)) - values[b]! * Math.sin(angle(position, i));
          expected[b] = values[a]! * Math.sin(angle(position, i)) + values[b]! * Math.cos(angle(position, i));
        }
    close(got.data, expected);
  });

  it('gather, concat and split', async () => {
    const feeds = { x, rows: int64([2], [1, 1]) };
    close((await run((g) => g.gather(g.input('x', 'float32', [n, 3]), g.input('rows', 'int64', [2]), 0), feeds)).data, [
      ...row(X, 1),
      ...row(X, 1),
    ]);
    const joined = await run(
      (g) => {
        const [a, b] = g.split(g.input('x', 'float32', [n, 3]), [1, 2], -1);
        return g.concat([b!, a!, b!], -1);
      },
      { x },
    );
    close(
      joined.data,
      [0, 1].flatMap((i) => [X[3 * i + 1]!, X[3 * i + 2]!, X[3 * i]!, X[3 * i + 1]!, X[3 * i + 2]!]),
    );
  });

  it('topK, equal values by lower index', async () => {
    const feeds = { x: f32([1, 5], [1, 3, 3, 0, 2]) };
    const top = (part: 'values' | 'indices') => run((g) => g.topK(g.input('x', 'float32', [n, 5]), 3)[part], feeds, 1);
    expect((await top('values')).data).toEqual([3, 3, 2]);
    expect((await top('indices')).data).toEqual([1, 2, 4]);
  });

  it('bitwiseAnd, shiftRight and dequantizeLinear: two numbers of a byte, each row with its scale', async () => {
    const bytes: Value = { dataType: 'uint8', dims: [2, 2], data: Uint8Array.of(0x21, 0xf0, 0x0f, 0x87) };
    const got = await run(
      (g) => {
        const q = g.input('q', 'uint8', [n, 2]);
        const number = (value: number) => g.cast(g.scalar(`${value}`, value), 'uint8');
        const numbers = g.concat([g.bitwiseAnd(q, number(15)), g.shiftRight(q, number(4))], 1);
        return g.dequantizeLinear(numbers, g.input('scale', 'float32', [n]));
      },
      { q: bytes, scale: f32([2], [1, -0.5]) },
    );
    expect(got.data.map((value) => value + 0)).toEqual([1, 0, 2, 15, -7.5, -3.5, 0, -4]);
  });

  it('quantizeLinear and matMulIntegerToFloat, exactly where products of 255 · 127 would saturate 16 bits', async () => {
    const k = 64;
    const got = await run(
      (g) => {
        const zero = g.constant('zero', 'uint8', [], new Uint8Array([128]));
        const scale = g.scalar('scale', 1 / 127);
        const q = g.quantizeLinear(g.input('x', 'float32', [n, k]), scale, zero);
        const b = g.constant('b', 'int8', [k, 1], new Int8Array(k).fill(127));
        return g.matMulIntegerToFloat(
          q,
          b,
          scale,
          g.constant('scales', 'float32', [1], Float32Array.of(1)),
          zero,
          g.constant('zeros', 'int8', [1], new Int8Array(1)),
        );
      },
      { x: f32([2, k], [...Array(k).fill(1), ...Array(k).fill(-1)]) },
    );
    close(
      got.data.map((v) => v / (127 * k)),
      [1, -1],
    );
  });
});

describe('a session', () => {
  async function adder() {
    const g = new GraphBuilder();
    g.output('sum', g.add(g.input('a', 'float32', [n, 2]), g.input('b', 'float32', [n, 2])));
    return openSession(g.build(), SETUP);
  }

  it('adds rows in one order with any number of threads: the same bits in every run', async () => {
    const [T, C] = [2048, 384];
    const g = new GraphBuilder();
    const rows = g.input('rows', 'float32', [T, C]);
    const at = g.input('at', 'int64', [T, 1]);
    g.output('sums', g.addRows(g.expand(g.scalar('zero', 0), [65, C]), at, rows));
    const session = await openSession(g.build(), { threads: 4, spinning: false });
    const feeds = {
      rows: f32(
        [T, C],
        Array.from({ length: T * C }, (_, i) => Math.sin(i)),
      ),
      at: int64(
        [T, 1],
        Array.from({ length: T }, (_, i) => (i * 7919) % 65),
      ),
    };
    const sums = async () => Buffer.from((await session.run(feeds)).sums!.data.buffer);
    const first = await sums();
    for (let run = 0; run < 20; run++) expect(first.equals(await sums())).toBe(true);
    await session.close();
  });

  it('refuses a missing input, another type, another shape and sizes that contradict each other', async () => {
    const session = await adder();
    const a = f32([1, 2], [1, 2]);
    const refused = (feeds: Record<string, Value>) =>
      expect(session.run(feeds)).rejects.toMatchObject({ code: 'LATHE_GRAPH_INPUT' });
    await refused({ a });
    await refused({ a, b: int64([1, 2], [1, 2]) });
    await refused({ a, b: f32([1, 3], [1, 2, 3]) });
    await refused({ a, b: f32([2, 2], [1, 2, 3, 4]) });
    expect((await session.run({ a, b: a })).sum!.data).toEqual(Float32Array.of(2, 4));
    await session.close();
  });

  it('writes a result where it is told to, and all others into fresh buffers', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [3]);
    g.output('doubled', g.add(x, x));
    g.output('squared', g.mul(x, x));
    const session = await openSession(g.build(), SETUP);
    const doubled = f32([3], [0, 0, 0]);
    const kept = doubled.data;
    const results = await session.run({ x: f32([3], [1, 2, 3]) }, ['doubled', 'squared'], { doubled });
    expect(results.doubled!.data).toBe(kept);
    expect([...kept]).toEqual([2, 4, 6]);
    expect([...(results.squared!.data as Float32Array)]).toEqual([1, 4, 9]);
    // A place of another size is no place.
    await expect(session.run({ x: f32([3], [1, 2, 3]) }, ['doubled'], { doubled: f32([2], [0, 0]) })).rejects.toThrow(
      /could not run the graph/,
    );
    await session.close();
  });

  it('takes a view into a larger buffer as it is', async () => {
    const session = await adder();
    const data = Float32Array.of(9, 1, 2, 9);
    const view = { dataType: 'float32', dims: [1, 2], data: data.subarray(1, 3) } as const;
    expect((await session.run({ a: view, b: view })).sum!.data).toEqual(Float32Array.of(2, 4));
    await session.close();
  });
});

describe('the builder', () => {
  it.each<[string, (g: GraphBuilder) => unknown]>([
    ['inner dimensions', (g) => g.matMul(g.input('a', 'float32', [n, 3]), g.input('b', 'float32', [4, 2]))],
    ['broadcasting', (g) => g.add(g.input('a', 'float32', [3]), g.input('b', 'float32', [4]))],
    ['types', (g) => g.add(g.input('a', 'float32', [3]), g.input('b', 'int64', [3]))],
    ['element counts', (g) => g.reshape(g.input('a', 'float32', [n, 3]), [n, 4])],
    ['split sizes', (g) => g.split(g.input('a', 'float32', [5]), [2, 2], 0)],
    ['a constant that is too short', (g) => g.constant('c', 'float32', [3], new Float32Array(2))],
    ['scales', (g) => g.dequantizeLinear(g.input('a', 'int8', [3, 4]), g.input('b', 'float32', [4]))],
    ['bits of floats', (g) => g.bitwiseAnd(g.input('a', 'float32', [3]), g.input('b', 'float32', [3]))],
    ['a name used twice', (g) => [g.input('a', 'float32', [1]), g.input('a', 'float32', [1])]],
  ])('refuses wrong %s', (_, build) => {
    expect(() => build(new GraphBuilder())).toThrow(expect.objectContaining({ code: 'LATHE_GRAPH_SHAPE' }));
  });
});
