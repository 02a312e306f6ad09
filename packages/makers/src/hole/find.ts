import { LatheError } from '@lathe/protocol';
import detectIndent from 'detect-indent';
import { distance } from 'fastest-levenshtein';
import { type FunctionSite, functionsOf } from '../syntax/functions.ts';
import { type Language, parse, type SgNode, type Span, spanOf, walk } from '../syntax/parser.ts';
import type { Hole } from './hole.ts';

/**
 * The function that `name` means, ready to be filled. A name may be qualified from the right (`area`, `Shape.area`,
 * `Shape#area` for an instance method, `get area`), and `@LINE` behind it picks the one whose name stands on that line.
 * A full path wins over a longer one that ends with it.
 *
 * Throws `LATHE_NOT_FOUND_FUNCTION` with the names there are, nearest first; `LATHE_USAGE_AMBIGUOUS` with the
 * candidates and how to tell them apart; `LATHE_USAGE_NO_BODY` for a declaration that has no body anywhere.
 */
export function findHole(source: string, language: Language, name: string): Hole {
  const root = parse(language, source);
  const sites = functionsOf(root, language);
  const found = matching(sites, name);
  if (found.length === 0) throw notFound(sites, name);
  if (found.length > 1) throw ambiguous(found, name);
  const site = found[0]!;
  if (site.body === null) {
    throw new LatheError(
      'LATHE_USAGE_NO_BODY',
      `${name} (line ${site.line}) is declared there but has no body to fill`,
      {
        remedy: 'name the function that implements it, or give this one an empty body first',
      },
    );
  }
  return holeOf(source, language, site, site.body);
}

