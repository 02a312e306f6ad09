import type { Language } from '../language.ts';
import { asCall, literalText, type Node, nodesOfKind } from './syntax.ts';

/**
 * Full names of what a file imports, by local name: `from pickle import loads as l` gives `l` → `pickle.loads`,
 * `const { exec } = require('node:child_process')` gives `exec` → `child_process.exec`. Wrappers that keep a function's
 * meaning (`promisify(exec)`, `exec.bind(x)`) keep its name.
 */
export type Origins = ReadonlyMap<string, string>;

/** `node:fs/promises` → `fs.promises`, `@koa/router` → `koa.router`. */
function moduleName(specifier: string): string {
  return specifier
    .replace(/^node:/, '')
    .replace(/^@/, '')
    .replaceAll('/', '.');
}

export function originsOf(root: Node, language: Exclude<Language, 'text'>): Origins {
  const origins = new Map<string, string>();
  if (language === 'python') pythonOrigins(root, origins);
  else if (language !== 'c') javascriptOrigins(root, origins);
  return origins;
}

function pythonOrigins(root: Node, origins: Map<string, string>): void {
  const each = (node: Node, take: (local: string, name: string) => void): void => {
    for (const child of node.fieldChildren('name')) {
      const aliased = child.kind() === 'aliased_import';
      const name = (aliased ? child.field('name') : child)?.text() ?? '';
      const local = aliased ? (child.field('alias')?.text() ?? '') : name;
      if (name && local) take(local, name);
    }
  };
  for (const node of nodesOfKind(root, 'import_statement')) {
    each(node, (local, name) => {
      if (local !== name) origins.set(local, name);
    });
  }
  for (const node of nodesOfKind(root, 'import_from_statement')) {
    const from = node.field('module_name')?.text() ?? '';
    if (from.startsWith('.')) continue;
    each(node, (local, name) => origins.set(local, `${from}.${name}`));
  }
}

function javascriptOrigins(root: Node, origins: Map<string, string>): void {
  for (const node of nodesOfKind(root, 'import_statement')) {
    const source = node.field('source');
    const specifier = source ? literalText(source) : null;
    if (!specifier || specifier.startsWith('.')) continue;
    const from = moduleName(specifier);
    for (const one of nodesOfKind(node, 'import_specifier')) {
      const name = one.field('name')?.text() ?? '';
      origins.set(one.field('alias')?.text() ?? name, `${from}.${name}`);
    }
    for (const one of nodesOfKind(node, 'namespace_import', 'import_clause')) {
      const local = one.namedChildren().find((child) => child.kind() === 'identifier');
      if (local) origins.set(local.text(), from);
    }
  }
  for (const node of nodesOfKind(root, 'variable_declarator')) {
    const target = node.field('name');
    const value = node.field('value');
    const from = value ? valueOrigin(value, origins) : null;
    if (!target || !from) continue;
    if (target.kind() === 'identifier') origins.set(target.text(), from);
    else if (target.kind() === 'object_pattern') {
      for (const part of target.namedChildren()) {
        if (part.kind() === 'shorthand_property_identifier_pattern') origins.set(part.text(), `${from}.${part.text()}`);
        else if (part.kind() === 'pair_pattern' && part.field('value')?.kind() === 'identifier')
          origins.set(part.field('value')!.text(), `${from}.${part.field('key')?.text() ?? ''}`);
      }
    }
  }
}

/** `require('x')`, `require('x').y`, `await import('x')`, `promisify(name)`, `name.bind(…)`, and names known already. */
function valueOrigin(value: Node, origins: Origins): string | null {
  const kind = String(value.kind());
  if (kind === 'await_expression' || kind === 'parenthesized_expression' || kind === 'as_expression') {
    const inner = value.namedChildren()[0];
    return inner ? valueOrigin(inner, origins) : null;
  }
  if (kind === 'member_expression') {
    const object = value.field('object');
    const base = object
      ? object.kind() === 'identifier'
        ? origins.get(object.text())
        : valueOrigin(object, origins)
      : null;
    return base ? `${base}.${value.field('property')?.text() ?? ''}` : null;
  }
  const call = asCall(value);
  const first = call?.args[0]?.value;
  if (!call || !first) return null;
  if (call.callee === 'require' || call.callee === 'import') {
    const specifier = literalText(first);
    return specifier && !specifier.startsWith('.') ? moduleName(specifier) : null;
  }
  if (/(^|\.)promisify$/.test(call.callee)) {
    return first.kind() === 'identifier' ? (origins.get(first.text()) ?? null) : valueOrigin(first, origins);
  }
  if (/\.bind$/.test(call.callee)) {
    const receiver = call.calleeNode.field('object');
    return receiver ? valueOrigin(receiver, origins) : null;
  }
  return null;
}

/** The callee with its first name replaced by what it was imported from; null where that says nothing new. */
export function fullName(callee: string, origins: Origins): string | null {
  const prefix = callee.startsWith('new ') ? 'new ' : '';
  const plain = callee.slice(prefix.length);
  const first = /^[A-Za-z_$][\w$]*/.exec(plain)?.[0];
  const origin = first === undefined ? undefined : origins.get(first);
  if (first === undefined || origin === undefined) return null;
  const full = prefix + origin + plain.slice(first.length);
  return full === callee ? null : full;
}
