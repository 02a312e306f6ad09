import { describe, expect, it } from 'vitest';
import { uniform } from '../random.ts';
import { dequantise } from './dequantise.ts';
import { halfBits, quantise } from './quantise.ts';

describe('quantise', () => {
  it('gives back every half it is given', () => {
    for (let bits = 0; bits < 0x1_0000; bits++) {
      const noNumber = (bits & 0x7fff) > 0x7c00;
      const [value] = dequantise('F16', Uint8Array.of(bits & 255, bits >> 8));
      if (noNumber) expect(halfBits(value!) & 0x7fff).toBe(0x7e00);
      else if (halfBits(value!) !== bits) expect.fail(`${bits} came back as ${halfBits(value!)}`);
    }
  });

  it('rounds to the nearest half, ties to even, and what is too large to infinity', () => {
    const halves = (...values: number[]) => [...dequantise('F16', quantise('F16', Float32Array.from(values)))];
    // Between 1 and 2 halves are 2^−10 apart; below 2^−14 they are 2^−24 apart.
    expect(halves(1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 1.01 * 2 ** -11)).toEqual([1, 1 + 2 ** -9, 1 + 2 ** -10]);
    expect(halves(2.5 * 2 ** -24, 3.5 * 2 ** -24, 0.5 * 2 ** -24)).toEqual([2 * 2 ** -24, 4 * 2 ** -24, 0]);
    expect(halves(65_504, 65_519, 65_520, -1e9)).toEqual([65_504, 65_504, Infinity, -Infinity]);
  });

  it('keeps every number of a Q8_0 block within half a step of its largest', () => {
    const values = Float32Array.from({ length: 64 }, (_, i) => (2 * uniform(1, 2, i) - 1) * (i < 32 ? 0.01 : 30));
    const back = dequantise('Q8_0', quantise('Q8_0', values));
    for (const start of [0, 32]) {
      const step = Math.max(...values.subarray(start, start + 32).map(Math.abs)) / 127;
      for (let i = start; i < start + 32; i++) expect(Math.abs(back[i]! - values[i]!)).toBeLessThan(step * 0.57);
    }
    expect([...dequantise('Q8_0', quantise('Q8_0', new Float32Array(32)))]).toEqual(Array(32).fill(0));
    expect(() => quantise('Q8_0', new Float32Array(33))).toThrow(/multiple of 32 numbers, got 33/);
  });
});