/** Sites a name can mean: those whose full path it is, else those whose path it ends. */
export function matching(sites: readonly FunctionSite[], name: string): readonly FunctionSite[] {
  const line = /@(\d+)$/.exec(name);
  const bare = line === null ? name : name.slice(0, line.index);
  const accessor = /^(get|set)\s+(?=\S)|(?<=[.#])(get|set)\s+/.exec(bare);
  const plain = accessor === null ? bare : bare.replace(accessor[0], '');
  const wanted = plain.replaceAll(/(?<=[^.#])#/g, '.').split('.');
  const ends = sites.filter(
    (site) =>
      wanted.length <= site.path.length &&
      wanted.every((part, i) => site.path[site.path.length - wanted.length + i] === part) &&
      (line === null || site.line === Number(line[1])) &&
      (accessor === null || site.accessor === (accessor[1] ?? accessor[2])),
  );
  const byDefault = ends.length === 0 && plain === 'default' ? sites.filter((site) => site.isDefaultExport) : ends;
  const full = byDefault.filter((site) => site.path.length === wanted.length);
  const best = full.length > 0 ? full : byDefault;
  if (best.length < 2 || new Set(best.map((site) => site.path.join('.'))).size > 1) return best;
  const wantsInstance = /[^.#]#/.test(plain);
  const side = best.filter((site) => site.isStatic !== wantsInstance);
  return side.length === 1 && best.some((site) => site.isStatic) ? side : best;
}

function notFound(sites: readonly FunctionSite[], name: string): LatheError {
  if (sites.length === 0) {
    return new LatheError(
      'LATHE_NOT_FOUND_FUNCTION',
      `there is no function called ${name}: the file has no named function`,
    );
  }
  const own = (text: string): string => text.split(/[.#]/).at(-1)!.toLowerCase();
  const nearness = (site: string): number => distance(own(site), own(name));
  const names = [...new Set(sites.map((site) => site.path.join('.')))];
  const nearest = names.toSorted((a, b) => nearness(a) - nearness(b) || (a < b ? -1 : 1));
  const shown = nearest.slice(0, 12).join(', ');
  const more = nearest.length > 12 ? ` and ${nearest.length - 12} more` : '';
  return new LatheError('LATHE_NOT_FOUND_FUNCTION', `there is no function called ${name}; there are: ${shown}${more}`, {
    remedy: `name one of them, for example ${nearest[0]}`,
  });
}

function ambiguous(found: readonly FunctionSite[], name: string): LatheError {
  const bare = name.replace(/@\d+$/, '');
  const names = found.map((site) =>
    [...site.path.slice(0, -1), `${site.accessor === null ? '' : `${site.accessor} `}${site.path.at(-1)}`].join('.'),
  );
  const shown = found.map((site, i) => `${names[i]} (line ${site.line})`).join(', ');
  const byPath = new Set(names).size === found.length && names.every((path) => path !== bare);
  const example = byPath ? names[0] : `${bare}@${found[0]!.line}`;
  return new LatheError('LATHE_USAGE_AMBIGUOUS', `${name} can mean ${found.length} functions: ${shown}`, {
    remedy: `say which: ${example}, or ${bare}@LINE with the line its name stands on`,
  });
}

function holeOf(source: string, language: Language, site: FunctionSite, body: SgNode): Hole {
  const declaration = spanOf(site.declaration);
  const opens = language === 'python' ? spanOf(site.node).start : closingLine(source, site, body);
  const indent = indentationAt(source, lineStart(source, opens));
  // The lines of a block comment stand one column in, which is no step of the code's.
  const unit = detectIndent(source.replace(/^[ \t]*\*.*$/gm, '')).indent || (language === 'python' ? '    ' : '  ');
  const { span, kind } = language === 'python' ? suiteSpan(source, site, body, indent) : blockSpan(body);
  const statement = topLevel(site.declaration);
  const tokens = site.node.children().filter((child) => !child.isNamed());
  return {
    language,
    path: site.path,
    line: site.line,
    span,
    body: kind,
    header: source.slice(declaration.start, span.start),
    opening: openingOf(source, language, site, body),
    comments: commentsAbove(source, site.declaration).text,
    statementStart: commentsAbove(source, statement).start,
    parameters: parametersOf(site.node, language),
    isAsync: tokens.some((token) => token.is('async')),
    isGenerator: tokens.some((token) => token.is('*')) || String(site.node.kind()).startsWith('generator'),
    indent,
    bodyIndent: ownIndent(source, span) ?? indent + unit,
    unit,
    eol: /\r\n/.test(source) && !/[^\r]\n/.test(source) ? '\r\n' : '\n',
  };
}

function blockSpan(body: SgNode): { readonly span: Span; readonly kind: Hole['body'] } {
  const { start, end } = spanOf(body);
  return body.is('statement_block')
    ? { span: { start: start + 1, end: end - 1 }, kind: 'block' }
    : { span: { start, end }, kind: 'expression' };
}

function suiteSpan(
  source: string,
  site: FunctionSite,
  body: SgNode,
  indent: string,
): { readonly span: Span; readonly kind: Hole['body'] } {
  const docstring = docstringOf(body);
  const colon = spanOf(colonOf(site.node)).end;
  const sameLine = docstring !== null && !source.slice(colon, spanOf(docstring).start).includes('\n');
  const afterColon = /^[ \t]*#[^\r\n]*/.exec(source.slice(colon))?.[0].length ?? 0;
  const start = docstring !== null && !sameLine ? spanOf(docstring).end : colon + afterColon;
  // Comments behind the last statement that are indented as the body is belong to the body, which the tree leaves out.
  const trailing = new RegExp(`^(?:[ \\t]*(?:\\r?\\n)+${indent}[ \\t]+#[^\\r\\n]*)+`);
  const end = Math.max(spanOf(body).end, start);
  return { span: { start, end: end + (trailing.exec(source.slice(end))?.[0].length ?? 0) }, kind: 'suite' };
}

/** The string that documents a Python function: the first statement of its body, where that is a string. */
export function docstringOf(body: SgNode): SgNode | null {
  const first = body.namedChildren().find((child) => !child.is('comment'));
  const value = first?.is('expression_statement') ? first.child(0) : null;
  return value?.is('string') ? value : null;
}

/** The colon between a Python function's signature and its body. */
export function colonOf(node: SgNode): SgNode {
  const colon = node.children().findLast((child) => child.is(':'));
  if (colon === undefined) throw new Error('internal: a Python function without a colon');
  return colon;
}

/**
 * `async function* name(parameters): type {` or `async def name(parameters) -> type:`, from whatever form the function
 * has in the file. `name` is a plain identifier even for `constructor`, `#private` or quoted names.
 */
function openingOf(source: string, language: Language, site: FunctionSite, body: SgNode): string {
  if (language === 'python') return source.slice(spanOf(site.node).start, spanOf(colonOf(site.node)).end);
  const field = (name: string): string => site.node.field(name)?.text() ?? '';
  const own = site.path.at(-1)!.replaceAll(/[^\w$]/g, '');
  const name = /^[A-Za-z_$]/.test(own) && own !== 'default' ? own : 'filled';
  const head = source.slice(spanOf(site.node).start, spanOf(body).start);
  const isAsync = /^(?:static\s+|export\s+)*async\b/.test(head) ? 'async ' : '';
  const star = site.node.children().some((child) => child.is('*')) ? '*' : '';
  const parameters = field('parameters') || `(${field('parameter')})`;
  return `${isAsync}function${star} ${name}${field('type_parameters')}${parameters}${field('return_type')} {`;
}

/** Names a function's parameters declare, without `self` and `cls`. */
export function parametersOf(node: SgNode, language: Language): readonly string[] {
  const names: string[] = [];
  const single = node.field('parameter');
  if (single !== null) names.push(single.text());
  const parameters = node.field('parameters');
  if (parameters === null) return names;
  for (const parameter of parameters.namedChildren()) {
    walk(parameter, (part) => {
      if (part.is('type_annotation') || part.is('type')) return false;
      if (part.id() !== parameter.id() && isDefaultValue(part)) return false;
      if (part.is('identifier') || part.is('shorthand_property_identifier_pattern')) names.push(part.text());
      return true;
    });
  }
  return language === 'python' ? names.filter((name) => name !== 'self' && name !== 'cls') : names;
}

function isDefaultValue(node: SgNode): boolean {
  const parent = node.parent();
  return (
    parent !== null && !parent.is('pair_pattern') && ['value', 'right'].some((f) => parent.field(f)?.id() === node.id())
  );
}

/** Comments that end on the line before the node or on its own, and where they (or the node) start. */
export function commentsAbove(source: string, node: SgNode): { readonly start: number; readonly text: string } {
  let first = node;
  for (let above = node.prev(); above !== null; above = above.prev()) {
    const between = source.slice(spanOf(above).end, spanOf(first).start);
    const isOwnLine = /^[ \t]*$/.test(source.slice(lineStart(source, spanOf(above).start), spanOf(above).start));
    if (!(above.is('comment') || above.is('decorator')) || !isOwnLine || (between.match(/\n/g)?.length ?? 0) > 1) break;
    if (above.text().startsWith('#!')) break;
    first = above;
  }
  const start = spanOf(first).start;
  return { start, text: source.slice(start, spanOf(node).start).trimEnd() };
}

function topLevel(node: SgNode): SgNode {
  let outer = node;
  for (let parent = node.parent(); parent !== null && parent.parent() !== null; parent = parent.parent())
    outer = parent;
  return outer;
}

/** Offset on the line whose indentation the closing brace takes: that of the opening one, unless it hangs under parameters. */
function closingLine(source: string, site: FunctionSite, body: SgNode): number {
  const brace = spanOf(body).start;
  const line = source.slice(lineStart(source, brace), brace).trimStart();
  return /^[)\]}]/.test(line) || line === '' ? brace : spanOf(site.node).start;
}

/** Indentation of the first thing in the span that has a line of its own, or null. */
function ownIndent(source: string, span: Span): string | null {
  return /\n([ \t]*)[^\s]/.exec(source.slice(span.start, span.end))?.[1] ?? null;
}

export function lineStart(source: string, offset: number): number {
  return source.lastIndexOf('\n', offset - 1) + 1;
}

export function indentationAt(source: string, start: number): string {
  return /^[ \t]*/.exec(source.slice(start))![0];
}
