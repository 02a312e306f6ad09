import pc from 'picocolors';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { drawTable } from './table.ts';

const plain = pc.createColors(false);
const columns = [{ header: 'id' }, { header: 'n', align: 'right' as const }, { header: 'what', flexible: true }];

test('columns are as wide as their widest cell, whatever its script and colour', () => {
  const red = pc.createColors(true).red;
  const lines = drawTable(
    columns,
    [
      ['漢字', '1', 'a'],
      [red('x'), '1,000', 'b'],
    ],
    { width: 80, colors: plain },
  );
  expect(lines.map((line) => stringWidth(line))).toEqual([19, 16, 16]);
  expect(lines[1]).toBe('  漢字      1  a');
});

test('the flexible column is cut where the room ends', () => {
  const lines = drawTable(columns, [['c1', '1', 'x'.repeat(200)]], { width: 40, colors: plain });
  expect(lines[1]).toMatch(/^ {2}c1 {2}1 {2}x+…$/);
  expect(stringWidth(lines[1]!)).toBe(40);
});

test('no line is wider than the terminal, however narrow', () => {
  for (const width of [5, 10, 20]) {
    const lines = drawTable(columns, [['candidate', '123456', 'something']], { width, colors: plain });
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
  }
});

test('an empty column is left out unless it has its place', () => {
  const [header] = drawTable(columns, [['c1', '', 'x']], { width: 80, colors: plain });
  expect(header).toBe('  id  what');
  const kept = drawTable([{ header: 'id' }, { header: 'n', minWidth: 3 }], [['c1', '']], { width: 80, colors: plain });
  expect(kept[0]).toBe('  id  n');
});
