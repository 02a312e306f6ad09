import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TokenFile } from './token-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-tokens-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('TokenFile', () => {
  it.each([
    [60_000, 2],
    [100_000, 4],
  ])('gives the windows of a typed array, for a vocabulary of %i at %i bytes a token', (vocabSize, bytes) => {
    const count = 150_000;
    const row = new TokenFile(join(folder, 'row'), vocabSize);
    const whole = Uint32Array.from({ length: count }, (_, i) => (i * 7919) % vocabSize);
    // Looked at between, so that a half-filled buffer is written and filled again.
    for (const [i, token] of whole.entries()) {
      row.push(token);
      if (i === 1000) expect([...row.subarray(998, 5000)]).toEqual([...whole.subarray(998, 1001)]);
    }
    expect(row.length).toBe(count);
    for (const [start, end] of [
      [0, 10],
      [65_530, 65_545],
      [131_070, 131_080],
      [count - 3, count + 100],
      [count, count + 5],
      [0, count],
    ] as const)
      expect(Uint32Array.from(row.subarray(start, end))).toEqual(whole.subarray(start, end));
    expect(row.subarray(0, 1).BYTES_PER_ELEMENT).toBe(bytes);
    row.close();
  });

  it('leaves no file behind, not even while it is open', () => {
    const row = new TokenFile(join(folder, 'gone'), 300);
    row.push(1);
    expect(row.subarray(0, 1)[0]).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
    row.close();
  });
});
