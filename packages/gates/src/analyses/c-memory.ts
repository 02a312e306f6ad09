import { declaredName } from '../rules/bindings.ts';
import type { ParsedFile } from '../rules/parsed-file.ts';
import { enclosingFunction, literalText, type Node, nodesOfKind } from '../rules/syntax.ts';
import type { Hit } from './hit.ts';

interface LocalArray {
  /** Elements, or null where the size is an expression or comes from the initialiser. */
  readonly size: number | null;
  readonly isStatic: boolean;
  readonly isChar: boolean;
}

/** Arrays declared in the function, by name. */
function arraysOf(fn: Node): Map<string, LocalArray> {
  const arrays = new Map<string, LocalArray>();
  for (const array of nodesOfKind(fn, 'array_declarator')) {
    const declaration = array.ancestors().find((ancestor) => ancestor.kind() === 'declaration');
    const name = declaredName(array);
    if (!declaration || !name) continue;
    const text = declaration.text();
    const size = Number(array.field('size')?.text());
    arrays.set(name.text(), {
      size: Number.isInteger(size) && size > 0 ? size : null,
      isStatic: /\bstatic\b/.test(text),
      isChar: /\bchar\b/.test(text),
    });
  }
  return arrays;
}

/** `return buffer;` where buffer is an array of this call: its memory is gone when the caller looks (CWE-562). */
export function pointerToLocal(file: ParsedFile): Hit[] {
  const hits: Hit[] = [];
  for (const fn of nodesOfKind(file.root, 'function_definition')) {
    const arrays = arraysOf(fn);
    for (const statement of nodesOfKind(fn, 'return_statement')) {
      if (enclosingFunction(statement)?.id() !== fn.id()) continue;
      const value = statement.namedChildren()[0];
      if (!value) continue;
      const local = addressOfLocal(value, fn);
      if (local) {
        hits.push({
          node: statement,
          message: `Returns the address of ${local}, a local variable that no longer exists for the caller`,
        });
        continue;
      }
      const pointed = pointedAt(value, file, new Set());
      const array = pointed ? arrays.get(pointed) : undefined;
      if (array && !array.isStatic) {
        hits.push({
          node: statement,
          message: `Returns a pointer to ${pointed}, a local array that no longer exists for the caller`,
        });
      }
    }
  }
  return hits;
}

/** The name in `return &name;` where that is a plain variable of this call. */
function addressOfLocal(value: Node, fn: Node): string | null {
  const name = /^&\s*([A-Za-z_]\w*)$/.exec(value.text())?.[1];
  if (!name) return null;
  const declared = nodesOfKind(fn, 'declaration').some((declaration) => {
    if (/\b(static|extern|_Thread_local)\b/.test(declaration.text())) return false;
    return declaration.fieldChildren('declarator').some((declarator) => declaredName(declarator)?.text() === name);
  });
  return declared ? name : null;
}

function pointedAt(value: Node, file: ParsedFile, seen: Set<string>): string | null {
  const kind = String(value.kind());
  if (kind === 'conditional_expression') {
    for (const branch of [value.field('consequence'), value.field('alternative')]) {
      const through = branch ? pointedAt(branch, file, seen) : null;
      if (through) return through;
    }
    return null;
  }
  // These return a place inside their first argument.
  if (kind === 'call_expression') {
    if (
      !/^(strchr|strrchr|strstr|strcpy|strcat|strncpy|strncat|memcpy|strtok|stpcpy|fgets|gets)$/.test(
        value.field('function')?.text() ?? '',
      )
    )
      return null;
    const first = value.field('arguments')?.namedChildren()[0];
    return first ? pointedAt(first, file, seen) : null;
  }
  if (kind === 'parenthesized_expression' || kind === 'cast_expression') {
    const inner = value.field('value') ?? value.namedChildren().at(-1);
    return inner ? pointedAt(inner, file, seen) : null;
  }
  if (kind === 'pointer_expression' || kind === 'binary_expression') {
    if (value.text().startsWith('*')) return null;
    const inner = value.field('argument') ?? value.field('left');
    const base = inner?.kind() === 'subscript_expression' ? inner.field('argument') : inner;
    return base ? pointedAt(base, file, seen) : null;
  }
  if (kind !== 'identifier' || seen.has(value.text())) return null;
  seen.add(value.text());
  const bound = file.bindings
    .valuesOf(value)
    .filter((one) =>
      /^(identifier|cast_expression|pointer_expression|binary_expression|call_expression)$/.test(String(one.kind())),
    );
  for (const one of bound) {
    const through = pointedAt(one, file, seen);
    if (through) return through;
  }
  return value.text();
}

