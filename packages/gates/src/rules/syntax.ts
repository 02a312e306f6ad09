import { createRequire } from 'node:module';
import { Lang, parse, registerDynamicLanguage, type SgNode } from '@ast-grep/napi';
import type { Language } from '../language.ts';

export type Node = SgNode;

const GRAMMAR: Readonly<Record<Exclude<Language, 'text'>, string>> = {
  javascript: Lang.JavaScript,
  typescript: Lang.TypeScript,
  tsx: Lang.Tsx,
  python: 'python',
  c: 'c',
};

const unavailable = new Map<Language, string>();
let registered = false;

/**
 * Python and C come as native grammars. A process registers grammars once and later calls are ignored, which is why the
 * scanners live in processes of their own.
 */
function register(): void {
  if (registered) return;
  registered = true;
  const require = createRequire(import.meta.url);
  const languages: Record<string, unknown> = {};
  for (const language of ['python', 'c'] as const) {
    try {
      // lathe-ignore detect-non-literal-require -- one of the two names above
      const grammar = require(`@ast-grep/lang-${language}`) as { libraryPath: string };
      languages[language] = { ...grammar, libraryPath: grammar.libraryPath };
    } catch (error) {
      unavailable.set(language, error instanceof Error ? error.message : String(error));
    }
  }
  registerDynamicLanguage(languages as Parameters<typeof registerDynamicLanguage>[0]);
}

/** Why a language cannot be parsed here, or null. */
export function whyUnparsable(language: Language): string | null {
  register();
  return unavailable.get(language) ?? null;
}

export function parseSource(language: Exclude<Language, 'text'>, text: string): Node {
  register();
  return parse(GRAMMAR[language], text).root() as Node;
}

export const FUNCTION_KINDS: ReadonlySet<string> = new Set([
  'function_declaration',
  'function_expression',
  'generator_function',
  'generator_function_declaration',
  'arrow_function',
  'method_definition',
  'function_definition',
  'lambda',
]);

export const CLASS_KINDS: ReadonlySet<string> = new Set(['class_declaration', 'class', 'class_definition']);

export function isFunction(node: Node): boolean {
  return FUNCTION_KINDS.has(String(node.kind()));
}

/** Every node of a subtree, parents before children. */
export function* walk(node: Node): Generator<Node> {
  yield node;
  for (const child of node.children()) yield* walk(child);
}

export function lineOf(node: Node): number {
  return node.range().start.line + 1;
}

/** Innermost function around a node, or null at the top level. */
export function enclosingFunction(node: Node): Node | null {
  return node.ancestors().find(isFunction) ?? null;
}

/** Outermost function around a node, or null at the top level. */
export function outermostFunction(node: Node): Node | null {
  return node.ancestors().findLast(isFunction) ?? null;
}

export function nameOfFunction(node: Node): string {
  const own = node.field('name');
  if (own) return own.text();
  if (node.kind() === 'function_definition') {
    // C: the name sits at the bottom of the declarator.
    let declarator = node.field('declarator');
    while (declarator && declarator.kind() !== 'identifier') declarator = declarator.field('declarator');
    return declarator?.text() ?? '';
  }
  const parent = node.parent();
  if (parent?.kind() === 'variable_declarator') return parent.field('name')?.text() ?? '';
  if (parent?.kind() === 'pair') return parent.field('key')?.text() ?? '';
  if (parent?.kind() === 'assignment_expression') return parent.field('left')?.text() ?? '';
  return '';
}

/** `Class.method`, `function`, or null at the top level: what a finding is inside of. */
export function symbolOf(node: Node): string | null {
  const names: string[] = [];
  for (const ancestor of [node, ...node.ancestors()]) {
    const kind = String(ancestor.kind());
    const name = CLASS_KINDS.has(kind)
      ? ancestor.field('name')?.text()
      : isFunction(ancestor)
        ? nameOfFunction(ancestor)
        : '';
    if (name) names.unshift(name);
  }
  return names.join('.') || null;
}

export interface Argument {
  /** Position from 0, or the name of a keyword argument. */
  readonly key: number | string;
  readonly value: Node;
}

/** A call as all languages have it. Callee text has white space removed; constructors read `new Name`. */
export interface Call {
  readonly node: Node;
  readonly callee: string;
  /** The callee as written and, where the file imports it, by its full name. */
  readonly names: readonly string[];
  readonly calleeNode: Node;
  readonly args: readonly Argument[];
  /** Offset of its first character. */
  readonly start: number;
}

export function asCall(node: Node): Call | null {
  const kind = String(node.kind());
  if (kind !== 'call' && kind !== 'call_expression' && kind !== 'new_expression') return null;
  const calleeNode = node.field('function') ?? node.field('constructor');
  const list = node.field('arguments');
  if (!calleeNode) return null;
  const prefix = kind === 'new_expression' ? 'new ' : '';
  const callee = prefix + calleeNode.text().replace(/\s+/g, '').replaceAll('?.', '.');
  let position = 0;
  const args: Argument[] = [];
  for (const child of list?.namedChildren() ?? []) {
    if (child.kind() === 'comment') continue;
    if (child.kind() === 'keyword_argument') {
      args.push({ key: child.field('name')?.text() ?? '', value: child.field('value') ?? child });
    } else args.push({ key: position++, value: child });
  }
  return { node, callee, names: [callee], calleeNode, args, start: node.range().start.index };
}

/** Nodes of any of these kinds below `root`, in source order. Kinds must exist in the language's grammar. */
export function nodesOfKind(root: Node, ...kinds: string[]): Node[] {
  return root.findAll({ rule: { any: kinds.map((kind) => ({ kind })) } }) as Node[];
}

const CALL_KINDS: Readonly<Record<Exclude<Language, 'text'>, readonly string[]>> = {
  javascript: ['call_expression', 'new_expression'],
  typescript: ['call_expression', 'new_expression'],
  tsx: ['call_expression', 'new_expression'],
  python: ['call'],
  c: ['call_expression'],
};

export function callsOf(root: Node, language: Exclude<Language, 'text'>): Call[] {
  return nodesOfKind(root, ...CALL_KINDS[language])
    .map((node) => asCall(node)!)
    .filter(Boolean);
}

/** Text of a string literal without its quotes; null for anything else, also for strings with holes. */
export function literalText(node: Node): string | null {
  const kind = String(node.kind());
  if (kind === 'concatenated_string') {
    const parts = node.namedChildren().map(literalText);
    return parts.includes(null) ? null : parts.join('');
  }
  if (kind !== 'string' && kind !== 'template_string' && kind !== 'string_literal') return null;
  const children = node.namedChildren();
  if (children.some((child) => child.kind() === 'template_substitution' || child.kind() === 'interpolation'))
    return null;
  return children
    .filter((child) => ['string_fragment', 'string_content', 'escape_sequence'].includes(String(child.kind())))
    .map((child) => child.text())
    .join('');
}

/** Lines with a syntax error, as tree-sitter sees it: the first node it could not place, or null. */
export function firstSyntaxError(root: Node): Node | null {
  return root.find({ rule: { kind: 'ERROR' } }) as Node | null;
}
