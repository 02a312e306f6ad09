import { isProblem } from '@lathe/protocol';
import { describe, expect, test } from 'vitest';
import type { Language } from '../syntax/parser.ts';
import { findHole } from './find.ts';

function hole(language: Language, source: string, name: string) {
  const found = findHole(source, language, name);
  return { ...found, replaced: source.slice(found.span.start, found.span.end) };
}

function problem(language: Language, source: string, name: string) {
  try {
    findHole(source, language, name);
  } catch (error) {
    if (isProblem(error)) return { code: error.code, message: error.message, remedy: error.remedy };
    throw error;
  }
  throw new Error('expected findHole to throw');
}

describe('JavaScript and TypeScript functions are found', () => {
  const forms: [what: string, language: Language, source: string, name: string, replaced: string][] = [
    ['a declaration', 'javascript', 'function f(a) { 1 }', 'f', ' 1 '],
    ['an exported declaration', 'javascript', 'export function f(a) { 1 }', 'f', ' 1 '],
    ['an async generator', 'javascript', 'export async function* f() { 1 }', 'f', ' 1 '],
    ['a named default export by its name', 'javascript', 'export default function f() { 1 }', 'f', ' 1 '],
    ['a named default export as default', 'javascript', 'export default function f() { 1 }', 'default', ' 1 '],
    ['a nameless default export', 'javascript', 'export default function () { 1 }', 'default', ' 1 '],
    ['a default arrow', 'javascript', 'export default (a) => { 1 }', 'default', ' 1 '],
    ['an arrow function', 'javascript', 'const f = (a) => { 1 };', 'f', ' 1 '],
    ['an arrow with an expression', 'javascript', 'const f = a => a + 1;', 'f', 'a + 1'],
    ['a function expression', 'javascript', 'const f = function inner() { 1 };', 'inner', ' 1 '],
    ['a wrapped arrow', 'typescript', 'const f = memo((a: A) => { 1 }) as F;', 'f', ' 1 '],
    ['a CommonJS export', 'javascript', 'module.exports.f = function () { 1 };', 'f', ' 1 '],
    ['a CommonJS module that is a function', 'javascript', 'module.exports = function () { 1 };', 'default', ' 1 '],
    ['a prototype method', 'javascript', 'A.prototype.f = function () { 1 };', 'A.f', ' 1 '],
    ['a method', 'javascript', 'class A { f() { 1 } }', 'A.f', ' 1 '],
    ['a method behind a hash sign', 'javascript', 'class A { f() { 1 } }', 'A#f', ' 1 '],
    ['a method by its own name', 'javascript', 'class A { f() { 1 } }', 'f', ' 1 '],
    ['a static async method', 'typescript', 'class A { static async f(): Promise<void> { 1 } }', 'A.f', ' 1 '],
    ['a private method', 'javascript', 'class A { #f() { 1 } }', 'A.#f', ' 1 '],
    ['a field that is a function', 'typescript', 'class A { f = (a: B) => { 1 } }', 'A.f', ' 1 '],
    ['a constructor', 'typescript', 'class A { constructor(private a: B) { 1 } }', 'A.constructor', ' 1 '],
    ['an accessor', 'javascript', 'class A { get f() { 1 } set f(v) { 2 } }', 'A.set f', ' 2 '],
    ['an object method', 'javascript', 'const o = { f() { 1 } };', 'o.f', ' 1 '],
    ['a property that is a function', 'javascript', 'const o = { f: async () => { 1 } };', 'o.f', ' 1 '],
    ['a quoted property', 'javascript', "const o = { 'a-b': () => { 1 } };", 'o.a-b', ' 1 '],
    ['a nested function', 'javascript', 'function f() { function g() { 1 } }', 'f.g', ' 1 '],
    ['a function in a namespace', 'typescript', 'namespace N { export function f() { 1 } }', 'N.f', ' 1 '],
    [
      'the implementation of overloads',
      'typescript',
      'function f(a: A): B;\nfunction f(a: C): D;\nfunction f(a) { 1 }',
      'f',
      ' 1 ',
    ],
    ['a component', 'tsx', 'export const F = (p: P) => { return <p>{p.a}</p>; };', 'F', ' return <p>{p.a}</p>; '],
    ['a static method beside one of an instance', 'javascript', 'class A { static f() { 1 } f() { 2 } }', 'A.f', ' 1 '],
    ['an instance method beside a static one', 'javascript', 'class A { static f() { 1 } f() { 2 } }', 'A#f', ' 2 '],
    ['the one on a line', 'javascript', 'function f() { 1 }\nfunction f() { 2 }', 'f@2', ' 2 '],
    ['the shorter path of two', 'javascript', 'class A { f() { 1 } }\nfunction f() { 2 }', 'f', ' 2 '],
  ];
  test.each(forms)('%s', (_what, language, source, name, replaced) => {
    expect(hole(language, source, name).replaced).toBe(replaced);
  });

  test('with comments, header, parameters and indentation', () => {
    const source =
      'class A {\n\t/** Doc. */\n\tstatic async *f(\n\t\ta,\n\t\t{ b, c: d = e },\n\t\t...rest\n\t) {\n\t}\n}\n';
    expect(hole('javascript', source, 'A.f')).toMatchObject({
      comments: '/** Doc. */',
      header: 'static async *f(\n\t\ta,\n\t\t{ b, c: d = e },\n\t\t...rest\n\t) {',
      parameters: ['a', 'b', 'd', 'rest'],
      isAsync: true,
      isGenerator: true,
      indent: '\t',
      bodyIndent: '\t\t',
      eol: '\n',
    });
  });
});

