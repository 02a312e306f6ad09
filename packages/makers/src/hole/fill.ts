import { isImport } from '../syntax/declared.ts';
import { functionsOf } from '../syntax/functions.ts';
import { parse, type SgNode, spanOf, syntaxError, walk } from '../syntax/parser.ts';
import { colonOf, docstringOf, matching } from './find.ts';
import type { Hole } from './hole.ts';
import { reindent } from './reindent.ts';

/** What goes into a hole: statements that start at the beginning of a line, at any indentation, with LF line ends. */
export interface Body {
  readonly statements: string;
  /** Whole import statements and top-level declarations the statements need and the file lacks. */
  readonly imports: readonly string[];
  readonly helpers: readonly string[];
}

export type Filled = { readonly source: string } | { readonly invalid: string };

/**
 * The file with its hole filled. Everything outside the hole stays as it is, byte for byte, but for the imports and
 * helpers that are put between its statements. The result is parsed again: the hole must hold exactly one body, without
 * a syntax error, and every other function must still be there; anything else is `invalid`.
 */
export function fillHole(source: string, hole: Hole, body: Body): Filled {
  const before = parse(hole.language, source);
  const text = bodyText(source, hole, body.statements);
  const insertions = insertionsOf(before, source, hole, body);
  const filled = assemble(source, hole, text, insertions);
  const shift = insertions.reduce((sum, { text }) => sum + text.length, 0);
  const reason = whatIsWrong(before, filled, hole, { start: hole.span.start + shift, length: text.length });
  if (reason !== null) return { invalid: reason };
  return filled === source ? { invalid: 'the answer leaves the function as it was' } : { source: filled };
}

function bodyText(source: string, hole: Hole, statements: string): string {
  const { language, opening, bodyIndent, unit } = hole;
  const moved = reindent(statements, { language, behind: opening, indent: bodyIndent, unit });
  const kept = hole.body === 'suite' ? docstringIn(source, hole) : null;
  const lines = `${kept === null ? '' : `\n${bodyIndent}${kept}`}\n${moved.replace(/^\n+/, '').trimEnd()}`;
  const text = hole.body === 'suite' ? lines : `${lines}\n${hole.indent}`;
  const whole = hole.body === 'expression' ? `{${text}}` : text;
  return hole.eol === '\r\n' ? whole.replaceAll('\n', '\r\n') : whole;
}

/** A docstring on the line of the colon lies inside the span: it moves to a line of its own. */
function docstringIn(source: string, hole: Hole): string | null {
  const body = siteIn(parse(hole.language, source), hole)?.body;
  const docstring = body ? docstringOf(body) : null;
  return docstring !== null && spanOf(docstring).start >= hole.span.start ? docstring.text() : null;
}

interface Insertion {
  readonly at: number;
  readonly text: string;
}

function insertionsOf(root: SgNode, source: string, hole: Hole, body: Body): readonly Insertion[] {
  const withEol = (text: string): string => (hole.eol === '\r\n' ? text.replaceAll('\n', '\r\n') : text);
  const insertions: Insertion[] = [];
  if (body.imports.length > 0) {
    const { at, isFirst } = importPlace(root, source);
    insertions.push({ at, text: withEol(`${body.imports.join('\n')}\n${isFirst ? '\n' : ''}`) });
  }
  if (body.helpers.length > 0) {
    const gap = hole.language === 'python' ? '\n\n\n' : '\n\n';
    insertions.push({ at: hole.statementStart, text: withEol(body.helpers.map((helper) => helper + gap).join('')) });
  }
  return insertions;
}

