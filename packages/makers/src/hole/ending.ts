import { type FunctionSite, functionsOf } from '../syntax/functions.ts';
import { type Language, parse, type SgNode, spanOf, syntaxError } from '../syntax/parser.ts';

/** A whole function found at the beginning of a text, and how much of the text it takes. */
export interface WholeFunction {
  /** The text it was parsed in; the offsets of `site` are positions in it. */
  readonly text: string;
  readonly site: FunctionSite & { readonly body: SgNode };
  /** Lines of the given ones it takes. */
  readonly lineCount: number;
}

/** Parsing is repeated for every place where a function may end; a longer answer than this is no function body. */
const MAX_LINES = 600;

/** Methods parse only inside a class, properties only inside an object. */
const SURROUNDINGS = [
  { before: '', after: '' },
  { before: 'class _ {\n', after: '\n}' },
  { before: '({\n', after: '\n})' },
];

/**
 * The function that starts on the first of `lines`, cut where it ends: JavaScript at the bracket that closes it, Python
 * where the indentation does. Null where no function accepted by `accept` starts there or it does not end.
 */
export function wholeFunction(
  language: Language,
  lines: readonly string[],
  accept: (site: FunctionSite) => boolean,
): WholeFunction | null {
  const some = lines.slice(0, MAX_LINES);
  return language === 'python' ? wholePython(some, accept) : wholeBraced(language, some, accept);
}

function wholePython(lines: readonly string[], accept: (site: FunctionSite) => boolean): WholeFunction | null {
  const width = /^[ \t]*/.exec(lines[0]!)![0].length;
  const isOutside = (line: string): boolean => line.trim() !== '' && /^[ \t]*/.exec(line)![0].length <= width;
  for (let end = 1; end <= lines.length; end++) {
    if (end < lines.length && !isOutside(lines[end]!)) continue;
    const text = dedented(lines.slice(0, end), width);
    const root = parse('python', text);
    // A line at the margin may still be inside brackets or a string: then what is above it does not parse.
    if (syntaxError(root) !== null) continue;
    const site = functionsOf(root, 'python').find((one) => spanOf(one.declaration).start === 0 && accept(one));
    if (site !== undefined && hasBody(site)) return { text, site, lineCount: end };
  }
  return null;
}

function dedented(lines: readonly string[], width: number): string {
  return lines.map((line) => line.slice(Math.min(width, /^[ \t]*/.exec(line)![0].length))).join('\n');
}

function wholeBraced(
  language: Language,
  lines: readonly string[],
  accept: (site: FunctionSite) => boolean,
): WholeFunction | null {
  for (let end = 1; end <= lines.length; end++) {
    const line = lines[end - 1]!;
    const above = lines
      .slice(0, end - 1)
      .map((text) => `${text}\n`)
      .join('');
    for (const column of placesToEnd(line)) {
      const found = parsedBraced(language, above + line.slice(0, column), accept);
      if (found === null) continue;
      // An arrow function's expression may go on: `x` is whole, and so is `x` with `.trim()` on the next line.
      return found.site.body.is('statement_block')
        ? { ...found, lineCount: end }
        : longest(language, lines, end, accept, { ...found, lineCount: end });
    }
  }
  return null;
}

function placesToEnd(line: string): readonly number[] {
  const places = [...line.matchAll(/\}/g)].map((match) => match.index + 1);
  return line.trim() === '' || places.at(-1) === line.length ? places : [...places, line.length];
}

function longest(
  language: Language,
  lines: readonly string[],
  from: number,
  accept: (site: FunctionSite) => boolean,
  shortest: WholeFunction,
): WholeFunction {
  let best = shortest;
  for (let end = from + 1; end <= lines.length && lines[end - 1]!.trim() !== ''; end++) {
    const found = parsedBraced(language, lines.slice(0, end).join('\n'), accept);
    if (found !== null) best = { ...found, lineCount: end };
  }
  return best;
}

function parsedBraced(
  language: Language,
  code: string,
  accept: (site: FunctionSite) => boolean,
): Omit<WholeFunction, 'lineCount'> | null {
  for (const { before, after } of SURROUNDINGS) {
    const text = before + code.replace(/,\s*$/, '') + after;
    const root = parse(language, text);
    if (syntaxError(root) !== null) continue;
    const start = before.length + /^\s*/.exec(code)![0].length;
    const site = functionsOf(root, language).find((one) => spanOf(one.declaration).start === start && accept(one));
    // Whatever follows on the same line belongs to another statement: the function is cut where it ends.
    if (site !== undefined && hasBody(site)) return { text, site };
  }
  return null;
}

function hasBody(site: FunctionSite): site is FunctionSite & { readonly body: SgNode } {
  return site.body !== null;
}
