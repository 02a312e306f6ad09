import type { Language } from '../language.ts';
import { type Definition, reaching, replaced } from './flow.ts';
import { createGuards } from './guards.ts';
import { enclosingFunction, literalText, type Node, nodesOfKind } from './syntax.ts';

/**
 * What names stand for within one file: every expression ever assigned to a name in its scope, regardless of order.
 * Scopes are functions and the file; a name belongs to the innermost function that assigns it or has it as parameter.
 */
export interface Bindings {
  /** Expressions assigned to the identifier in the scope it belongs to; empty where it is free. */
  valuesOf(identifier: Node): readonly Node[];
  /** Of these, the ones that can have happened last where the identifier stands. */
  valuesAt(identifier: Node): readonly Node[];
  /** What was put into the object the identifier stands for: `list.append(x)`, `map['key'] = x`, `options.key = x`. */
  contentsAt(identifier: Node): readonly Content[];
  isParameter(identifier: Node): boolean;
  /** Whether the identifier can still be the parameter of its name: no assignment has certainly replaced it. */
  isParameterAt(identifier: Node): boolean;
  /** Whether the expression is known at its place to be one of a list of allowed values, or of a narrow form. */
  isGuarded(expression: Node): boolean;
  /** The parameter (with its type, default and pattern) the identifier stands for, or null. */
  parameterOf(identifier: Node): Node | null;
  /** Expressions ever assigned to `self.x` or `this.x` anywhere in the file, for a member by its text. */
  membersOf(member: Node): readonly Node[];
  /** Whether the file itself declares or assigns the name, in a scope around the identifier. */
  isBound(identifier: Node): boolean;
  /** The text the expression always has, following names that are assigned once; null where it varies. */
  textOf(expression: Node): string | null;
  /** Whether the expression has the same value on every run: literals and names, lists and arithmetic made of them. */
  isConstant(expression: Node): boolean;
}

export interface Content {
  /** The key it was put under, where that is fixed text. */
  readonly key: string | null;
  readonly value: Node;
}

interface Scope {
  readonly values: Map<string, Node[]>;
  readonly definitions: Map<string, Definition[]>;
  readonly parameters: Map<string, Node>;
}

const IDENTIFIERS = new Set([
  'identifier',
  'shorthand_property_identifier_pattern',
  'shorthand_property_identifier',
  'property_identifier',
]);

/** Names bound by a pattern: an identifier, a destructuring or an unpacking. Defaults are not names. */
function namesIn(pattern: Node): string[] {
  const kind = String(pattern.kind());
  if (kind === 'identifier' || kind === 'shorthand_property_identifier_pattern') return [pattern.text()];
  if (kind === 'member_expression' || kind === 'attribute' || kind === 'subscript' || kind === 'subscript_expression')
    return [];
  const target = pattern.field('left') ?? pattern.field('pattern') ?? pattern.field('name');
  if (target && kind !== 'pair_pattern') return namesIn(target);
  if (kind === 'typed_parameter') {
    const first = pattern.namedChildren()[0];
    return first ? namesIn(first) : [];
  }
  if (kind === 'type' || kind === 'type_annotation') return [];
  if (kind === 'pair_pattern') {
    const value = pattern.field('value');
    return value ? namesIn(value) : [];
  }
  return pattern.namedChildren().flatMap(namesIn);
}

