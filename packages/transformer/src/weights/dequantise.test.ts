import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { dequantise } from './dequantise.ts';
import type { GgmlType } from './ggml-types.ts';

const recorded: Record<string, { bytes: string; values: string }> = JSON.parse(
  readFileSync(new URL('./__fixtures__/dequantise.json', import.meta.url), 'utf8'),
);

function floats(base64: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer);
}

describe('dequantise equals the reference implementation, to the last bit', () => {
  test.each(Object.keys(recorded) as GgmlType[])('%s', (type) => {
    const { bytes, values } = recorded[type]!;
    const expected = floats(values);
    const got = dequantise(type, Buffer.from(bytes, 'base64'));
    expect(got.length).toBe(expected.length);
    // −0 and +0 are the same weight.
    for (let i = 0; i < got.length; i++) if (got[i] !== expected[i]) expect([i, got[i]]).toEqual([i, expected[i]]);
  });
});

test('a part of a block is refused', () => {
  expect(() => dequantise('Q4_K', new Uint8Array(143))).toThrow(/expected a multiple of 144 bytes, got 143/);
});
