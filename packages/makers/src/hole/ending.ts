import jsTokens from 'js-tokens';
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

/**
 * Parsing is repeated for every place where a function may end. An answer is a stranger's: one with more places than this
 * is given up rather than parsed for minutes.
 */
const MAX_PLACES = 40;

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
  return language === 'python' ? wholePython(lines, accept) : wholeBraced(language, lines, accept);
}

/** The same where the function is known to take all of the text: parsed once. JavaScript and TypeScript. */
export function exactFunction(language: Language, text: string): WholeFunction | null {
  const found = parsedBraced(language, text, () => true);
  const isAll = found !== null && found.text.slice(spanOf(found.site.declaration).end).trim() === '';
  return isAll ? { ...found, lineCount: text.split('\n').length } : null;
}

function wholePython(lines: readonly string[], accept: (site: FunctionSite) => boolean): WholeFunction | null {
  const width = /^[ \t]*/.exec(lines[0]!)![0].length;
  const isOutside = (line: string): boolean => line.trim() !== '' && /^[ \t]*/.exec(line)![0].length <= width;
  let places = 0;
  for (let end = 1; end <= lines.length && places < MAX_PLACES; end++) {
    if (end < lines.length && !isOutside(lines[end]!)) continue;
    places++;
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
  const code = lines.join('\n');
  let places = 0;
  for (const end of balancedPlaces(code, language)) {
    if (++places > MAX_PLACES) return null;
    const text = code.slice(0, end);
    const found = parsedBraced(language, text, accept);
    if (found === null) continue;
    const lineCount = text.split('\n').length;
    // An arrow function's expression may go on: `x` is whole, and so is `x` with `.trim()` on the next line.
    return found.site.body.is('statement_block')
      ? { ...found, lineCount }
      : longest(language, lines, lineCount, accept, { ...found, lineCount });
  }
  return null;
}

/**
 * Offsets behind a closing brace and at ends of lines where every bracket is closed again: nowhere else can a function
 * end. Brackets in strings, templates, regular expressions and comments do not count.
 */
function* balancedPlaces(code: string, language: Language): Generator<number> {
  const jsx = language === 'tsx' || (language === 'javascript' && /<\/|\/>/.test(code));
  let depth = 0;
  let offset = 0;
  let isEmpty = true;
  for (const { type, value } of jsTokens(code, { jsx })) {
    if (type === 'LineTerminatorSequence' && depth === 0 && !isEmpty) yield offset;
    if (type === 'TemplateHead' || (type.endsWith('Punctuator') && /^[({[]$/.test(value))) depth++;
    if (type === 'TemplateTail' || (type.endsWith('Punctuator') && /^[)}\]]$/.test(value))) depth--;
    offset += value.length;
    if (depth < 0) return;
    isEmpty &&= /^\s*$/.test(value);
    if (value === '}' && depth === 0) yield offset;
  }
  if (depth === 0 && !isEmpty) yield offset;
}

function longest(
  language: Language,
  lines: readonly string[],
  from: number,
  accept: (site: FunctionSite) => boolean,
  shortest: WholeFunction,
): WholeFunction {
  let best = shortest;
  const last = Math.min(lines.length, from + MAX_PLACES);
  for (let end = from + 1; end <= last && lines[end - 1]!.trim() !== ''; end++) {
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