export function bindingsOf(root: Node, language: Exclude<Language, 'text'>): Bindings {
  const scopes = new Map<number | null, Scope>();
  const scopeOf = (id: number | null): Scope => {
    let scope = scopes.get(id);
    if (!scope) {
      scope = { values: new Map(), definitions: new Map(), parameters: new Map() };
      scopes.set(id, scope);
    }
    return scope;
  };
  const members = new Map<string, Node[]>();
  const contents = new Map<string, (Content & Definition & { readonly object: Node })[]>();
  const bind = (target: Node, value: Node | null, at: Node): void => {
    const member = memberName(target);
    if (member && value) members.set(member, [...(members.get(member) ?? []), value]);
    const fn = enclosingFunction(at)?.id() ?? null;
    const scope = scopeOf(fn);
    for (const name of namesIn(target)) {
      const list = scope.values.get(name) ?? [];
      if (value) list.push(value);
      scope.values.set(name, list);
      if (value) scope.definitions.set(name, [...(scope.definitions.get(name) ?? []), { value, at, fn }]);
    }
    if (value) putInto(target, value, at);
  };

  /** `map['key'] = value` and `options.key = value` put something into what the name stands for. */
  function putInto(target: Node, value: Node, at: Node): void {
    const kind = String(target.kind());
    if (!/^(subscript|subscript_expression|member_expression|attribute)$/.test(kind)) return;
    const object = target.field('object') ?? target.field('value');
    const index = target.field('index') ?? target.field('subscript');
    const property = target.field('property') ?? target.field('attribute');
    if (object?.kind() !== 'identifier') return;
    addContent(object, { key: property ? property.text() : index ? literalText(index) : null, value, at });
  }

  function addContent(object: Node, content: Content & { readonly at: Node }): void {
    const fn = enclosingFunction(content.at)?.id() ?? null;
    contents.set(object.text(), [...(contents.get(object.text()) ?? []), { ...content, fn, object }]);
  }

  if (language === 'python') {
    for (const node of nodesOfKind(root, 'assignment', 'augmented_assignment', 'for_statement', 'for_in_clause')) {
      const left = node.field('left');
      if (left) bind(left, node.field('right'), node);
    }
    for (const node of nodesOfKind(root, 'named_expression')) bind(node.field('name')!, node.field('value'), node);
    for (const node of nodesOfKind(root, 'as_pattern')) {
      const [value, target] = node.namedChildren();
      if (value && target) bind(target, value, node);
    }
    for (const node of nodesOfKind(root, 'parameters', 'lambda_parameters')) declareParameters(node);
  } else if (language === 'c') {
    for (const node of nodesOfKind(root, 'init_declarator')) bindC(node.field('declarator'), node.field('value'), node);
    for (const node of nodesOfKind(root, 'assignment_expression')) bindC(node.field('left'), node.field('right'), node);
    for (const node of nodesOfKind(root, 'parameter_declaration')) {
      const name = declaredName(node.field('declarator'));
      if (name) scopeOf(enclosingFunction(node)?.id() ?? null).parameters.set(name.text(), node);
    }
  } else {
    for (const node of nodesOfKind(root, 'variable_declarator')) bind(node.field('name')!, node.field('value'), node);
    for (const node of nodesOfKind(
      root,
      'assignment_expression',
      'augmented_assignment_expression',
      'for_in_statement',
    )) {
      const left = node.field('left');
      if (left) bind(left, node.field('right'), node);
    }
    const fields = language === 'javascript' ? ['field_definition'] : ['public_field_definition'];
    for (const node of nodesOfKind(root, ...fields)) {
      const name = (node.field('property') ?? node.field('name'))?.text();
      const value = node.field('value');
      if (name && value) members.set(name, [...(members.get(name) ?? []), value]);
    }
    for (const node of nodesOfKind(root, 'formal_parameters')) declareParameters(node);
    for (const node of nodesOfKind(root, 'arrow_function')) {
      const single = node.field('parameter');
      if (single) scopeOf(node.id()).parameters.set(single.text(), single);
    }
  }

  if (language !== 'c') {
    for (const node of nodesOfKind(root, language === 'python' ? 'call' : 'call_expression')) {
      const callee = node.field('function');
      const object = callee?.field('object');
      const method = (callee?.field('property') ?? callee?.field('attribute'))?.text() ?? '';
      if (
        object?.kind() !== 'identifier' ||
        !/^(append|push|unshift|add|extend|insert|update|set|setdefault|writelines?|write)$/.test(method)
      )
        continue;
      const args = (node.field('arguments')?.namedChildren() ?? []).filter((arg) => arg.kind() !== 'comment');
      const keyed = /^(set|setdefault)$/.test(method) && args.length > 1;
      const keys = keyed ? args.slice(0, -1) : [];
      const key = keys.at(-1) ? literalText(keys.at(-1)!) : null;
      for (const value of args.slice(keys.length)) addContent(object, { key, value, at: node });
    }
  }

  function bindC(declarator: Node | null, value: Node | null, at: Node): void {
    const name = declaredName(declarator);
    if (name && value) bind(name, value, at);
  }

  function declareParameters(list: Node): void {
    const owner = list.parent();
    if (!owner) return;
    for (const parameter of list.namedChildren()) {
      for (const name of namesIn(parameter)) scopeOf(owner.id()).parameters.set(name, parameter);
    }
  }

  const found = new Map<number, Scope | null>();

  /** The scope an identifier's name belongs to; asked for only when all of the file is bound. */
  function find(identifier: Node): Scope | null {
    const id = identifier.id();
    const known = found.get(id);
    if (known !== undefined) return known;
    const scope = search(identifier);
    found.set(id, scope);
    return scope;
  }

  function search(identifier: Node): Scope | null {
    const name = identifier.text();
    for (let at = enclosingFunction(identifier); at; at = enclosingFunction(at)) {
      const scope = scopes.get(at.id());
      if (scope && (scope.values.has(name) || scope.parameters.has(name))) return scope;
    }
    const top = scopes.get(null);
    return top?.values.has(name) ? top : null;
  }

  function valuesOf(identifier: Node): readonly Node[] {
    return find(identifier)?.values.get(identifier.text()) ?? [];
  }

  function valuesAt(identifier: Node): readonly Node[] {
    const scope = find(identifier);
    const definitions = scope?.definitions.get(identifier.text()) ?? [];
    return reaching(definitions, identifier).map(({ value }) => value);
  }

  function isParameterAt(identifier: Node): boolean {
    const scope = find(identifier);
    const name = identifier.text();
    if (!scope?.parameters.has(name)) return false;
    const definitions = scope.definitions.get(name) ?? [];
    // The parameter itself is the oldest value: it is gone where a later one has certainly taken its place.
    return !replaced(definitions, identifier);
  }

  function contentsAt(identifier: Node): readonly Content[] {
    const own = find(identifier);
    const added = (contents.get(identifier.text()) ?? []).filter(({ object }) => find(object) === own);
    return reaching(added, identifier, true);
  }

  function isParameter(identifier: Node): boolean {
    return find(identifier)?.parameters.has(identifier.text()) ?? false;
  }

  function parameterOf(identifier: Node): Node | null {
    return find(identifier)?.parameters.get(identifier.text()) ?? null;
  }

  function textOf(expression: Node, depth = 0): string | null {
    const literal = literalText(expression);
    if (literal !== null || depth > 8) return literal;
    const kind = String(expression.kind());
    if (kind === 'identifier') {
      const values = valuesOf(expression);
      return values.length === 1 && !isParameter(expression) ? textOf(values[0]!, depth + 1) : null;
    }
    if (kind === 'parenthesized_expression') {
      const inner = expression.namedChildren()[0];
      return inner ? textOf(inner, depth + 1) : null;
    }
    if (kind === 'call' || kind === 'call_expression') {
      // Resolving or joining constant path text leaves it constant.
      const callee = expression.field('function')?.text() ?? '';
      const args = expression.field('arguments')?.namedChildren() ?? [];
      if (/(^|path\.)(win32\.|posix\.)?join$/i.test(callee)) {
        const parts = args.map((arg) => textOf(arg, depth + 1));
        return parts.length > 0 && !parts.includes(null) ? parts.join('/') : null;
      }
      if (/(^|\.)(Path|PurePath|abspath|realpath|normpath|normcase|resolve|normalize)$/.test(callee)) {
        if (args.length > 1) return null;
        if (args[0]) return textOf(args[0], depth + 1);
        const receiver = expression.field('function')?.field('object');
        return receiver ? textOf(receiver, depth + 1) : null;
      }
    }
    return null;
  }

  /** Names whose memory is filled with random bytes after it was made. */
  const filled = new Set(
    [...root.text().matchAll(/\b(?:getRandomValues|randomFill|randomFillSync|readinto)\(\s*([A-Za-z_$][\w$]*)/g)].map(
      (match) => match[1]!,
    ),
  );

  function membersOf(member: Node): readonly Node[] {
    const name = memberName(member);
    if (!name) return [];
    // A constant of the class stands in its body, outside of functions.
    return [...(members.get(name) ?? []), ...(language === 'python' ? (scopes.get(null)?.values.get(name) ?? []) : [])];
  }

  const constant = new Map<number, boolean>();

  function isConstant(expression: Node): boolean {
    const known = constant.get(expression.id());
    if (known !== undefined) return known;
    constant.set(expression.id(), false); // a name that is assigned from itself
    const value = computeConstant(expression);
    constant.set(expression.id(), value);
    return value;
  }

  function computeConstant(expression: Node): boolean {
    const kind = String(expression.kind());
    if (literalText(expression) !== null) return true;
    if (/^(number|integer|float|true|false|null|none|undefined|number_literal|char_literal|regex|bytes)$/.test(kind))
      return true;
    if (kind === 'attribute' || kind === 'member_expression') {
      const values = membersOf(expression);
      return values.length > 0 && values.every((value) => isConstant(value));
    }
    const entry = entryRead(expression);
    if (entry) {
      const held = contentsAt(entry.object);
      const under = held.filter(({ key }) => key === entry.key);
      return under.length > 0 && held.every(({ key }) => key !== null) && under.every(({ value }) => isConstant(value));
    }
    if (kind === 'identifier' || kind === 'shorthand_property_identifier') {
      if (filled.has(expression.text()) || isParameterAt(expression)) return false;
      const values = valuesAt(expression);
      return values.length > 0 && values.every((value) => isConstant(value));
    }
    if (kind === 'pair') {
      const value = expression.field('value');
      return value !== null && isConstant(value);
    }
    if (/^(dictionary|object)$/.test(kind) && expression.namedChildren().length > 0)
      return expression.namedChildren().every((part) => part.kind() === 'comment' || isConstant(part));
    if (/^(tuple|list|array)$/.test(kind) && expression.namedChildren().length === 0) return true;
    if (
      /^(binary_operator|binary_expression|parenthesized_expression|list|tuple|array|unary_operator|unary_expression|as_expression|argument_list|arguments)$/.test(
        kind,
      )
    ) {
      const parts = expression.namedChildren().filter((child) => !/type/.test(String(child.kind())));
      return parts.length > 0 && parts.every((part) => isConstant(part));
    }
    if (kind === 'call' || kind === 'call_expression' || kind === 'new_expression') {
      const callee = (expression.field('function') ?? expression.field('constructor'))?.text() ?? '';
      const args = expression.field('arguments')?.namedChildren() ?? [];
      const argsConstant = args.every((arg) => isConstant(arg));
      // `bytes(16)`, `Buffer.alloc(16)` and `new Uint8Array(16)` are all zero.
      if (
        /^(bytes|bytearray|bytes\.fromhex|Buffer\.from|Buffer\.alloc|Uint8Array|binascii\.unhexlify|unhexlify|base64\.b64decode|b64decode|CryptoJS\.enc\.\w+\.parse|str|Path|pathlib\.Path)$/.test(
          callee,
        )
      ) {
        return argsConstant;
      }
      if (/\.(encode|decode|repeat|toString)$/.test(callee)) {
        const receiver = expression.field('function')?.field('object');
        return receiver !== null && receiver !== undefined && isConstant(receiver) && argsConstant;
      }
    }
    return false;
  }

  return {
    valuesOf,
    valuesAt,
    contentsAt,
    isGuarded: createGuards(root, language),
    isParameter,
    isParameterAt,
    parameterOf,
    membersOf,
    isBound: (identifier) => find(identifier) !== null,
    textOf: (node) => textOf(node),
    isConstant: (node) => isConstant(node),
  };
}

/** The name and the fixed key of `map['key']` and `map.get('key')`. */
function entryRead(node: Node): { readonly object: Node; readonly key: string } | null {
  const kind = String(node.kind());
  const callee = kind === 'call' || kind === 'call_expression' ? node.field('function') : null;
  const isGet = /\.get$/.test(callee?.text() ?? '');
  const object = isGet
    ? callee?.field('object')
    : kind.startsWith('subscript')
      ? (node.field('object') ?? node.field('value'))
      : null;
  const index = isGet
    ? node.field('arguments')?.namedChildren().at(-1)
    : (node.field('index') ?? node.field('subscript'));
  const key = index ? literalText(index) : null;
  return object?.kind() === 'identifier' && key !== null ? { object, key } : null;
}

/** `iv` of `self.iv`, `cls.iv`, `this.iv` and `this.#iv`; null for members of anything else. */
function memberName(node: Node): string | null {
  return /^(?:self|cls|this)\.(#?[A-Za-z_$][\w$]*)$/.exec(node.text())?.[1] ?? null;
}

/** The identifier a C declarator declares. */
export function declaredName(declarator: Node | null): Node | null {
  let at = declarator;
  while (at && at.kind() !== 'identifier') at = at.field('declarator');
  return at;
}

export function isIdentifier(node: Node): boolean {
  return IDENTIFIERS.has(String(node.kind()));
}
