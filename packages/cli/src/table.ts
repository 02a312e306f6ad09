import cliTruncate from 'cli-truncate';
import stringWidth from 'string-width';
import type { Colors } from './terminal.ts';

export interface Column {
  readonly header: string;
  readonly align?: 'left' | 'right';
  /** At least this wide, so that the columns stay where they are while their content grows. */
  readonly minWidth?: number;
  /** Takes the room that is left; what does not fit is cut. At most one column. */
  readonly flexible?: boolean;
}

/**
 * Lines of an aligned table no wider than `width`, header first. Cells may be coloured and hold any Unicode. A column
 * whose cells are all empty and that has no `minWidth` is left out.
 */
export function drawTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, colors, gap = 2, indent = 2 }: { width: number; colors: Colors; gap?: number; indent?: number },
): string[] {
  const shown = columns
    .map((column, index) => ({ column, index }))
    .filter(({ column, index }) => column.minWidth !== undefined || rows.some((row) => (row[index] ?? '') !== ''));
  const natural = shown.map(({ column, index }) =>
    Math.max(column.minWidth ?? 0, stringWidth(column.header), ...rows.map((row) => stringWidth(row[index] ?? ''))),
  );
  const flexible = shown.findIndex(({ column }) => column.flexible === true);
  const room = width - indent - gap * Math.max(0, shown.length - 1);
  const excess = sum(natural) - room;
  const widths = natural.map((wide, place) => (place === flexible && excess > 0 ? Math.max(0, wide - excess) : wide));
  const line = (cells: readonly string[]) => {
    const padded = shown.map(({ column }, place) => fit(cells[place] ?? '', widths[place]!, column.align ?? 'left'));
    return cliTruncate(`${' '.repeat(indent)}${padded.join(' '.repeat(gap))}`.trimEnd(), width);
  };
  const header = line(shown.map(({ column }) => colors.dim(column.header)));
  return [header, ...rows.map((row) => line(shown.map(({ index }) => row[index] ?? '')))];
}

function fit(text: string, width: number, align: 'left' | 'right'): string {
  if (width === 0) return '';
  const cut = stringWidth(text) > width ? cliTruncate(text, width) : text;
  const blank = ' '.repeat(Math.max(0, width - stringWidth(cut)));
  return align === 'right' ? blank + cut : cut + blank;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
