import { fencesOf, withoutThoughts } from '../answer.ts';
import { type FunctionSite, functionsOf } from '../syntax/functions.ts';
import { parse, spanOf, syntaxError, walk } from '../syntax/parser.ts';
import { exactFunction, type WholeFunction, wholeFunction } from './ending.ts';
import { extrasNeeded } from './extras.ts';
import { type Body, type Filled, fillHole } from './fill.ts';
import { colonOf, docstringOf, parametersOf } from './find.ts';
import type { Hole } from './hole.ts';

/** Where an answer begins: `whole` stands by itself, `inside` continues the text that ends where the body begins. */
export type AnswerStart = 'whole' | 'inside';

/** What is known of an answer besides its text. */
export interface AnswerForm {
  readonly start: AnswerStart;
  /** It was stopped by a limit: an end that only the end of the text marks does not count. */
  readonly isCutOff: boolean;
}

type Extracted = Body | { readonly invalid: string };

/**
 * The file filled from an answer, whatever stands around the body: prose, fences, the whole function (or class, or file)
 * again under the same or another name, statements alone, wrong indentation, text behind the end. Readings are tried
 * from the most to the least certain; the first that gives a valid file counts. Without any, the reason of the first.
 */
export function fillFromAnswer(source: string, hole: Hole, answer: string, form: AnswerForm): Filled {
  const text = withoutThoughts(answer);
  if (text === null) return { invalid: 'the answer ends before the model stopped thinking' };
  if (text.trim() === '') return { invalid: 'the answer is empty' };
  let reason: string | null = null;
  for (const body of readings(text, source, hole, form)) {
    const filled = 'invalid' in body ? body : fillHole(source, hole, body);
    if ('source' in filled) return filled;
    reason ??= filled.invalid;
  }
  return { invalid: reason ?? `there is no body for ${hole.path.join('.')} in the answer` };
}

/** A part of an answer that may hold the body. */
interface Region {
  readonly text: string;
  /** The answer was stopped inside it. */
  readonly isCutOff: boolean;
  /** Prose may stand around the code. */
  readonly hasProse: boolean;
}

function* readings(text: string, source: string, hole: Hole, form: AnswerForm): Generator<Extracted> {
  if (form.start === 'inside') yield* continuation(text, source, hole, form.isCutOff);
  // A less certain reading is not tried where a more certain one applies: what is wrong with that one is then the reason.
  const further = form.start === 'inside' ? [namedFunctions] : [namedFunctions, renamedFunction, statementsAlone];
  for (const reading of further) {
    let applies = false;
    for (const region of regionsOf(text, form)) {
      for (const body of reading(region, source, hole)) {
        applies = true;
        yield body;
      }
    }
    if (applies) return;
  }
}

