import { describe, expect, it } from 'vitest';
import { bodyEnd, type FunctionBodyEnd } from './body-end.ts';

type Language = FunctionBodyEnd['language'];

/** The text, character by character, until the body ends; as a row sees it. Null where it never does. */
function kept(language: Language, opening: string, text: string): string | null {
  for (let length = 1; length <= text.length; length++) {
    const end = bodyEnd({ kind: 'function-body', language, opening }, text.slice(0, length));
    if (end !== null) return text.slice(0, end);
  }
  return null;
}

describe('JavaScript and TypeScript', () => {
  const js: [string, Language, string, string, string][] = [
    ['a brace at the margin', 'javascript', 'function f() {', '\n  return 1;\n}', '\n\nf();'],
    ['a brace on one line', 'javascript', 'const f = () => {', ' return 1; }', ';\nmore()'],
    [
      'nested blocks and objects',
      'javascript',
      'function f(a) {',
      '\n  if (a) { return { a: {} }; }\n  return [a];\n}',
      '\n}',
    ],
    ['braces in strings', 'javascript', 'function f() {', '\n  return "}" + \'}\' + "\\"}";\n}', '\nlet a'],
    [
      'braces in a template',
      'javascript',
      'function f(a) {',
      ['\n  return `}', '{a.map((x) => { return `{', '{x}}`; })}\n}`;\n}'].join('$'),
      '\n',
    ],
    ['braces in comments', 'javascript', 'function f() {', '\n  // }\n  /* } \n } */\n  return 1;\n}', '\nx'],
    [
      'a brace in a regular expression',
      'javascript',
      'function f(s) {',
      '\n  return s.replace(/[}]/g, "").split(/\\}/);\n}',
      '\nx',
    ],
    ['a division, which is none', 'javascript', 'function f(a, b) {', '\n  return (a / b) / 2 }', ' // a / b'],
    ['defaults in the opening', 'javascript', 'function f({ a = {} } = {}) {', '\n  return a;\n}', '\n'],
    ['a method', 'javascript', 'async *f() {', '\n    yield 1;\n  }', '\n\n  g() {}\n}'],
    [
      'types',
      'typescript',
      'function f<T extends { a: string }>(x: T): { b: T } {',
      '\n  return { b: <T>x };\n}',
      '\n',
    ],
    ['JSX', 'tsx', 'function f() {', '\n  return <p a={{ b: "}" }}>it\'s {"}"} }</p>;\n}', '\n'],
  ];
  it.each(js)('end with the brace of the body: %s', (_, language, opening, body, rest) => {
    expect(kept(language, opening, body + rest)).toBe(body);
    expect(kept(language, opening, body.slice(0, -1))).toBeNull();
  });

  it('go on where the body is not closed', () => {
    expect(kept('javascript', 'function f() {', '\n  return `}')).toBeNull();
    expect(kept('javascript', 'function f() {', '\n  /* }')).toBeNull();
    expect(kept('javascript', 'function f() {', '\n  g("a")\n]\n)')).toBeNull();
  });
});

describe('Python', () => {
  const python: [string, string, string, string][] = [
    ['a statement at the margin', 'def f(a):', '\n    return a\n\n', 'print(f(1))'],
    ['the next function', 'def f(a):', '\n    if a:\n        return 1\n    return 2\n\n\n', '@cache\ndef g(): ...'],
    ['a method and the next one', '    def f(self):', '\n        return 1\n\n    ', 'def g(self): ...'],
    ['a body on the line of the def', 'def f(a):', ' return a\n', 'x = 1'],
    ['text at the margin inside a string', 'def f():', '\n    s = """\nnot code:\n\n"""\n    return s\n', 'x'],
    ['single quotes around triple ones', 'def f():', "\n    '''a\nb \"\"\"\n'''\n    return ''\n", 'x'],
    ['brackets over lines', 'def f():', '\n    return [\n1,\n2,\n]\n', 'x'],
    ['a line that goes on', 'def f(a):', '\n    return a + \\\n1\n', 'x'],
    ['brackets and quotes in comments', 'def f(a):', '\n    # it\'s (\n    return a  # "\n', '# end'],
    ['a string that ends with its line', 'def f(a):', '\n    a = "oops\n', 'b = 1'],
    ['escaped quotes', 'def f(a):', '\n    a = "\\"" + \'\\\'(\'\n', 'b'],
    ['an annotation with brackets', 'def f(a: dict[str, int] = {}) -> list[int]:', '\n    return []\n', 'b'],
    ['blank lines with blanks', 'def f(a):', '\n    a = 1\n\t\n  \n    return a\n', 'b'],
    ['Windows lines', 'def f(a):', '\r\n    return a + \\\r\n1\r\n', 'b'],
  ];
  it.each(python)('ends before the first line further out: %s', (_, opening, body, rest) => {
    expect(kept('python', opening, body + rest)).toBe(body);
    expect(kept('python', opening, body)).toBeNull();
  });
});
