import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { KeyTable } from './key-table.ts';

const key = (i: number): [number, number] => {
  const digest = createHash('sha256').update(`${i}`).digest();
  return [digest.readUInt32BE(0), digest.readUInt32BE(4)];
};

describe('KeyTable', () => {
  it('finds what was put in, and nothing else, however often it grew', () => {
    const table = new KeyTable({ values: true });
    const count = 20_000;
    for (let i = 0; i < count; i++) expect(table.add(...key(i), i)).toBe(true);
    expect(table.size).toBe(count);
    for (let i = 0; i < count; i++) {
      if (table.get(...key(i)) !== i) throw new Error(`key ${i}: got ${table.get(...key(i))}`);
      if (table.has(...key(count + i))) throw new Error(`key ${count + i} was never put in`);
    }
    expect(table.add(...key(7), 8)).toBe(false);
    expect(table.get(...key(7))).toBe(7);
  });

  it('takes keys with empty halves, and goes on at the front when the end is full', () => {
    const table = new KeyTable({ values: false });
    expect(table.add(0, 0)).toBe(true);
    expect(table.add(0, 0)).toBe(false);
    for (let low = 1; low < 600; low++) expect(table.add(0xffffffff, low)).toBe(true);
    for (let low = 1; low < 600; low++) expect(table.has(0xffffffff, low)).toBe(true);
    expect(table.has(0xffffffff, 600)).toBe(false);
    expect(table.has(0, 0)).toBe(true);
  });
});
