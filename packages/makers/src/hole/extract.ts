import { fencesOf, withoutThoughts } from '../answer.ts';
import { type FunctionSite, functionsOf } from '../syntax/functions.ts';
import { parse, spanOf, syntaxError, walk } from '../syntax/parser.ts';
import { type WholeFunction, wholeFunction } from './ending.ts';
import { extrasNeeded } from './extras.ts';
import { type Body, type Filled, fillHole } from './fill.ts';
import { colonOf, docstringOf, parametersOf } from './find.ts';
import type { Hole } from './hole.ts';

/** Where an answer begins: `whole` stands by itself, `inside` continues the text that ends where the body begins. */
export type AnswerStart = 'whole' | 'inside';

type Extracted = Body | { readonly invalid: string };

/**
 * The file filled from an answer, whatever stands around the body: prose, fences, the whole function (or class, or file)
 * again under the same or another name, statements alone, wrong indentation, text behind the end. Readings are tried
 * from the most to the least certain; the first that gives a valid file counts. Without any, the reason of the first.
 */
export function fillFromAnswer(source: string, hole: Hole, answer: string, start: AnswerStart): Filled {
  const text = withoutThoughts(answer);
  if (text === null) return { invalid: 'the answer ends before the model stopped thinking' };
  if (text.trim() === '') return { invalid: 'the answer is empty' };
  let reason: string | null = null;
  for (const body of readings(text, source, hole, start)) {
    const filled = 'invalid' in body ? body : fillHole(source, hole, body);
    if ('source' in filled) return filled;
    reason ??= filled.invalid;
  }
  return { invalid: reason ?? `there is no body for ${hole.path.join('.')} in the answer` };
}

function* readings(text: string, source: string, hole: Hole, start: AnswerStart): Generator<Extracted> {
  if (start === 'inside') yield* continuation(text.replace(/\n?```[\s\S]*$/, ''), source, hole);
  const fences = fencesOf(text);
  const regions = fences.length > 0 ? fences.map((fence) => fence.text) : [text.replace(/^\s*`([^`\n]+)`\s*$/, '$1')];
  // A less certain reading is not tried where a more certain one applies: what is wrong with that one is then the reason.
  for (const reading of [namedFunctions, renamedFunction]) {
    let applies = false;
    for (const region of regions) {
      for (const body of reading(region, source, hole)) {
        applies = true;
        yield body;
      }
    }
    if (applies) return;
  }
  for (const region of regions) yield* statementsAlone(region, fences.length === 0, source, hole);
}

function* namedFunctions(region: string, source: string, hole: Hole): Generator<Extracted> {
  const own = hole.path.at(-1)!;
  const isOwn = (site: FunctionSite): boolean => site.path.at(-1) === own;
  const lines = region.split('\n');
  const whole = parse(hole.language, region);
  if (syntaxError(whole) === null) {
    // A class or file repeated: of several functions of that name, the one on the same path comes first.
    const sites = functionsOf(whole, hole.language).filter((site) => site.body !== null && isOwn(site));
    const samePath = (site: FunctionSite): number => (site.path.join('.') === hole.path.join('.') ? 0 : 1);
    for (const site of sites.toSorted((a, b) => samePath(a) - samePath(b))) {
      yield fromFunction({ text: region, site: { ...site, body: site.body! } }, region, source, hole);
    }
  }
  const word = new RegExp(`(?<![\\w$])${own.replaceAll(/[^\w]/g, '\\$&')}(?![\\w$])`);
  for (let i = 0; i < lines.length; i++) {
    const isStart = hole.language === 'python' ? /^\s*(async\s+)?def\s/.test(lines[i]!) : /[({=>]/.test(lines[i]!);
    if (!isStart || !word.test(lines[i]!)) continue;
    const found = wholeFunction(hole.language, lines.slice(i), isOwn);
    if (found === null) continue;
    const around = `${lines.slice(0, i).join('\n')}\n${lines.slice(i + found.lineCount).join('\n')}`;
    yield fromFunction(found, around, source, hole);
  }
}

function* renamedFunction(region: string, source: string, hole: Hole): Generator<Extracted> {
  const root = parse(hole.language, region);
  const isStatement = root.namedChildren().some((node) => /^(return|if|for|while|try)_?/.test(String(node.kind())));
  const sites = functionsOf(root, hole.language).filter((site) => site.body !== null && site.path.length === 1);
  if (isStatement || sites.length === 0) return;
  const fitting = sites.filter((site) => sameParameters(site, hole));
  if (sites.length > 1 && fitting.length !== 1) return;
  const site = (fitting[0] ?? sites[0])!;
  if (syntaxError(site.node) !== null) return;
  yield fromFunction({ text: region, site: { ...site, body: site.body! } }, region, source, hole);
}

function sameParameters(site: FunctionSite, hole: Hole): boolean {
  return parameterNames(site).join() === hole.parameters.join();
}

function* continuation(text: string, source: string, hole: Hole): Generator<Extracted> {
  const head = opened(hole);
  const lines = `${head}${text}`.split('\n');
  const found = wholeFunction(hole.language, lines, () => true);
  if (found !== null && !(hole.language === 'python' && isCutShort(found))) {
    yield fromFunction(found, '', source, hole);
    return;
  }
  if (hole.language !== 'python') {
    // A stop string took the closing brace away.
    const closed = wholeFunction(hole.language, [...lines, '}'], () => true);
    yield closed === null ? UNFINISHED : fromFunction(closed, '', source, hole);
  } else yield UNFINISHED;
}

const UNFINISHED: Extracted = { invalid: 'the answer ends before the function does' };

/** The opening as a continuation finds it: Python's `def` is indented as in the file, so that the end shows. */
function opened(hole: Hole): string {
  return hole.language === 'python' ? hole.indent + hole.opening : hole.opening;
}

function isCutShort(found: WholeFunction): boolean {
  return found.site.body.namedChildren().length === 0;
}

function* statementsAlone(region: string, hasProse: boolean, source: string, hole: Hole): Generator<Extracted> {
  const lines = region.split('\n');
  const starts = hasProse
    ? lines.flatMap((line, i) => (line.trim() !== '' && (i === 0 || /(^|:)\s*$/.test(lines[i - 1]!)) ? [i] : []))
    : [0];
  for (const start of starts) {
    const rest = lines.slice(start);
    const ends = [rest.length, ...rest.flatMap((line, i) => (isProse(line) ? [i] : [])).reverse()];
    for (const end of ends) {
      const some = rest.slice(0, end);
      if (some.every((line) => line.trim() === '')) continue;
      const statements = hole.language === 'python' ? suites(some, hole) : braced(some, hole);
      for (const one of statements) yield withExtras(one, '', source, hole);
    }
  }
  if (!hasProse) yield UNFINISHED;
}

/** A sentence rather than code: a capital, several words, none of code's punctuation at the end. */
function isProse(line: string): boolean {
  return /^\s*([-*#>]+\s|\d+[.)]\s|\*\*)?\s*[A-Z][\w'’,`()-]*(\s+[\w'’,`().-]+){2,}[.:!?]?\s*$/.test(line);
}

function braced(lines: readonly string[], hole: Hole): readonly string[] {
  const all = [hole.opening, ...lines];
  const found =
    wholeFunction(hole.language, all, () => true) ?? wholeFunction(hole.language, [...all, '}'], () => true);
  if (found === null) return [];
  const inner = statementsOf(found);
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
