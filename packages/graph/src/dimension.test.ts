import { describe, expect, it } from 'vitest';
import {
  addDims,
  dimText,
  evaluateDim,
  multiplyDims,
  plainSymbol,
  sameDim,
  sameShape,
  shapeText,
  symbol,
} from './dimension.ts';

const n = symbol('n');
const t = symbol('t');

describe('symbolic dimensions', () => {
  it('are equal whatever the order they were made in', () => {
    expect(sameDim(multiplyDims(n, t, 3), multiplyDims(3, t, n))).toBe(true);
    expect(sameDim(addDims(n, t), addDims(t, n))).toBe(true);
    expect(sameDim(multiplyDims(addDims(n, 1), t), addDims(multiplyDims(n, t), t))).toBe(true);
    expect(sameDim(multiplyDims(n, t), multiplyDims(n, n))).toBe(false);
    expect(sameShape([n, 2], [n, 2])).toBe(true);
    expect(sameShape([n, 2], [n])).toBe(false);
  });

  it('become numbers where the symbols cancel', () => {
    expect(addDims(n, multiplyDims(-1, n), 4)).toBe(4);
    expect(multiplyDims(2, 3)).toBe(6);
    expect(multiplyDims(0, n)).toBe(0);
  });

  it('are evaluated with the values of the symbols', () => {
    const values = new Map([
      ['n', 5],
      ['t', 7],
    ]);
    expect(evaluateDim(addDims(multiplyDims(n, n, 2), t, 1), values)).toBe(58);
    expect(() => evaluateDim(symbol('other'), values)).toThrow('no value for dimension other');
  });

  it('say what they are', () => {
    expect(dimText(addDims(multiplyDims(n, t, 3), 2))).toBe('2+3·n·t');
    expect(shapeText([n, 4])).toBe('[n, 4]');
    expect([plainSymbol(n), plainSymbol(multiplyDims(n, 2)), plainSymbol(3)]).toEqual(['n', null, null]);
  });
});
