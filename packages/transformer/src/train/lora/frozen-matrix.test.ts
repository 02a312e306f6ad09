import { GraphBuilder, openSession, type Value } from '@lathe/graph';
import { describe, expect, it } from 'vitest';
import { uniform } from '../../random.ts';
import type { BlockType } from '../../weights/blocks.ts';
import { dequantise } from '../../weights/dequantise.ts';
import { BLOCK_LAYOUT } from '../../weights/ggml-types.ts';
import { asFloats, bytesHeld, frozenMatrix, frozenTensor, frozenValues } from './frozen-matrix.ts';

const TYPES = ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q4_K', 'Q5_K', 'Q6_K'] as const satisfies readonly BlockType[];
/** Where the f16 of a block stand. */
const HALVES: Record<BlockType, readonly number[]> = {
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
};
const [N, K] = [6, 512];

/** Random blocks, their scales and minima halves between 2^−7 and 2^−6. */
function stored(type: BlockType): Uint8Array {
  const { bytes, elements } = BLOCK_LAYOUT[type];
  const data = Uint8Array.from({ length: ((N * K) / elements) * bytes }, (_, i) => Math.floor(256 * uniform(7, 1, i)));
  for (let at = 0; at < data.length; at += bytes)
    for (const half of HALVES[type]) data[at + half + 1] = 0x20 | (data[at + half + 1]! & 0x83);
  return data;
}

describe.each(TYPES)('a frozen matrix in %s', (type) => {
  const bytes = stored(type);
  const matrix = frozenMatrix(type, bytes, [N, K], 'blocks');
  /** A negative scale times 0 is −0 where nothing is added. */
  const plainZeros = (values: Float32Array) => values.map((value) => value + 0);
  const exact = plainZeros(dequantise(type, bytes));

  it('is the numbers of its file to the bit: in a graph, whole and by rows, and as f32', async () => {
    expect(exact.every(Number.isFinite)).toBe(true);
    expect(new Set(exact).size).toBeGreaterThan(100);
    const g = new GraphBuilder();
    const tensor = frozenTensor(g, 'w', matrix);
    g.output('whole', tensor.whole());
    g.output('rows', tensor.rows(g.input('at', 'int64', [3])));
    const session = await openSession(g.build(), { threads: 1, spinning: false });
    const at: Value = { dataType: 'int64', dims: [3], data: BigInt64Array.of(5n, 0n, 5n) };
    const { whole, rows } = await session.run({ ...frozenValues('w', matrix), at });
    await session.close();
    expect(whole!.dims).toEqual([N, K]);
    expect(plainZeros(whole!.data as Float32Array)).toEqual(exact);
    const row = (n: number) => [...exact.subarray(n * K, (n + 1) * K)];
    expect([...plainZeros(rows!.data as Float32Array)]).toEqual([...row(5), ...row(0), ...row(5)]);
    expect(plainZeros(asFloats(matrix).data)).toEqual(exact);
  });

  it('takes less than f32: what the header says', () => {
    const fed = Object.values(frozenValues('w', matrix)).reduce((sum, { data }) => sum + data.byteLength, 0);
    expect(bytesHeld(matrix)).toBe(fed);
    expect(bytesHeld(matrix, 'f32')).toBe(4 * N * K);
    expect(fed / (N * K)).toBeGreaterThanOrEqual(0.75);
    expect(fed / (N * K)).toBeLessThanOrEqual(1.25);
  });
});

it('what has no blocks of integers is f32 either way', () => {
  const bytes = new Uint8Array(Uint16Array.from({ length: 64 }, (_, i) => 0x3c00 + i).buffer);
  expect(frozenMatrix('F16', bytes, [2, 32], 'blocks')).toEqual(frozenMatrix('F16', bytes, [2, 32], 'f32'));
});
