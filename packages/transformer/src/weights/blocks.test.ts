import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type BlockType, floatZeroPoints, isBlockType, packedZeroPoints, repack, unpack } from './blocks.ts';
import { dequantise } from './dequantise.ts';
import { BLOCK_LAYOUT, type GgmlType } from './ggml-types.ts';

const recorded: Record<string, { bytes: string; values: string }> = JSON.parse(
  readFileSync(new URL('./__fixtures__/dequantise.json', import.meta.url), 'utf8'),
);
const types = (Object.keys(recorded) as GgmlType[]).filter(isBlockType);

/** The four recorded blocks as a matrix of two rows of two blocks. */
function matrix(type: BlockType) {
  const bytes = Buffer.from(recorded[type]!.bytes, 'base64');
  return { bytes, columns: 2 * BLOCK_LAYOUT[type].elements };
}

describe('unpack(repack(x)) is dequantise(x), to the last bit', () => {
  test.each(types)('%s', (type) => {
    const { bytes, columns } = matrix(type);
    const expected = dequantise(type, bytes);
    const got = unpack(repack(type, bytes, 2, columns));
    expect(got.length).toBe(expected.length);
    for (let i = 0; i < got.length; i++) if (got[i] !== expected[i]) expect([i, got[i]]).toEqual([i, expected[i]]);
  });
});

describe('float zero points give the same weights within f32 rounding', () => {
  test.each(types)('%s', (type) => {
    const { bytes, columns } = matrix(type);
    const blocks = repack(type, bytes, 2, columns);
    const { packed, scales, zeroPoints } = floatZeroPoints(blocks);
    const expected = dequantise(type, bytes);
    for (let i = 0; i < expected.length; i++) {
      const block = Math.floor(i / blocks.blockSize);
      const q = blocks.bits === 8 ? packed[i]! : (packed[i >> 1]! >> ((i & 1) * 4)) & 15;
      const value = scales[block]! * (q - zeroPoints[block]!);
      const size = Math.abs(blocks.minima?.[block] ?? 0) + Math.abs(expected[i]!);
      expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(size * 2 ** -23);
    }
  });
});

test('zero points are packed two a byte, each row from a byte of its own', () => {
  const bytes = new Uint8Array(3 * 20);
  const blocks = repack('Q4_1', bytes, 1, 96);
  expect(packedZeroPoints(blocks)).toEqual(new Uint8Array(2));
  expect(packedZeroPoints({ ...blocks, zeroPoint: 3 })).toEqual(new Uint8Array([0x33, 0x33]));
  expect(packedZeroPoints(repack('Q4_0', new Uint8Array(18), 1, 32))).toBeNull();
  expect(packedZeroPoints(repack('Q6_K', new Uint8Array(210), 1, 256))).toEqual(new Uint8Array(16).fill(32));
});

test('a matrix that does not fit its bytes is refused', () => {
  expect(() => repack('Q8_0', new Uint8Array(34), 1, 64)).toThrow(/expected 68 bytes, got 34/);
  expect(() => repack('Q4_K', new Uint8Array(144), 8, 32)).toThrow(RangeError);
});
