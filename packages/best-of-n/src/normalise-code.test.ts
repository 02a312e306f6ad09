import { expect, test } from 'vitest';
import { normaliseCode } from './normalise-code.ts';

const form = async (path: string, text: string) => String(await normaliseCode(path, new TextEncoder().encode(text)));

test.each([
  ['white space and line breaks', 'a.js', 'function f(a,b){return a+b}', 'function f(a, b) {\n  return a + b\n}\n'],
  ['comments', 'a.ts', 'let x: number = 1 // one\n', '/* the\n   number */\nlet x: number = 1\n'],
  ['quotes around plain strings', 'a.js', `f('a', "b")`, `f("a", 'b')`],
  ['semicolons that end a statement', 'a.js', 'const a = 1;\nreturn_(a);\n', 'const a = 1\nreturn_(a)\n'],
  ['JSX', 'a.tsx', 'const a = <b c="d">e</b>', 'const a = ( <b c="d">e</b> )'.replace(/[()]/g, '')],
  [
    'comments and blank lines in Python',
    'a.py',
    'def f(a):\n    # add\n    return a+1\n',
    'def f(a):\n\n    return a + 1  # done\n',
  ],
  ['how deep Python is indented', 'a.py', 'if a:\n  b()\n', 'if a:\n        b()\n'],
  ['CRLF', 'a.txt', 'a\r\nb\r\n', 'a\nb\n'],
])('equal but for %s: %s', async (_title, path, a, b) => {
  expect(await form(path, a)).toBe(await form(path, b));
});

test.each([
  ['an operator', 'a.js', 'a + b', 'a - b'],
  ['where a return ends', 'a.js', 'function f(){ return a }', 'function f(){ return\na }'],
  ['white space inside a string', 'a.js', 'f("a b")', 'f("a  b")'],
  ['white space inside a template', 'a.js', 'f(`a b`)', 'f(`a\nb`)'],
  ['an escape', 'a.js', String.raw`f('\n')`, `f('n')`],
  ['a quote inside a string', 'a.js', `f("'")`, `f('"')`],
  ['JSX text', 'a.jsx', 'const a = <b>c d</b>', 'const a = <b>cd</b>'],
  ['the parts of a for', 'a.js', 'for(;a;);', 'for(;;a);'],
  ['an empty statement', 'a.js', 'if (a);\nb()', 'if (a)\nb()'],
  ['a comment that speaks to the compiler', 'a.ts', '// @ts-ignore\nf()', '// hello\nf()'],
  ['a comment that speaks to the linter', 'a.py', 'import x  # noqa\n', 'import x  # no\n'],
  ['which block a Python line is in', 'a.py', 'if a:\n    b()\n    c()\n', 'if a:\n    b()\nc()\n'],
  ['a Python docstring', 'a.py', 'def f():\n    "a"\n', 'def f():\n    "b"\n'],
  ['the prefix of a Python string', 'a.py', 'x = r"a"\n', 'x = b"a"\n'],
  ['white space in a file of unknown kind', 'a.txt', 'a b', 'a  b'],
  ['white space in a file that does not parse', 'a.js', 'function (', 'function  ('],
  ['a private name', 'a.js', 'class A { #a; }', 'class A { a; }'],
  ['a regular expression', 'a.js', '/a b/', '/a  b/'],
])('different where %s differs', async (_title, path, a, b) => {
  expect(await form(path, a)).not.toBe(await form(path, b));
});

test('bytes that are not UTF-8, and very large files, stay as they are', async () => {
  const bytes = Uint8Array.from([0xff, 0xfe, 13, 10]);
  expect(await normaliseCode('a.js', bytes)).toBe(bytes);
  const large = new TextEncoder().encode(`a();\n`.repeat(100_000));
  expect(await normaliseCode('a.js', large)).toBe(large);
});

test.each([
  ['nested very deeply', `x = ${'['.repeat(20_000)}${']'.repeat(20_000)}`],
  ['with very many statements', ';'.repeat(60_000)],
  ['of very many mistakes', '}{'.repeat(30_000)],
])('a file %s is compared without overflowing the stack', async (_title, text) => {
  expect((await form('a.js', text)).length).toBeGreaterThan(0);
});
