import { describe, expect, it } from 'vitest';
import { houseExcess } from './fit.ts';
import type { LineScore } from './score.ts';

/** Ten lines that cost `3 + 2 n` bits each, n tokens, and then the lines given. */
function file(fresh: readonly { text: string; tokens: number; bits: number }[]) {
  const old = Array.from({ length: 10 }, (_, i) => ({ text: `old ${i}`, tokens: i + 1, bits: 3 + 2 * (i + 1) }));
  const all = [...old, ...fresh];
  const lines = all.map(({ tokens, bits }, i): LineScore => ({ line: i + 1, tokens, bits, excess: 0 }));
  const text = (some: readonly { text: string }[]) => some.map((line) => line.text).join('\n');
  return { before: text(old), after: text(all), lines };
}

describe('houseExcess', () => {
  it('is 0 for lines that cost what lines of their length cost, however long', () => {
    const fresh = [2, 9, 40].map((tokens) => ({ text: `new ${tokens}`, tokens, bits: 3 + 2 * tokens }));
    expect(houseExcess([file(fresh)])).toBeCloseTo(0, 9);
    expect(houseExcess([file(fresh.slice(0, 1))])).toBeCloseTo(0, 9);
  });

  it('is the bits above that, a token', () => {
    const fresh = [
      { text: 'strange', tokens: 4, bits: 3 + 2 * 4 + 6 },
      { text: 'familiar', tokens: 6, bits: 3 + 2 * 6 - 1 },
    ];
    expect(houseExcess([file(fresh)])).toBeCloseTo((6 - 1) / (4 + 6), 9);
  });

  it('counts no line that repeats the file or the change: copying costs little and is no fit', () => {
    const strange = { text: 'strange', tokens: 4, bits: 3 + 2 * 4 + 6 };
    const copies = [
      { text: '  old 3', tokens: 4, bits: 0.1 },
      { text: 'strange', tokens: 4, bits: 0.1 },
    ];
    expect(houseExcess([file([strange, ...copies])])).toBeCloseTo(6 / 4, 9);
    expect(houseExcess([file(copies.slice(0, 1))])).toBeNull();
  });

  it('compares several files with one measure, and tells where there is too little to compare with', () => {
    const one = file([{ text: 'strange', tokens: 4, bits: 3 + 2 * 4 + 6 }]);
    const other = file([{ text: 'plain', tokens: 8, bits: 3 + 2 * 8 }]);
    expect(houseExcess([one, other])).toBeCloseTo(6 / 12, 9);
    expect(houseExcess([{ ...one, before: null }])).toBeNull();
    expect(houseExcess([{ ...one, after: one.before, lines: one.lines.slice(0, 10) }])).toBeNull();
  });
});
