/**
 * Runs every case of `gradient-cases.ts`, its gradients included, on the processor and through WebGPU, and prints one line
 * of JSON a case: `{name, worst}`, the largest difference of a value relative to the larger of 1 and that value.
 */
import type { Graph } from '../builder.ts';
import { GraphBuilder } from '../builder.ts';
import { symbol } from '../dimension.ts';
import { openSession } from '../session.ts';
import type { Value } from '../tensor.ts';
import { CASES, withGradients } from './gradient-cases.ts';

async function compare(name: string, graph: Graph, feeds: Record<string, Value>): Promise<void> {
  const results = [];
  for (const device of ['cpu', 'webgpu'] as const) {
    const session = await openSession(graph, { device, threads: 1, spinning: false });
    results.push(await session.run(feeds));
    await session.close();
  }
  const [cpu, gpu] = results as [Record<string, Value>, Record<string, Value>];
  let worst = 0;
  for (const [output, { data, dims }] of Object.entries(cpu)) {
    if (gpu[output]!.dims.join() !== dims.join()) worst = Number.POSITIVE_INFINITY;
    for (const [i, value] of Array.from(data, Number).entries()) {
      const difference = Math.abs(Number(gpu[output]!.data[i]) - value) / Math.max(1, Math.abs(value));
      worst = difference <= worst ? worst : Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    }
  }
  console.log(JSON.stringify({ name, worst }));
}

function float32(dims: readonly number[], salt: number): Value {
  const count = dims.reduce((a, b) => a * b, 1);
  return { dataType: 'float32', dims, data: Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + salt)) };
}

function packed(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 37) & 255);
}

for (const [name, example] of Object.entries(CASES)) {
  const { graph, feeds } = withGradients(example);
  const values = Object.entries(feeds).map(([input, { shape, values, integer }]): [string, Value] => [
    input,
    integer
      ? { dataType: 'int64', dims: shape, data: BigInt64Array.from(values, BigInt) }
      : { dataType: 'float32', dims: shape, data: Float32Array.from(values) },
  ]);
  await compare(name, graph, Object.fromEntries(values));
}

for (const [bits, blockSize] of [
  [4, 32],
  [8, 32],
  [8, 16],
] as const) {
  const g = new GraphBuilder();
  const perRow = 64 / blockSize;
  const weight = {
    packed: g.constant('q', 'uint8', [8, perRow, (blockSize * bits) / 8], packed(8 * 8 * bits)),
    scales: g.constant('s', 'float32', [8 * perRow], (float32([8 * perRow], 1).data as Float32Array).slice()),
    zeroPoints: null,
  };
  const x = g.input('x', 'float32', [3, 64]);
  g.output('y', g.matMulNBits(x, weight, { k: 64, n: 8, bits, blockSize, accuracyLevel: 1 }));
  await compare(`matMulNBits, ${bits} bits, blocks of ${blockSize}`, g.build(), { x: float32([3, 64], 2) });
}

{
  const g = new GraphBuilder();
  const { values, indices } = g.topK(g.input('x', 'float32', [4, 9]), 3);
  g.output('values', values);
  g.output('indices', indices);
  await compare('topK', g.build(), { x: float32([4, 9], 3) });
}

{
  const g = new GraphBuilder();
  const whole = g.concat(
    Array.from({ length: 60 }, (_, i) => g.mul(g.input(`x${i}`, 'float32', [2, 3]), g.scalar(`s${i}`, i))),
    1,
  );
  g.output('whole', whole);
  const parts = g.split(whole, Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 2 : 4)), 1);
  for (const i of [0, 7, 8, 31, 58, 59]) g.output(`part ${i}`, parts[i]!);
  const feeds = Array.from({ length: 60 }, (_, i): [string, Value] => [`x${i}`, float32([2, 3], i)]);
  await compare('sixty parts', g.build(), Object.fromEntries(feeds));
}

// The processor's own product ends the process where the batch stands second and nothing is summed.
for (const [size, transBatchB] of [
  [0, false],
  [3, true],
] as const) {
  const g = new GraphBuilder();
  const n = symbol('n');
  const a = g.input('a', 'float32', [2, 4, n]);
  const b = g.input('b', 'float32', transBatchB ? [n, 2, 5] : [2, n, 5]);
  g.output('y', g.matMul(a, b, { alpha: 0.5, transBatchB }));
  await compare(`matMul over ${size} of a dimension known when it runs`, g.build(), {
    a: float32([2, 4, size], 4),
    b: float32(transBatchB ? [size, 2, 5] : [2, size, 5], 5),
  });
}
