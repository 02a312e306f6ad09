import type { Language, SgNode } from './parser.ts';

/** A function, method or arrow function that has a name of its own or one it is bound to. */
export interface FunctionSite {
  /** Names from the outside in: class, object or enclosing functions, then its own. `default` for a nameless default export. */
  readonly path: readonly string[];
  readonly node: SgNode;
  /** The outermost node that is about this function alone: with `export`, `const f =` and decorators. */
  readonly declaration: SgNode;
  /** Null for an overload, an abstract method or an ambient declaration. */
  readonly body: SgNode | null;
  /** `get` or `set` for accessors. */
  readonly accessor: 'get' | 'set' | null;
  readonly isStatic: boolean;
  readonly isDefaultExport: boolean;
  /** Line of the declaration's first name, from 1. */
  readonly line: number;
}

const FUNCTIONS = new Set([
  'function_declaration',
  'generator_function_declaration',
  'function_expression',
  'generator_function',
  'arrow_function',
  'method_definition',
  'function_signature',
  'method_signature',
  'abstract_method_signature',
  'function_definition',
]);

const NAMED_SCOPES = new Set([
  'class_declaration',
  'abstract_class_declaration',
  'class',
  'object',
  'internal_module',
  'module',
  'class_definition',
]);

/** Wrappers through which a value still gets the name it is bound to: `const f = (memo((x) => x) as F)`. */
const TRANSPARENT = new Set([
  'parenthesized_expression',
  'as_expression',
  'satisfies_expression',
  'non_null_expression',
  'arguments',
  'call_expression',
]);

/** Every named function of a tree in the order of the text, nested ones after the one around them. */
export function functionsOf(root: SgNode, language: Language): readonly FunctionSite[] {
  const sites: FunctionSite[] = [];
  const visit = (node: SgNode, path: readonly string[]): void => {
    const kind = String(node.kind());
    const isFunction = FUNCTIONS.has(kind) && (language === 'python') === (kind === 'function_definition');
    const isScope = node.isNamed() && NAMED_SCOPES.has(kind) && node.parent() !== null;
    let inner = path;
    if (isFunction || isScope) {
      const names = namesOf(node);
      if (names !== null) {
        inner = [...path, ...names];
        if (isFunction) sites.push(siteOf(node, inner));
      }
    }
    for (const child of node.children()) visit(child, inner);
  };
  visit(root, []);
  return withoutOverloads(sites);
}

function siteOf(node: SgNode, path: readonly string[]): FunctionSite {
  const declaration = declarationOf(node);
  const tokens = new Set(
    node
      .children()
      .filter((child) => child.field('name') === null)
      .map((child) => child.text()),
  );
  const named = node.field('name') ?? node;
  return {
    path,
    node,
    declaration,
    body: node.field('body'),
    accessor: node.is('method_definition') ? (tokens.has('get') ? 'get' : tokens.has('set') ? 'set' : null) : null,
    isStatic: tokens.has('static') || declaration.children().some((child) => child.is('static')),
    isDefaultExport: declaration.is('export_statement') && declaration.children().some((child) => child.is('default')),
    line: named.range().start.line + 1,
  };
}

function namesOf(node: SgNode): readonly string[] | null {
  const own = node.field('name');
  if (own !== null) return [unquoted(own)];
  let value = node;
  let parent = value.parent();
  while (parent !== null && TRANSPARENT.has(String(parent.kind()))) {
    if (parent.is('arguments') && parent.namedChildren().filter((child) => child.is(String(node.kind()))).length > 1)
      return null;
    // The function that is called gives its result the name, not itself.
    if (parent.is('call_expression') && !value.is('arguments')) return null;
    value = parent;
    parent = parent.parent();
  }
  if (parent === null) return null;
  const is = (kind: string, field: string): boolean => parent.is(kind) && parent.field(field)?.id() === value.id();
  if (is('variable_declarator', 'value')) return [parent.field('name')!.text()];
  if (is('pair', 'value')) return [unquoted(parent.field('key')!)];
  if (is('field_definition', 'value')) return [unquoted(parent.field('property')!)];
  if (is('public_field_definition', 'value')) return [unquoted(parent.field('name')!)];
  if (is('assignment_expression', 'right')) return memberChain(parent.field('left')!);
  if (parent.is('export_statement')) return ['default'];
  return null;
}

/** `Shape.prototype.area` → Shape, area; `module.exports.area` → area; `module.exports` → default; `this.area` → area. */
function memberChain(left: SgNode): readonly string[] | null {
  const text = left.text();
  if (!/^[\w$]+(\s*\.\s*#?[\w$]+)*$/.test(text)) return null;
  const chain = text.split('.').map((name) => name.trim());
  if (chain[0] === 'module' && chain[1] === 'exports') chain.splice(0, 2);
  else if (chain[0] === 'exports' || chain[0] === 'this') chain.shift();
  const names = chain.filter((name) => name !== 'prototype');
  return names.length === 0 ? ['default'] : names;
}

function unquoted(name: SgNode): string {
  const text = name.text();
  return name.is('string') ? text.slice(1, -1) : text;
}

function declarationOf(node: SgNode): SgNode {
  let outer = node;
  for (let parent = node.parent(); parent !== null; parent = parent.parent()) {
    const kind = String(parent.kind());
    const alone =
      TRANSPARENT.has(kind) ||
      ['variable_declarator', 'pair', 'field_definition', 'public_field_definition'].includes(kind) ||
      ['assignment_expression', 'expression_statement', 'export_statement', 'decorated_definition'].includes(kind) ||
      (['lexical_declaration', 'variable_declaration'].includes(kind) && parent.namedChildren().length === 1);
    if (!alone) break;
    outer = parent;
  }
  return outer;
}

/** Signatures go where the same path has a function with a body, or (Python) one without the `overload` decorator. */
function withoutOverloads(sites: readonly FunctionSite[]): readonly FunctionSite[] {
  const isOverload = (site: FunctionSite): boolean =>
    site.body === null ||
    (site.declaration.is('decorated_definition') && /^@(typing\.)?overload\s*$/m.test(site.declaration.text()));
  const real = new Set(sites.filter((site) => !isOverload(site)).map((site) => site.path.join('.')));
  return sites.filter((site) => !isOverload(site) || !real.has(site.path.join('.')));
}
