import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextStream } from './text-stream.ts';

function run(stops: string[], pieces: Uint8Array[]): { text: string; shown: string[]; stopped: boolean } {
  const stream = new TextStream(stops);
  const shown: string[] = [];
  for (const piece of pieces) {
    const { text, stopped } = stream.push(piece);
    shown.push(text);
    if (stopped) return { text: shown.join(''), shown, stopped };
  }
  const { text, stopped } = stream.finish();
  shown.push(text);
  return { text: shown.join(''), shown, stopped };
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe('TextStream', () => {
  it('waits for the rest of a character', () => {
    const [e, acute] = [bytes('é').subarray(0, 1), bytes('é').subarray(1)];
    expect(run([], [bytes('caf'), e, acute, bytes('s')]).shown).toEqual(['caf', '', 'é', 's', '']);
  });

  it('shows an unfinished character as U+FFFD at the end', () => {
    expect(run([], [bytes('a'), bytes('é').subarray(0, 1)]).text).toBe('a\uFFFD');
  });

  it('holds back what may become a stop string, and gives it when it does not', () => {
    expect(run(['\n\ndef'], [bytes('x\n'), bytes('\nd'), bytes('o')]).shown).toEqual(['x', '', '\n\ndo', '']);
  });

  it('ends before the earliest stop string', () => {
    expect(run(['END', 'B'], [bytes('aaB'), bytes('END')])).toMatchObject({ text: 'aa', stopped: true });
  });

  it('gives the text up to the first stop string however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'é', '😀', '\n'), { maxLength: 20 }).map((parts) => parts.join('')),
        fc.array(fc.constantFrom('ab', 'b\n', 'aab', 'é', '\n\n'), { maxLength: 3 }),
        fc.array(fc.nat(5), { minLength: 1 }),
        (text, stops, cuts) => {
          const all = bytes(text);
          const pieces: Uint8Array[] = [];
          for (let from = 0, i = 0; from < all.length; i++) {
            const length = 1 + cuts[i % cuts.length]!;
            pieces.push(all.subarray(from, from + length));
            from += length;
          }
          const ends = stops.map((stop) => text.indexOf(stop)).filter((at) => at !== -1);
          const { text: got, stopped } = run(stops, pieces);
          // Cut into pieces, a stop string that is complete earlier may hide one that begins earlier and ends later.
          if (ends.length === 0) expect({ got, stopped }).toEqual({ got: text, stopped: false });
          else {
            expect(stopped).toBe(true);
            expect(text.startsWith(got)).toBe(true);
            expect(stops.some((stop) => text.startsWith(stop, got.length))).toBe(true);
            expect(stops.every((stop) => !got.includes(stop))).toBe(true);
          }
        },
      ),
    );
  });
});
