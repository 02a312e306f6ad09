import { type Language, parse, walk } from '../syntax/parser.ts';

/** Columns of a tab in an answer. */
const TAB = 4;

/**
 * Statements moved to another indentation. `text` starts at the beginning of a line; `behind` is what makes it parse (the
 * opening of its function) and is not part of the result. Lines that begin inside a string or template stay as they are:
 * their white space is data. Steps of indentation become those of the file, what is left over stays as spaces.
 */
export function reindent(
  text: string,
  { language, behind, indent, unit }: { language: Language; behind: string; indent: string; unit: string },
): string {
  const lines = text.split('\n');
  const inString = linesInStrings(language, `${behind}\n${text}`, behind.split('\n').length);
  const isMoved = (i: number): boolean => !inString.has(i) && lines[i]!.trim() !== '';
  const columns = lines.map((line) => columnsOf(/^[ \t]*/.exec(line)![0]));
  const base = Math.min(...lines.map((_, i) => (isMoved(i) ? columns[i]! : Number.POSITIVE_INFINITY)));
  const size = stepOf(columns.filter((_, i) => isMoved(i) && !lines[i]!.trim().startsWith('*')));
  return lines
    .map((line, i) => {
      if (inString.has(i)) return line;
      if (line.trim() === '') return '';
      const column = columns[i]! - base;
      return indent + unit.repeat(Math.floor(column / size)) + ' '.repeat(column % size) + line.trim();
    })
    .join('\n');
}

/** Columns of one step: by how much a line is most often deeper than the one above it; the smallest of equals. */
function stepOf(columns: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const [i, column] of columns.entries()) {
    const deeper = i === 0 ? 0 : column - columns[i - 1]!;
    if (deeper > 0) counts.set(deeper, (counts.get(deeper) ?? 0) + 1);
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || a - b)[0]?.[0] ?? TAB;
}

function columnsOf(white: string): number {
  let column = 0;
  for (const character of white) column = character === '\t' ? (Math.floor(column / TAB) + 1) * TAB : column + 1;
  return column;
}

function linesInStrings(language: Language, source: string, offset: number): ReadonlySet<number> {
  const lines = new Set<number>();
  walk(parse(language, source), (node) => {
    if (!(node.is('string') || node.is('template_string'))) return true;
    const { start, end } = node.range();
    for (let line = start.line + 1; line <= end.line; line++) lines.add(line - offset);
    return false;
  });
  return lines;
}