function regionsOf(text: string, { isCutOff }: AnswerForm): readonly Region[] {
  const fences = fencesOf(text);
  if (fences.length === 0) return [{ text: text.replace(/^\s*`([^`\n]+)`\s*$/, '$1'), isCutOff, hasProse: true }];
  return fences.map((fence) => ({ text: fence.text, isCutOff: isCutOff && !fence.isClosed, hasProse: false }));
}

function* namedFunctions({ text, isCutOff }: Region, source: string, hole: Hole): Generator<Extracted> {
  const own = hole.path.at(-1)!;
  const isOwn = (site: FunctionSite): boolean => site.path.at(-1) === own;
  const lines = text.trimEnd().split('\n');
  const whole = parse(hole.language, text);
  if (syntaxError(whole) === null && !isCutOff) {
    // A class or file repeated: of several functions of that name, the one on the same path comes first.
    const sites = functionsOf(whole, hole.language).filter((site) => site.body !== null && isOwn(site));
    const samePath = (site: FunctionSite): number => (site.path.join('.') === hole.path.join('.') ? 0 : 1);
    for (const site of sites.toSorted((a, b) => samePath(a) - samePath(b))) {
      yield fromFunction({ text, site: { ...site, body: site.body! } }, text, source, hole);
    }
  }
  const isStart = startOf(own, hole);
  const starts = lines.flatMap((line, i) => (isStart(line) ? [i] : []));
  for (const i of starts.slice(0, MAX_STARTS)) {
    const found = wholeFunction(hole.language, lines.slice(i), isOwn);
    if (found === null) continue;
    if (isCutOff && isOpenEnded(found, lines.length - i)) {
      yield UNFINISHED;
      continue;
    }
    const around = `${lines.slice(0, i).join('\n')}\n${lines.slice(i + found.lineCount).join('\n')}`;
    yield fromFunction(found, around, source, hole);
  }
}

/** Places where a function or a body may start that are tried in one part of an answer. */
const MAX_STARTS = 6;

/** May a function of that name start on this line? A call of it may not. */
function startOf(name: string, hole: Hole): (line: string) => boolean {
  if (hole.language === 'python') return (line) => new RegExp(`^\\s*(async\\s+)?def\\s+${name}\\b`).test(line);
  const word = `["']?${name.replaceAll(/[^\w]/g, '\\$&')}["']?(?![w$])`;
  const bound = `(?<![\\w$])${word}\\s*(\\??:[^=]*)?[=:](?!=)`;
  const declared = new RegExp(`\\bfunction\\b\\s*(?:\\*\\s*)?${word}|\\bexport\\s+default\\b|${bound}`);
  const method = new RegExp(`^[\\s\\w*]*(?<![\\w$.])${word}\\s*(<.*>)?\\(`);
  return (line) => declared.test(line) || (method.test(line) && !/\)\s*(?:;\s*)?$/.test(line));
}

/** Does only the end of the text end the function? A closing brace would. */
function isOpenEnded({ site, lineCount }: WholeFunction, lines: number): boolean {
  return lineCount >= lines && !site.body.is('statement_block');
}

function* renamedFunction({ text, isCutOff }: Region, source: string, hole: Hole): Generator<Extracted> {
  if (isCutOff) return;
  const root = parse(hole.language, text);
  const isStatement = root.namedChildren().some((node) => /^(return|if|for|while|try)_?/.test(String(node.kind())));
  const sites = functionsOf(root, hole.language).filter((site) => site.body !== null && site.path.length === 1);
  if (isStatement || sites.length === 0) return;
  const fitting = sites.filter((site) => sameParameters(site, hole));
  if (sites.length > 1 && fitting.length !== 1) return;
  const site = (fitting[0] ?? sites[0])!;
  if (syntaxError(site.node) !== null) return;
  yield fromFunction({ text, site: { ...site, body: site.body! } }, text, source, hole);
}

function sameParameters(site: FunctionSite, hole: Hole): boolean {
  return parameterNames(site).join() === hole.parameters.join();
}

function* continuation(text: string, source: string, hole: Hole, isCutOff: boolean): Generator<Extracted> {
  const lines = `${opened(hole)}${text.replace(/\n?```[\s\S]*$/, '')}`.trimEnd().split('\n');
  const found = wholeFunction(hole.language, lines, () => true);
  if (found !== null && !(isCutOff && isOpenEnded(found, lines.length))) {
    yield fromFunction(found, '', source, hole);
    return;
  }
  // Where the model was not cut off, a stop string took the closing brace away.
  const closed = isCutOff || hole.language === 'python' ? null : exactFunction(hole.language, `${lines.join('\n')}\n}`);
  yield closed === null ? UNFINISHED : fromFunction(closed, '', source, hole);
}

const UNFINISHED: Extracted = { invalid: 'the answer ends before the function does' };

/** The opening as a continuation finds it: Python's `def` is indented as in the file, so that the end shows. */
export function opened(hole: Hole): string {
  return hole.language === 'python' ? hole.indent + hole.opening : hole.opening;
}

function* statementsAlone({ text, isCutOff, hasProse }: Region, source: string, hole: Hole): Generator<Extracted> {
  const lines = isCutOff ? [] : text.split('\n');
  const starts = hasProse
    ? lines.flatMap((line, i) => (line.trim() !== '' && (i === 0 || /(^|:)\s*$/.test(lines[i - 1]!)) ? [i] : []))
    : [0];
  for (const start of starts.slice(0, MAX_STARTS)) {
    const rest = lines.slice(start);
    const ends = [rest.length, ...rest.flatMap((line, i) => (isProse(line) ? [i] : [])).reverse()];
    for (const end of ends.slice(0, MAX_STARTS)) {
      const some = rest.slice(0, end);
      if (some.every((line) => line.trim() === '')) continue;
      const statements = hole.language === 'python' ? suites(some, hole) : braced(some, hole);
      for (const one of statements) yield withExtras(one, '', source, hole);
    }
  }
  if (isCutOff || !hasProse) yield UNFINISHED;
}

/** A sentence rather than code: a capital, several words, none of code's punctuation at the end. */
function isProse(line: string): boolean {
  return /^\s*(?:(?:[-*#>]+\s|\d+[.)]\s|\*\*)\s*)?[A-Z][\w'’,`()-]*(\s+[\w'’,`().-]+){2,}[.:!?]?\s*$/.test(line);
}

function braced(lines: readonly string[], hole: Hole): readonly string[] {
  const all = [hole.opening, ...lines];
  const found = exactFunction(hole.language, [...all, '}'].join('\n')) ?? wholeFunction(hole.language, all, () => true);
  const inner = found === null ? '' : statementsOf(found);
  return inner.trim() === '' ? [] : [inner];
}

function suites(lines: readonly string[], hole: Hole): readonly string[] {
  const text = lines.join('\n').trimEnd();
  const widths = lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)![0].length);
  const rest = widths.slice(1);
  const readings = [text];
  // The first line lost its indentation to the prompt or to trimming; the others still have theirs. The parser would let
  // the sudden indentation pass, Python does not.
  const opensMore = /[:([{,\\]\s*(#.*)?$/.test(text.split('\n', 1)[0]!);
  if (rest.length > 0 && widths[0] === 0 && Math.min(...rest) > 0 && !opensMore) {
    readings.unshift(' '.repeat(Math.min(...rest)) + text.trimStart());
  }
  return readings.filter((reading) => syntaxError(parse('python', asSuite(reading, hole))) === null);
}

function asSuite(text: string, hole: Hole): string {
  const lines = text.split('\n');
  const width = Math.min(...lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)![0].length));
  return [hole.opening, ...lines.map((line) => `    ${line.slice(width)}`)].join('\n');
}

function fromFunction(
  found: Pick<WholeFunction, 'text' | 'site'>,
  around: string,
  source: string,
  hole: Hole,
): Extracted {
  const foreign = parameterNames(found.site).filter((name) => !hole.parameters.includes(name));
  const used = identifiersOf(found.site);
  const wrong = foreign.filter((name) => used.has(name));
  if (wrong.length > 0) {
    return {
      invalid: `the answer's function has other parameters (${wrong.join(', ')} instead of ${hole.parameters.join(', ')})`,
    };
  }
  return withExtras(statementsOf(found), around, source, hole);
}

function withExtras(statements: string, around: string, source: string, hole: Hole): Extracted {
  const extras = extrasNeeded(around, statements, source, hole);
  return 'invalid' in extras ? extras : { statements, ...extras };
}

/** The statements of a function's body, from the beginning of their first line; a lone expression becomes a `return`. */
function statementsOf({ text, site }: Pick<WholeFunction, 'text' | 'site'>): string {
  const { start, end } = spanOf(site.body);
  if (site.node.is('function_definition')) {
    const docstring = docstringOf(site.body);
    const from = docstring === null ? spanOf(colonOf(site.node)).end : spanOf(docstring).end;
    return text.slice(from, end).replace(/^[ \t]*(;[ \t]*)?(#[^\n]*)?\n/, '');
  }
  if (!site.body.is('statement_block')) return `return ${text.slice(start, end)};`;
  const inner = text.slice(start + 1, end - 1);
  const firstBreak = inner.indexOf('\n');
  if (firstBreak < 0) return inner.trim();
  // A statement on the line of the opening brace gets the indentation of those below.
  const first = inner.slice(0, firstBreak);
  if (first.trim() === '' || first.trim().startsWith('//')) return inner.slice(firstBreak + 1);
  const below = /^[ \t]*(?=\S)/m.exec(inner.slice(firstBreak + 1))?.[0] ?? '';
  return `${below}${first.trim()}\n${inner.slice(firstBreak + 1)}`;
}

function parameterNames(site: FunctionSite): readonly string[] {
  return parametersOf(site.node, site.node.is('function_definition') ? 'python' : 'javascript');
}

function identifiersOf(site: FunctionSite): ReadonlySet<string> {
  const names = new Set<string>();
  walk(site.body!, (node) => {
    if (node.is('identifier') || node.is('shorthand_property_identifier')) names.add(node.text());
    return true;
  });
  return names;
}
