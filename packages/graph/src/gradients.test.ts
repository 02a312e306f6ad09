import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CASES, withGradients } from './__fixtures__/gradient-cases.ts';
import { dense, interpret } from './__fixtures__/interpreter.ts';
import { backward } from './backward.ts';
import { GraphBuilder } from './builder.ts';
import { GRADIENTS } from './gradients.ts';
import type { OpKind } from './op.ts';
import { openSession } from './session.ts';
import type { Value } from './tensor.ts';

describe('gradients', () => {
  it.each(Object.entries(CASES))('%s: agree with central differences in double precision', (_, example) => {
    const { graph, feeds, wrt } = withGradients(example);
    const evaluate = (changed: Record<string, readonly number[]> = {}) =>
      interpret(
        graph,
        Object.fromEntries(
          Object.entries(feeds).map(([name, { shape, values }]) => [name, dense(shape, changed[name] ?? values)]),
        ),
      );
    const exact = evaluate();
    const h = 1e-5;
    for (const name of wrt) {
      const { values, shape } = feeds[name]!;
      expect(exact[`d.${name}`]!.shape).toEqual(shape);
      values.forEach((value, i) => {
        const up = evaluate({ [name]: values.with(i, value + h) }).loss!.data[0]!;
        const down = evaluate({ [name]: values.with(i, value - h) }).loss!.data[0]!;
        const difference = (up - down) / (2 * h);
        const gradient = exact[`d.${name}`]!.data[i]!;
        expect(Math.abs(gradient - difference), `${name}[${i}]: ${gradient} against ${difference}`).toBeLessThan(
          1e-7 * Math.max(1, Math.abs(difference)),
        );
      });
    }
  });

  it.each(Object.entries(CASES))('%s: the runtime computes what double precision does', async (_, example) => {
    const { graph, feeds, wrt } = withGradients(example);
    const exact = interpret(
      graph,
      Object.fromEntries(Object.entries(feeds).map(([name, { shape, values }]) => [name, dense(shape, values)])),
    );
    const session = await openSession(graph, { threads: 1, spinning: false });
    const results = await session.run(
      Object.fromEntries(
        Object.entries(feeds).map(([name, { shape, values, integer }]): [string, Value] => [
          name,
          integer
            ? { dataType: 'int64', dims: shape, data: BigInt64Array.from(values, BigInt) }
            : { dataType: 'float32', dims: shape, data: Float32Array.from(values) },
        ]),
      ),
    );
    await session.close();
    for (const name of ['loss', ...wrt.map((input) => `d.${input}`)]) {
      const got = results[name]!.data as Float32Array;
      exact[name]!.data.forEach((value, i) => {
        expect(Math.abs(got[i]! - value), `${name}[${i}]`).toBeLessThan(2e-5 * Math.max(1, Math.abs(value)));
      });
    }
  });

  it('covers every op that has a gradient', () => {
    const covered = new Set(Object.values(CASES).flatMap(({ kinds }) => kinds));
    const without: OpKind[] = [
      'matMulNBits',
      'matMulIntegerToFloat',
      'quantizeLinear',
      'bitwiseAnd',
      'shiftRight',
      'topK',
    ];
    const uncovered = Object.keys(GRADIENTS).filter((kind) => !covered.has(kind as OpKind));
    expect(uncovered.sort()).toEqual(without.sort());
  });

  it('unpacks frozen numbers again for the gradient of a span, instead of keeping them', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2, 4]);
    const from = g.nodeCount;
    const lower = g.bitwiseAnd(g.input('q', 'uint8', [3, 4]), g.cast(g.scalar('mask', 15), 'uint8'));
    const w = g.dequantizeLinear(lower, g.input('scale', 'float32', [3]));
    const y = g.matMul(x, w, { transB: true });
    const to = g.nodeCount;
    const loss = g.reduceSum(g.reduceSum(g.mul(y, y), 0), 1);
    g.output('loss', loss);
    g.output('d.x', backward(g, loss, [x], [{ from, to }])[0]!);
    const folder = mkdtempSync(join(tmpdir(), 'lathe-unpacked-'));
    const session = await openSession(g.build(), { threads: 1, spinning: false, profilePrefix: join(folder, 'trace') });
    const results = await session.run({
      x: { dataType: 'float32', dims: [2, 4], data: Float32Array.of(1, 2, 3, 4, -1, 0, 1, 0) },
      q: { dataType: 'uint8', dims: [3, 4], data: Uint8Array.of(17, 0, 16, 0, 0, 1, 0, 0, 1, 1, 1, 1) },
      scale: { dataType: 'float32', dims: [3], data: Float32Array.of(1, 2, 3) },
    });
    await session.close();
    const trace = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8')) as {
      args?: { op_name?: string };
      name: string;
    }[];
    rmSync(folder, { recursive: true });
    const runs = (op: string) =>
      trace.filter(({ args, name }) => args?.op_name === op && name.endsWith('_kernel_time')).length;
    expect([runs('BitwiseAnd'), runs('DequantizeLinear')]).toEqual([2, 2]);
    // y = [1, 4, 30], [−1, 0, 0]; dx = 2 · y · W
    expect([...(results['d.x']!.data as Float32Array)]).toEqual([182, 196, 180, 180, -2, 0, 0, 0]);
  });

  it('refuses to pass a gradient through an op that chooses or rounds', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [4]);
    const loss = g.reduceSum(g.topK(x, 2).values, 0);
    expect(() => backward(g, loss, [x])).toThrow(/topK has no gradient/);
  });

  it('refuses a loss of more than one number, and one that does not depend on the parameter', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [4]);
    const z = g.input('z', 'float32', [4]);
    expect(() => backward(g, x, [x])).toThrow(/one number/);
    expect(() => backward(g, g.reduceSum(x, 0), [z])).toThrow(/depend on z/);
  });
});