const ALLOCATE = /\b(malloc|calloc|realloc|strdup|strndup)\s*\(/;

/** Memory asked for and used without looking whether there was any (CWE-690). */
export function uncheckedAllocation(file: ParsedFile): Hit[] {
  const hits: Hit[] = [];
  for (const node of nodesOfKind(file.root, 'init_declarator', 'assignment_expression')) {
    const value = node.field('value') ?? node.field('right');
    const target = declaredName(node.field('declarator') ?? node.field('left'));
    if (
      !value ||
      !target ||
      !/^(\([^)]*\)\s*)?(malloc|calloc|realloc|strdup|strndup)\s*\(/.test(value.text()) ||
      !ALLOCATE.test(value.text())
    )
      continue;
    const name = target.text();
    const around = (enclosingFunction(node) ?? file.root).text();
    const checked = new RegExp(
      `(!\\s*${name}\\b)|\\b${name}\\s*[!=]=\\s*(NULL|0|nullptr)\\b|(NULL|0)\\s*[!=]=\\s*${name}\\b|(if|while|assert)\\s*\\(\\s*${name}\\s*(\\)|&&|\\|\\|)|&&\\s*${name}\\b`,
    );
    if (!checked.test(around)) hits.push({ node });
  }
  return hits;
}

/** Longest text of one conversion, without the zero at the end: `int` is `-2147483648`, `%'d` adds three separators. */
const LONGEST: readonly (readonly [RegExp, number])[] = [
  [/^%'?(ll|l|j|z|t)[diu]$/, 20],
  [/^%[diu]$/, 11],
  [/^%'[diu]$/, 14],
  [/^%h[diu]$/, 6],
  [/^%[xX]$/, 8],
  [/^%o$/, 11],
  [/^%c$/, 1],
  [/^%%$/, 1],
];

/** Bytes `sprintf` may write for a format, the final zero included; infinite for `%s`, null for formats not understood. */
export function longestOutput(format: string): number | null {
  let bytes = 1;
  for (const part of format.match(/%[^a-zA-Z%]*[hljztL]*[a-zA-Z%]|\\.|[^%]/g) ?? []) {
    if (!part.startsWith('%')) bytes += 1;
    else if (/^%[-+ #]*\d*s$/.test(part)) return Number.POSITIVE_INFINITY;
    else {
      const width = LONGEST.find(([pattern]) => pattern.test(part));
      if (!width) return null;
      bytes += width[1];
    }
  }
  return bytes;
}

/** Text that is copied or printed into memory which cannot hold its longest form (CWE-120, CWE-787). */
export function fixedBuffer(file: ParsedFile): Hit[] {
  const hits: Hit[] = [];
  for (const call of file.calls) {
    const fn = enclosingFunction(call.node);
    const target = writtenTo(call.args[0]?.value);
    if (!fn || !target) continue;
    if (/^gets$/.test(call.callee)) {
      hits.push({ node: call.node, message: 'gets cannot know how much fits: use fgets' });
      continue;
    }
    const size = sizeOf(target, fn, file);
    if (/^v?sprintf$/.test(call.callee)) {
      const format = call.args[1] ? literalText(call.args[1].value) : null;
      const needed = format === null ? null : longestOutput(format);
      if (size === null || needed === null || needed <= size) continue;
      const text = needed === Number.POSITIVE_INFINITY ? 'text of any length' : `up to ${needed} bytes`;
      hits.push({
        node: call.node,
        message: `${call.callee} writes ${text} into ${target.text()}, which holds ${size}`,
      });
    } else if (/^(strcpy|strcat)$/.test(call.callee)) {
      const source = call.args[1]?.value;
      const literal = source ? literalText(source) : null;
      if (size === null || !source) continue;
      if (literal === null ? !isMeasured(source, fn) : call.callee === 'strcpy' && literal.length + 1 > size) {
        hits.push({
          node: call.node,
          message: `${call.callee} copies ${literal === null ? 'text of unknown length' : `${literal.length + 1} bytes`} into ${target.text()}, which holds ${size}`,
        });
      }
    } else if (/^(memcpy|memmove|strncpy|strncat|read|recv)$/.test(call.callee)) {
      const place = /^(read|recv)$/.test(call.callee) ? call.args[1]?.value : target;
      const length = call.args[2]?.value;
      const room = place ? arraysOf(fn).get(place.text()) : undefined;
      if (!place || !room?.size || !room.isChar || !length) continue;
      const given = Number(length.text());
      if (given > room.size || (length.kind() === 'identifier' && !isLimited(length.text(), fn, file))) {
        hits.push({
          node: call.node,
          message: `${call.callee} may write ${length.text()} bytes into ${place.text()}, which holds ${room.size}`,
        });
      }
    } else if (/^snprintf$/.test(call.callee) && size !== null) {
      const limit = Number(call.args[1]?.value.text());
      const computed = call.args[1] && !Number.isFinite(limit) && !/sizeof/.test(call.args[1].value.text());
      const measured = computed && /\b\w*len\w*\b|\bsize\b|\bspace\b/i.test(call.args[1]!.value.text());
      if (limit > size || (measured && size < 12 && isAllocated(target, fn))) {
        hits.push({
          node: call.node,
          message: `snprintf is told ${call.args[1]!.value.text()} bytes, but ${target.text()} holds ${size}`,
        });
      }
    }
  }
  return hits;
}

/** The memory itself where a copying function's result is handed on: `strcat(strcpy(line, a), b)`. */
function writtenTo(target: Node | undefined): Node | undefined {
  if (
    target?.kind() !== 'call_expression' ||
    !/^(strcpy|strcat|strncpy|strncat|memcpy|stpcpy)$/.test(target.field('function')?.text() ?? '')
  )
    return target;
  return writtenTo(target.field('arguments')?.namedChildren()[0]);
}

/** A number read from text used as an index, where the function never compares it (CWE-129). */
export function uncheckedIndex(file: ParsedFile): Hit[] {
  const hits: Hit[] = [];
  for (const fn of nodesOfKind(file.root, 'function_definition')) {
    for (const use of nodesOfKind(fn, 'subscript_expression')) {
      const index = use.field('index') ?? use.namedChildren()[1];
      if (index?.kind() !== 'identifier' || isLimited(index.text(), fn, file)) continue;
      const outside = file.bindings
        .valuesOf(index)
        .some((value) =>
          /^(\([^()]*\)\s*)?(atoi|atol|atoll|strtol|strtoul|strtoll|ntohs|ntohl)\s*\(/.test(value.text()),
        );
      if (outside) hits.push({ node: use });
    }
  }
  return hits;
}

/** Whether the function compares the length with anything, or takes it from the memory's own size. */
function isLimited(name: string, fn: Node, file: ParsedFile): boolean {
  const text = fn.text();
  if (
    new RegExp(
      `\\b${name}\\s*(?:[<>]=?|==|&=|%=)|[<>]=?\\s*(?:\\([^()]*\\)\\s*)?${name}\\b|\\b(?:min|MIN)\\s*\\([^;]*\\b${name}\\b`,
    ).test(text)
  )
    return true;
  const identifier = nodesOfKind(fn, 'identifier').find((one) => one.text() === name);
  const values = identifier ? file.bindings.valuesOf(identifier) : [];
  return (
    values.length > 0 && values.every((value) => /sizeof|\bmin\b|MIN\b|\?|^\d+$|%|&\s*(0x)?\d/i.test(value.text()))
  );
}

function isMeasured(source: Node, fn: Node): boolean {
  return new RegExp(`strlen\\s*\\(\\s*${source.text().replace(/\W/g, '\\$&')}\\s*\\)`).test(fn.text());
}

function isAllocated(target: Node, fn: Node): boolean {
  return new RegExp(`\\b${target.text().replace(/\W/g, '\\$&')}\\s*=\\s*(\\([^)]*\\)\\s*)?(malloc|calloc)`).test(
    fn.text(),
  );
}

const SIZES: Readonly<Record<string, number>> = { char: 1, short: 2, int: 4, long: 8, float: 4, double: 8 };

/** Bytes behind a name: an array of the function, or one allocation of a constant size. */
function sizeOf(target: Node, fn: Node, file: ParsedFile): number | null {
  if (target.kind() === 'field_expression') return sizeOfMember(target, file);
  if (target.kind() !== 'identifier') return null;
  const array = arraysOf(fn).get(target.text());
  if (array) return array.isChar ? array.size : null;
  const values = file.bindings.valuesOf(target);
  if (values.length !== 1) return null;
  const allocation = /^(?:\([^)]*\)\s*)?malloc\s*\(([\s\S]*)\)$/.exec(values[0]!.text());
  return allocation ? constantBytes(allocation[1]!) : null;
}

/** Bytes of `u->name` where every struct of the file that has a `name` declares it as an array of one size. */
function sizeOfMember(target: Node, file: ParsedFile): number | null {
  const name = target.field('field')?.text();
  const sizes = nodesOfKind(file.root, 'field_declaration').flatMap((declaration) => {
    const array = declaration.field('declarator');
    const named = array?.field('declarator')?.text() === name;
    if (!array || !named) return [];
    const size = Number(array.field('size')?.text());
    return [/\bchar\b/.test(declaration.field('type')?.text() ?? '') && Number.isInteger(size) ? size : null];
  });
  return sizes.length > 0 && sizes.every((size) => size === sizes[0]) ? sizes[0]! : null;
}

/** `12`, `sizeof(char) * 12`, `4 * sizeof(int) + 1`; null where a name is in it. */
export function constantBytes(expression: string): number | null {
  const numeric = expression.replace(/sizeof\s*\(\s*(\w+)\s*\)/g, (_, type: string) => String(SIZES[type] ?? 'x'));
  if (!/^[\d\s+*()]+$/.test(numeric)) return null;
  let total = 0;
  for (const term of numeric.replace(/[()\s]/g, '').split('+')) {
    total += term.split('*').reduce((product, factor) => product * Number(factor), 1);
  }
  return /\([^()]*\+/.test(numeric) && numeric.includes('*') ? null : total;
}
