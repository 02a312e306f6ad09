import type { Language } from '../language.ts';
import { type Bindings, isIdentifier } from './bindings.ts';
import { isRouteParameter } from './route-parameters.ts';
import { asCall, type Call, isFunction, literalText, type Node } from './syntax.ts';

/** What a rule asks of the data flow. All regular expressions are tried on text without white space. */
export interface TaintSources {
  /** Data of an HTTP request, or of the page's address in a browser. */
  readonly request?: boolean;
  /** Expressions of a request that are none here, by their text. */
  readonly except?: RegExp;
  /** Parameters of functions. */
  readonly parameters?: boolean;
  /** Text put together from pieces that vary, whose fixed pieces match this expression. */
  readonly composed?: RegExp;
  /** Callees whose result is a source. */
  readonly call?: RegExp;
  /** Expressions that are a source by their text. */
  readonly text?: RegExp;
}

/** What ends a flow. */
export interface TaintLimits {
  /** Callees that make the data safe for this sink. */
  readonly sanitizers?: RegExp | undefined;
  /** Only the text itself counts, not what is looked up with it: a row found by a name is not the name. */
  readonly textOnly?: boolean | undefined;
  /** Text that begins with fixed text of this form is safe: an address with its host. */
  readonly fixedStart?: RegExp | undefined;
}

/** Calls whose result still holds the text of their arguments. */
const KEEPS_TEXT =
  /^(String|str|bytes|unicode|decodeURIComponent|decodeURI|unescape|atob|btoa|Buffer\.from|(util\.)?format|sprintf|Object\.(values|entries|assign)|Array\.(from|of)|Promise\.resolve|Markup|mark_safe|SafeString|make_response|HttpResponse|HTMLResponse|unquote\w*|urllib\.parse\.unquote\w*)$|^new (String|URL|URLSearchParams)$|\.(replace|replaceAll|concat|join|trim|slice|substring|substr|toLowerCase|toUpperCase|split|pop|shift|at|map|filter|padEnd|padStart|format|strip|lower|upper|title|decode|encode|toString|append|push|unquote|parse)$/;

