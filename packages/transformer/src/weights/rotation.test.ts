import { describe, expect, it } from 'vitest';
import { uniform } from '../random.ts';
import { hadamardMatrix, powerOfTwoIn, rotate, rotateBlocks } from './rotation.ts';

function random(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => 2 * uniform(seed, 0, i) - 1);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

describe('rotate', () => {
  it.each([64, 96, 576, 896, 13])('keeps inner products of vectors of %i', (n) => {
    const [x, y] = [random(n, 1), random(n, 2)];
    const before = [dot(x, y), dot(x, x)];
    rotate(x, 1, n, 1);
    rotate(y, 1, n, 1);
    expect(dot(x, y)).toBeCloseTo(before[0]!, 3);
    expect(dot(x, x)).toBeCloseTo(before[1]!, 3);
  });

  it('turns columns as it turns rows', () => {
    const [rows, n] = [5, 96];
    const x = random(rows * n, 3);
    const columns = new Float32Array(rows * n);
    for (let r = 0; r < rows; r++) for (let i = 0; i < n; i++) columns[i * rows + r] = x[r * n + i]!;
    rotate(x, rows, n, 1);
    rotate(columns, 1, n, rows);
    for (let r = 0; r < rows; r++) for (let i = 0; i < n; i++) expect(columns[i * rows + r]).toBe(x[r * n + i]);
  });

  it('spreads one channel of 576 so that none keeps more than a fifth of it', () => {
    for (const channel of [0, 63, 300, 575]) {
      const x = new Float32Array(576);
      x[channel] = 1;
      rotate(x, 1, 576, 1);
      expect(Math.max(...x.map(Math.abs))).toBeLessThan(0.2);
    }
  });
});

describe('rotateBlocks', () => {
  it('multiplies each block by the Hadamard matrix', () => {
    const block = 32;
    const matrix = hadamardMatrix(block);
    const x = random(3 * block, 4);
    const expected = Array.from(x, (_, i) => {
      const from = Math.floor(i / block) * block;
      return dot(x.subarray(from, from + block), matrix.subarray((i % block) * block, ((i % block) + 1) * block));
    });
    rotateBlocks(x, 1, x.length, 1, block);
    for (const [i, value] of expected.entries()) expect(x[i]).toBeCloseTo(value, 5);
  });
});

describe('powerOfTwoIn', () => {
  it('is the largest power of two that divides', () => {
    expect([1, 6, 64, 576, 896].map(powerOfTwoIn)).toEqual([1, 2, 64, 64, 128]);
  });
});