/** Start of the line after the last import; without one, after what must come first: `#!`, directives, a docstring, a licence. */
function importPlace(root: SgNode, source: string): { readonly at: number; readonly isFirst: boolean } {
  const nextLine = (offset: number): number => {
    const end = source.indexOf('\n', offset);
    return end < 0 ? source.length : end + 1;
  };
  const top = root.namedChildren();
  const last = top.findLast(isImport);
  if (last !== undefined) return { at: nextLine(spanOf(last).end), isFirst: false };
  let at = 0;
  for (const node of top) {
    const isString = node.is('expression_statement') && node.child(0)?.is('string');
    const next = nextLine(spanOf(node).end);
    const isApart = /^[ \t]*\r?\n/.test(source.slice(next));
    if (!(node.is('hash_bang_line') || isString || (node.is('comment') && (isApart || node.text().startsWith('#!')))))
      break;
    at = next;
  }
  return { at, isFirst: true };
}

function assemble(source: string, hole: Hole, text: string, insertions: readonly Insertion[]): string {
  const edits = [...insertions.map(({ at, text }) => ({ start: at, end: at, text })), { ...hole.span, text }];
  let filled = '';
  let from = 0;
  for (const edit of edits) {
    filled += source.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  return filled + source.slice(from);
}

function siteIn(root: SgNode, hole: Hole, line = hole.line) {
  return matching(functionsOf(root, hole.language), `${hole.path.join('.')}@${line}`)[0];
}

function whatIsWrong(
  before: SgNode,
  filled: string,
  hole: Hole,
  expected: { readonly start: number; readonly length: number },
): string | null {
  const root = parse(hole.language, filled);
  const start = expected.start;
  const end = start + expected.length;
  const error = syntaxError(root, { start, end });
  if (error !== null) return `syntax error near \`${error.near}\` once the body is in place (line ${error.line})`;
  const site = functionsOf(root, hole.language).find(({ node, path, body }) => {
    if (body === null) return false;
    const span = spanOf(body);
    if (hole.body === 'block') return span.start === start - 1 && span.end === end + 1;
    if (hole.body === 'expression') return span.start === start && span.end === end;
    const isWithin = spanOf(colonOf(node)).end <= start && span.end > start && span.end <= end;
    return isWithin && path.join('.') === hole.path.join('.') && isOnlyComments(filled.slice(span.end, end));
  });
  if (site === undefined) return 'the body does not stay inside its function';
  if (syntaxError(before) === null && syntaxError(root) !== null)
    return 'the file does not parse once the body is in place';
  const outside = (tree: SgNode, from: number, to: number): string =>
    functionsOf(tree, hole.language)
      .filter(({ node }) => spanOf(node).end <= from || spanOf(node).start >= to || spanOf(node).start < from)
      .map(({ path }) => path.join('.'))
      .join('\n');
  const lost = missing(outside(before, hole.span.start, hole.span.end), outside(root, start, end));
  if (lost.length > 0) return `the file would lose ${lost.join(', ')}`;
  return outOfPlace(site.body!, hole) ?? (hasStatement(site.body!) ? null : 'the body is empty');
}

function isOnlyComments(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(#.*)?$/.test(line));
}

function missing(before: string, after: string): readonly string[] {
  const left = after.split('\n');
  return before.split('\n').filter((path) => {
    const at = left.indexOf(path);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

function hasStatement(body: SgNode): boolean {
  const docstring = docstringOf(body);
  return body.namedChildren().some((child) => !child.is('comment') && child.child(0)?.id() !== docstring?.id());
}

/** `await` and `yield` that the function's own signature does not allow; nested functions answer for themselves. */
function outOfPlace(body: SgNode, hole: Hole): string | null {
  let reason: string | null = null;
  walk(body, (node) => {
    const kind = String(node.kind());
    if (/function|method_definition|lambda|class_/.test(kind)) return false;
    if (!hole.isAsync && /^await(_expression)?$/.test(kind) && node.isNamed()) {
      reason = 'the body uses `await`, but the function is not async';
    }
    if (hole.language !== 'python' && !hole.isGenerator && kind === 'yield_expression') {
      reason = 'the body uses `yield`, but the function is no generator';
    }
    return true;
  });
  return reason;
}
