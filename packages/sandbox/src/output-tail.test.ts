import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputTail } from './output-tail.ts';

function tailOf(chunks: readonly Uint8Array[]): OutputTail {
  const tail = new OutputTail();
  for (const chunk of chunks) tail.push(Buffer.from(chunk));
  return tail;
}

describe('OutputTail', () => {
  it('keeps everything that fits', () => {
    const tail = tailOf([Buffer.from('a'), Buffer.from('bc')]);
    expect(tail.text()).toBe('abc');
    expect(tail.totalBytes).toBe(3);
  });

  it('keeps the end of what does not, and counts all of it', () => {
    const tail = tailOf([Buffer.alloc(20_000, 'a'), Buffer.alloc(10_000, 'b')]);
    expect(tail.text()).toBe('a'.repeat(6_384) + 'b'.repeat(10_000));
    expect(tail.totalBytes).toBe(30_000);
  });

  it('leaves out a character that was cut at the start', () => {
    const text = '€'.repeat(10_000);
    const kept = tailOf([Buffer.from(text)]).text();
    expect(kept).toBe('€'.repeat(5_461));
  });

  it('puts characters together that were cut between two chunks', () => {
    const bytes = Buffer.from('naïve €');
    expect(tailOf([...bytes].map((byte) => Uint8Array.of(byte))).text()).toBe('naïve €');
  });

  it('is well-formed and at most 16 KiB whatever the bytes', () => {
    const chunk = fc.uint8Array({ maxLength: 9_000, size: 'max' });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 6 }), (chunks) => {
        const text = tailOf(chunks).text();
        return text.isWellFormed() && Buffer.byteLength(text) <= 16 * 1024;
      }),
      { numRuns: 50 },
    );
  });
});