const REQUEST: Readonly<Record<'python' | 'javascript', RegExp>> = {
  python:
    /^(flask\.)?(self\.)?request\.(args|form|values|json|data|cookies|headers|files|GET|POST|FILES|COOKIES|META|query_params|path_params|body|query|params|match_info|rel_url|url|path|full_path|referrer|stream)$|^(await)?(flask\.)?(self\.)?request\.(json|form|post|body|text|read|multipart|get_json|get_data)\(.*\)$|^self\.get_(query_|body_)?arguments?\(|^(input|raw_input)\(|^sys\.argv$/,
  javascript:
    /^((this\.)?(req|request|ctx|ctx\.request|context\.request|c\.req|event))\.(query|body|params|headers|cookies|url|originalUrl|path|hostname|queryStringParameters|pathParameters|rawBody|files?|searchParams)$|^(req|request)\.nextUrl(\.\w+)?$|^(window\.|document\.|self\.)?location(\.(search|hash|href|pathname))?$|^document\.(URL|documentURI|referrer|cookie)$|^window\.name$|^(c|ctx|req|request)\.(req\.)?(param|query|header|get|formData|json|text|nextUrl)\(/,
};

/** Calls whose result carries no text of their argument. */
const CLEAN =
  /^(len|int|float|bool|ord|hash|id|isinstance|Number|parseInt|parseFloat|Boolean|BigInt|Math\.\w+|Date\.now|uuid\w*|uuid\.uuid\d|os\.path\.(exists|isfile|isdir|getsize|islink)|fs\.existsSync|typeof|new (Date|Set|Map)|encodeURIComponent|urllib\.parse\.quote(_plus)?|quote_plus|shlex\.quote|html\.escape|markupsafe\.escape|escapeHtml|mysql\.escape(Id)?|(\w+\.)*(?!un)\w*[eE]scape\w*|DOMPurify\.sanitize|sanitizeHtml|sanitize\w*|validator\.\w+)$/;

export interface Taint {
  /** The node the expression's data comes from, or null where no source reaches it. */
  sourceOf(expression: Node): Node | null;
}

export function taintOf(
  sources: TaintSources,
  bindings: Bindings,
  language: Language,
  { sanitizers, textOnly, fixedStart }: TaintLimits = {},
): Taint {
  const seen = new Map<number, Node | null>();
  const request = REQUEST[language === 'python' ? 'python' : 'javascript'];

  function isSource(node: Node, text: string): boolean {
    if (sources.except?.test(text)) return false;
    if (sources.request && text.length < 300 && request.test(text) && !isOwnLocation(node)) return true;
    if (sources.text && text.length < 300 && sources.text.test(text)) return true;
    if (sources.composed && isComposed(node, bindings, sources.composed)) return true;
    if (sources.call) {
      const call = asCall(node);
      if (call && sources.call.test(call.callee)) return true;
    }
    return false;
  }

  /** A `location` that the code itself declares is not the browser's. */
  function isOwnLocation(node: Node): boolean {
    let base: Node | null = node;
    while (base && base.kind() === 'member_expression') base = base.field('object');
    return base?.text() === 'location' && (bindings.isParameter(base) || bindings.isBound(base));
  }

  /** A function of this file, which may put its arguments into its result. */
  function isOwnFunction(callee: Node): boolean {
    if (callee.kind() !== 'identifier') return false;
    const name = callee.text().replaceAll('$', '\\$');
    const root = callee.ancestors().at(-1) ?? callee;
    return new RegExp(
      `\\b(function\\s*\\*?\\s*${name}\\s*\\(|def\\s+${name}\\s*\\(|${name}\\s*=\\s*(async\\s*)?(\\(|\\w+\\s*=>|function))`,
    ).test(root.text());
  }

  function isOwnAddress(call: Call): boolean {
    return /^(\w+\.)?(req|request|ctx)\.(url|nextUrl|originalUrl|href)$/.test(call.args[1]?.value.text() ?? '');
  }

  function sourceOf(node: Node): Node | null {
    const id = node.id();
    const known = seen.get(id);
    if (known !== undefined) return known;
    seen.set(id, null); // a name that is assigned from itself
    const found = compute(node);
    seen.set(id, found);
    return found;
  }

  function compute(node: Node): Node | null {
    if (!node.isNamed() || isFunction(node)) return null;
    const kind = String(node.kind());
    const text = node.text().replace(/\s+/g, '').replaceAll('?.', '.');
    const call = asCall(node);
    if (call && (CLEAN.test(call.callee) || sanitizers?.test(call.callee))) return null;
    if (bindings.isGuarded(node)) return null;
    if (isSource(node, text)) return node;
    // An object is sent as JSON, which no browser takes for a page.
    if (textOnly && /^(object|dictionary)$/.test(kind)) return null;
    if (fixedStart) {
      const pieces = piecesOf(node, bindings);
      if (pieces && fixedStart.test(pieces.fixed)) return null;
      // What stands in front, and comes from elsewhere, decides where the address leads: a base from the settings.
      const front = pieces?.varying[0];
      if (pieces && front && pieces.fixed.startsWith(' ') && sourceOf(front) === null && !bindings.isParameterAt(front))
        return null;
    }
    if (kind === 'comparison_operator' || kind === 'not_operator' || kind === 'comment') return null;
    if (kind === 'binary_expression' && /^([=!]==?|[<>]=?|in|instanceof)$/.test(node.field('operator')?.text() ?? ''))
      return null;
    if (kind === 'unary_expression' && /^(typeof|!)/.test(text)) return null;
    if (isIdentifier(node)) {
      if (kind === 'property_identifier') return null;
      if (sources.parameters && bindings.isParameterAt(node)) return node;
      const parameter = sources.request && bindings.isParameterAt(node) ? bindings.parameterOf(node) : null;
      if (parameter && isRouteParameter(node.text(), parameter, language)) return node;
      for (const value of [...bindings.valuesAt(node), ...bindings.contentsAt(node).map((one) => one.value)]) {
        const found = sourceOf(value);
        if (found) return found;
      }
      return null;
    }
    if (kind === 'member_expression' || kind === 'attribute') {
      const object = node.field('object');
      const property = (node.field('property') ?? node.field('attribute'))?.text() ?? '';
      if (/^(length|size|byteLength|ok|status|statusCode|status_code)$/.test(property)) return null;
      const fromObject = object ? sourceOf(object) : null;
      if (fromObject) return fromObject;
      for (const value of bindings.membersOf(node)) {
        const found = sourceOf(value);
        if (found) return found;
      }
      return null;
    }
    if (kind === 'subscript_expression' || kind === 'subscript') {
      const object = node.field('object') ?? node.field('value');
      const index = node.field('index') ?? node.field('subscript');
      const key = index ? literalText(index) : null;
      const entry = object && key !== null ? entryOf(object, key) : undefined;
      if (entry !== undefined) return entry;
      return object ? sourceOf(object) : null;
    }
    if (call && /\.get$/.test(call.callee) && call.args.length > 0) {
      const object = call.calleeNode.field('object');
      // What comes out of a fixed table is fixed, but for what is given in its stead.
      if (object && bindings.isConstant(object)) {
        const instead = call.args[1]?.value;
        return instead ? sourceOf(instead) : null;
      }
      const key = literalText(call.args.at(-1)!.value);
      const entry = object && key !== null ? entryOf(object, key) : undefined;
      if (entry !== undefined) return entry;
    }
    if (call) {
      // A method's result carries its receiver; any call's result carries its arguments.
      const receiver = call.calleeNode.field('object');
      const fromReceiver = receiver ? sourceOf(receiver) : null;
      if (fromReceiver) return fromReceiver;
      if (textOnly && !KEEPS_TEXT.test(call.callee) && !isOwnFunction(call.calleeNode)) return null;
      // `new URL('/home', request.url)` stays where it is.
      if (call.callee === 'new URL' && call.args[0] && bindings.isConstant(call.args[0].value) && isOwnAddress(call))
        return null;
      for (const argument of call.args) {
        const found = sourceOf(argument.value);
        if (found) return found;
      }
      return null;
    }
    if (kind === 'ternary_expression' || kind === 'conditional_expression') {
      const children = node.namedChildren();
      const branches = kind === 'ternary_expression' ? children.slice(1) : [children[0], children[2]];
      for (const branch of branches) {
        const found = branch ? sourceOf(branch) : null;
        if (found) return found;
      }
      return null;
    }
    if (kind === 'pair') {
      const value = node.field('value');
      return value ? sourceOf(value) : null;
    }
    for (const child of node.namedChildren()) {
      const found = sourceOf(child);
      if (found) return found;
    }
    return null;
  }

  /** The source of one entry of a table filled here key by key; undefined where what it holds is not known by key. */
  function entryOf(object: Node, key: string): Node | null | undefined {
    if (object.kind() !== 'identifier' || bindings.isParameter(object)) return undefined;
    const contents = bindings.contentsAt(object);
    if (contents.length === 0 || contents.some((one) => one.key === null)) return undefined;
    const values = bindings.valuesAt(object);
    if (
      !values.every(
        (value) =>
          /^(dictionary|object|call|new_expression)$/.test(String(value.kind())) &&
          value.namedChildren().length <= 2 &&
          sourceOf(value) === null,
      )
    )
      return undefined;
    for (const one of contents) {
      const found = one.key === key ? sourceOf(one.value) : null;
      if (found) return found;
    }
    return null;
  }

  return { sourceOf };
}

interface Pieces {
  fixed: string;
  /** Names still to be followed; hostile code can make their number grow without bound. */
  budget: number;
  varying: Node[];
}

/**
 * Takes a text-building expression apart: concatenation, template literal, f-string, `%`, `.format`, `.join`, `.concat`,
 * `.replace` with a value that varies.
 * Null where the expression builds no text.
 */
export function piecesOf(node: Node, bindings: Bindings, depth = 0, budget = 500): Pieces | null {
  if (depth > 12) return null;
  const kind = String(node.kind());
  if (kind === 'parenthesized_expression' || kind === 'await' || kind === 'await_expression') {
    const inner = node.namedChildren()[0];
    return inner ? piecesOf(inner, bindings, depth + 1, budget) : null;
  }
  const pieces: Pieces = { fixed: '', budget, varying: [] };
  if (kind === 'template_string' || kind === 'string' || kind === 'concatenated_string') {
    for (const child of node.namedChildren()) {
      const part = String(child.kind());
      if (part === 'template_substitution' || part === 'interpolation') {
        const inner = child.namedChildren()[0];
        if (inner) add(pieces, inner, bindings, depth + 1);
      } else if (part === 'string' || part === 'concatenated_string') {
        const inner = piecesOf(child, bindings, depth + 1, pieces.budget);
        if (inner) merge(pieces, inner);
      } else if (part !== 'string_start' && part !== 'string_end') pieces.fixed += child.text();
    }
    return pieces;
  }
  if (kind === 'binary_expression' || kind === 'binary_operator') {
    const operator = node.field('operator')?.text();
    const left = node.field('left');
    const right = node.field('right');
    if (!left || !right || (operator !== '+' && operator !== '%')) return null;
    if (operator === '%') {
      const fixed = literalText(left) ?? bindings.textOf(left);
      if (fixed === null || language(node) !== 'python') return null;
      pieces.fixed = fixed.replace(/%(\(\w+\))?[-#\d. +]*[a-zA-Z]/g, ' ');
      add(pieces, right, bindings, depth + 1);
      return pieces;
    }
    add(pieces, left, bindings, depth + 1);
    add(pieces, right, bindings, depth + 1);
    return pieces;
  }
  const call = asCall(node);
  const receiver = call?.calleeNode.field('object');
  if (call && /^(util\.)?format$/.test(call.callee) && call.args[0]) {
    const fixed = bindings.textOf(call.args[0].value);
    if (fixed === null || !/%[sdj]/.test(fixed)) return null;
    pieces.fixed = fixed;
    for (const argument of call.args.slice(1)) add(pieces, argument.value, bindings, depth + 1);
    return pieces;
  }
  if (call && receiver && /\.(format|concat)$/.test(call.callee)) {
    const fixed = bindings.textOf(receiver);
    if (fixed === null) return null;
    pieces.fixed = /\.format$/.test(call.callee) ? fixed.replace(/\{[^{}]*\}/g, ' ') : fixed;
    for (const argument of call.args) add(pieces, argument.value, bindings, depth + 1);
    return pieces;
  }
  // A value put where the text has a mark for it.
  const value = call?.args[1]?.value;
  if (
    call &&
    receiver &&
    value &&
    /\.(replace|replaceAll)$/.test(call.callee) &&
    !isFunction(value) &&
    !bindings.isConstant(value)
  ) {
    add(pieces, receiver, bindings, depth + 1);
    add(pieces, value, bindings, depth + 1);
    return pieces;
  }
  if (call && receiver && /\.join$/.test(call.callee) && !/path/i.test(call.callee)) {
    for (const part of [receiver, ...call.args.map((argument) => argument.value)]) {
      for (const element of /^(array|list|tuple)$/.test(String(part.kind())) ? part.namedChildren() : [part]) {
        add(pieces, element, bindings, depth + 1);
      }
      if (part.kind() === 'identifier')
        for (const content of bindings.contentsAt(part)) add(pieces, content.value, bindings, depth + 1);
    }
    return pieces;
  }
  return null;
}

function language(node: Node): 'python' | 'other' {
  return node.kind() === 'binary_operator' ? 'python' : 'other';
}

function merge(into: Pieces, from: Pieces): void {
  into.fixed += from.fixed;
  into.budget = Math.min(into.budget, from.budget);
  into.varying.push(...from.varying);
}

function add(pieces: Pieces, node: Node, bindings: Bindings, depth = 0): void {
  if (pieces.budget-- <= 0) return;
  const text = bindings.textOf(node);
  if (text !== null) {
    pieces.fixed += text;
    return;
  }
  if (bindings.isGuarded(node)) {
    pieces.fixed += ' ';
    return;
  }
  if (asCall(node) && isHarmless(node, bindings)) {
    pieces.fixed += ' ';
    return;
  }
  const inner = piecesOf(node, bindings, depth + 1, pieces.budget);
  if (inner) {
    merge(pieces, inner);
    return;
  }
  // A name for text that was put together earlier counts with its pieces.
  if (node.kind() === 'identifier' && depth < 10 && !bindings.isParameterAt(node)) {
    const values = bindings.valuesAt(node);
    if (values.length > 0) {
      for (const value of values) add(pieces, value, bindings, depth + 1);
      return;
    }
  }
  pieces.fixed += ' ';
  if (!isHarmless(node, bindings)) pieces.varying.push(node);
}

/** Pieces that cannot carry an attacker's text: constants, numbers, placeholders, escaped values. */
function isHarmless(node: Node, bindings: Bindings): boolean {
  if (bindings.isConstant(node) || bindings.isGuarded(node)) return true;
  // An entry of a table of constants is one of them.
  if (/^subscript/.test(String(node.kind()))) {
    const table = node.field('object') ?? node.field('value');
    if (table?.kind() === 'identifier' && bindings.isConstant(table)) return true;
  }
  const text = node.text().replace(/\s+/g, '');
  if (/^[A-Z][A-Z0-9_]*(\.[A-Za-z_]\w*)*$/.test(text)) return true; // NAMES_LIKE_THIS are constants by convention
  if (/\(\)=>['"`](\?|\$\d)['"`]|\bfill\(['"`]\?['"`]\)|['"](\?|%s),?['"]\]?\*len|['"](\?|%s)['"]for\w+in/.test(text))
    return true;
  if (/\.(length|size|count|lineno)$/.test(text)) return true;
  const call = asCall(node);
  if (call && CLEAN.test(call.callee)) return true;
  if (call && /\.join$/.test(call.callee) && call.args.length <= 1) {
    const joined = [call.calleeNode.field('object'), ...call.args.map((argument) => argument.value)];
    return joined.every(
      (part) =>
        !part ||
        bindings.isConstant(part) ||
        (part.kind() !== 'identifier' && isHarmlessInside(part)) ||
        namesHarmless(part, bindings),
    );
  }
  return false;
}

function isHarmlessInside(node: Node): boolean {
  return /=>\s*['"`](\?|\$)|['"](\?|%s)['"]/.test(node.text());
}

function namesHarmless(node: Node, bindings: Bindings): boolean {
  if (node.kind() !== 'identifier') return false;
  const values = bindings.valuesOf(node);
  return values.length > 0 && values.every((value) => isHarmlessInside(value));
}

/** Whether the expression is text put together from at least one varying piece, with fixed pieces matching `fixed`. */
export function isComposed(node: Node, bindings: Bindings, fixed: RegExp): boolean {
  let pieces = piecesOf(node, bindings);
  if (node.kind() === 'identifier' && !bindings.isParameterAt(node) && bindings.valuesAt(node).length > 1) {
    // Text that grows by `+=`.
    pieces = { fixed: '', budget: 500, varying: [] };
    add(pieces, node, bindings);
  }
  return pieces !== null && pieces.varying.length > 0 && fixed.test(pieces.fixed);
}