test('the column a block comment stands in is not taken for a step of indentation', () => {
  const source = '/**\n * Doc.\n *\n * @param {number} a\n */\nexport function f(a) {\n}\n';
  expect(hole('javascript', source, 'f')).toMatchObject({ unit: '  ', bodyIndent: '  ' });
});

describe('Python functions are found', () => {
  const forms: [what: string, source: string, name: string, replaced: string][] = [
    ['a function', 'def f(a):\n    pass\n', 'f', '\n    pass'],
    ['on one line', 'def f(a): pass\n', 'f', ' pass'],
    ['behind its docstring', 'def f(a):\n    """Doc."""\n    pass\n', 'f', '\n    pass'],
    ['with nothing but a docstring', 'def f(a):\n    """Doc."""\n', 'f', ''],
    ['with a comment behind the colon', 'def f(a):  # noqa\n    pass\n', 'f', '\n    pass'],
    ['with a comment at its end', 'def f(a):\n    pass\n    # later\n\nx = 1\n', 'f', '\n    pass\n    # later'],
    ['a method', 'class A:\n    async def f(self):\n        pass\n', 'A.f', '\n        pass'],
    ['a nested function', 'def f():\n    def g():\n        pass\n    return g\n', 'f.g', '\n        pass'],
    ['a decorated function', '@cache\ndef f():\n    pass\n', 'f', '\n    pass'],
    [
      'the implementation of overloads',
      '@overload\ndef f(a: int): ...\n@overload\ndef f(a: str): ...\ndef f(a):\n    pass\n',
      'f',
      '\n    pass',
    ],
  ];
  test.each(forms)('%s', (_what, source, name, replaced) => {
    expect(hole('python', source, name).replaced).toBe(replaced);
  });
});

describe('a name that means nothing, or more than one thing', () => {
  test('lists the names there are, the nearest first', () => {
    const source = 'function alpha() {}\nfunction slugify() {}\nclass A { slug() {} }';
    expect(problem('javascript', source, 'slugfy')).toEqual({
      code: 'LATHE_NOT_FOUND_FUNCTION',
      message: 'there is no function called slugfy; there are: slugify, A.slug, alpha',
      remedy: 'name one of them, for example slugify',
    });
  });

  test('says so where the file has no function at all', () => {
    expect(problem('python', 'x = 1\n', 'f').message).toContain('the file has no named function');
  });

  test('lists the candidates with their lines and a way to tell them apart by path', () => {
    const source = 'class A { f() {} }\nclass B { f() {} }';
    expect(problem('javascript', source, 'f')).toEqual({
      code: 'LATHE_USAGE_AMBIGUOUS',
      message: 'f can mean 2 functions: A.f (line 1), B.f (line 2)',
      remedy: 'say which: A.f, or f@LINE with the line its name stands on',
    });
  });

  test('and by line where the paths are the same', () => {
    const remedy = problem('python', 'if a:\n    def f(): pass\nelse:\n    def f(): pass\n', 'f').remedy;
    expect(remedy).toContain('f@2');
  });

  test('refuses a declaration without any body', () => {
    expect(problem('typescript', 'declare function f(): void;', 'f').code).toBe('LATHE_USAGE_NO_BODY');
  });
});
