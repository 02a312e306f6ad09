import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Language, parse, syntaxError } from '../syntax/parser.ts';
import { type AnswerStart, fillFromAnswer } from './extract.ts';
import { findHole } from './find.ts';

const FENCE = '```';

/** The file filled, with what stands around the hole cut off; or the reason there is none. */
function filled(
  language: Language,
  source: string,
  name: string,
  answer: string,
  start: AnswerStart = 'whole',
  isCutOff = false,
): string {
  const hole = findHole(source, language, name);
  const result = fillFromAnswer(source, hole, answer, { start, isCutOff });
  return 'invalid' in result ? `invalid: ${result.invalid}` : result.source;
}

const JS =
  "import { a } from './a.js';\n\n/** Doc. */\nexport function slug(text, limit) {\n  // TODO\n}\n\nexport const b = 1;\n";
const jsWith = (body: string) => JS.replace('  // TODO', body);
const PY = 'import re\n\n\ndef slug(text, limit):\n    """Doc."""\n    ...\n\n\nB = 1\n';
const pyWith = (body: string) => PY.replace('    ...', body);

describe('the body is taken from a JavaScript answer', () => {
  const expected = jsWith('  const x = text.trim();\n  return x;');
  const whole = 'function slug(text, limit) {\n  const x = text.trim();\n  return x;\n}';
  const answers: [what: string, answer: string][] = [
    ['a fence with prose around it', `Sure!\n\n${FENCE}js\n${whole}\n${FENCE}\n\nThis trims the text.`],
    ['no fence at all', `Here is the function:\n\n${whole}\n\nIt trims the text.`],
    ['nothing but the function', whole],
    ['an unclosed fence', `${FENCE}js\n${whole}`],
    ['a fence of tildes', `~~~\n${whole}\n~~~`],
    ['a fence inside a list', `1. The function:\n   ${FENCE}js\n${whole.replaceAll(/^/gm, '   ')}\n   ${FENCE}`],
    ['its documentation repeated', `${FENCE}js\n/** Doc. */\nexport ${whole}\n${FENCE}`],
    [
      'an arrow function',
      `${FENCE}js\nconst slug = (text, limit) => {\n  const x = text.trim();\n  return x;\n};\n${FENCE}`,
    ],
    ['a method', `${FENCE}js\n  slug(text, limit) {\n    const x = text.trim();\n    return x;\n  }\n${FENCE}`],
    ['another name', `${FENCE}js\n${whole.replace('slug', 'makeSlug')}\n${FENCE}`],
    ['types and a smaller signature', `${FENCE}js\n${whole.replace('(text, limit)', '(text)')}\n${FENCE}`],
    ['a default export', `${FENCE}js\nexport default ${whole}\n${FENCE}`],
    ['four spaces', `${FENCE}js\n${whole.replaceAll('  ', '    ')}\n${FENCE}`],
    ['tabs', `${FENCE}js\n${whole.replaceAll('  ', '\t')}\n${FENCE}`],
    ['no indentation', `${FENCE}js\n${whole.replaceAll('  ', '')}\n${FENCE}`],
    ['CRLF', `${FENCE}js\r\n${whole.replaceAll('\n', '\r\n')}\r\n${FENCE}\r\n`],
    [
      'thoughts before',
      `<think>\nI could write\n${FENCE}js\nfunction slug(text, limit) { return 1; }\n${FENCE}\n</think>\n${whole}`,
    ],
    ['thoughts opened by the prompt', `maybe trim?\n</think>\n${whole}`],
    ['usage behind it', `${FENCE}js\n${whole}\n\nconsole.log(slug(' a '));\n${FENCE}`],
    ['usage behind it, cut off', `${FENCE}js\n${whole}\n\nconsole.log(slug('`],
    ['a call before it', `Call \`slug(text, limit)\` like this:\n\n${whole}`],
    [
      'the stub quoted first',
      `The stub:\n${FENCE}js\nfunction slug(text, limit) {\n  // TODO\n}\n${FENCE}\nFilled:\n${FENCE}js\n${whole}\n${FENCE}`,
    ],
    ['an install command first', `${FENCE}sh\nnpm test\n${FENCE}\n${FENCE}js\n${whole}\n${FENCE}`],
    ['statements alone', `${FENCE}js\nconst x = text.trim();\nreturn x;\n${FENCE}`],
    ['statements alone without a fence', 'const x = text.trim();\nreturn x;'],
    ['statements between prose', 'The body:\n\n  const x = text.trim();\n  return x;\n\nThis trims the text for you.'],
    ['statements and the closing brace', `${FENCE}js\n  const x = text.trim();\n  return x;\n}\n${FENCE}`],
    ['the whole file', `${FENCE}js\n${expected}${FENCE}`],
    ['the whole file with a changed neighbour', `${FENCE}js\n${expected.replace('b = 1', 'b = 2')}${FENCE}`],
  ];
  test.each(answers)('%s', (_what, answer) => {
    expect(filled('javascript', JS, 'slug', answer)).toBe(expected);
  });

  test('a continuation ends with the function', () => {
    const answer = '\n  const x = text.trim();\n  return x;\n}\n\nexport function other() {\n  retur';
    expect(filled('javascript', JS, 'slug', answer, 'inside')).toBe(expected);
  });

  test('a continuation whose closing brace a stop string took', () => {
    expect(filled('javascript', JS, 'slug', '\n  const x = text.trim();\n  return x;', 'inside')).toBe(expected);
  });

  test('an expression becomes a return', () => {
    const answer = 'const slug = (text) => text\n  .trim()\n  .toLowerCase();';
    expect(filled('javascript', JS, 'slug', answer)).toBe(jsWith('  return text\n    .trim()\n    .toLowerCase();'));
  });

  test('braces in strings, templates, regular expressions and comments do not end it', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a program.
    const body = "  const x = '}' + `}${text}` + /}/.source; // }\n  if (x) {\n    return x;\n  }\n  return '{';";
    const answer = `${FENCE}js\nfunction slug(text, limit) {\n${body}\n}\n${FENCE}`;
    expect(filled('javascript', JS, 'slug', answer)).toBe(jsWith(body));
  });

  test('lines inside a template keep their white space', () => {
    const answer = 'function slug(text) {\n        const x = `\n a\n\tb\n`;\n        return x;\n}';
    expect(filled('javascript', JS, 'slug', answer)).toBe(jsWith('  const x = `\n a\n\tb\n`;\n  return x;'));
  });

  test('a file with CRLF stays one', () => {
    const source = JS.replaceAll('\n', '\r\n');
    expect(filled('javascript', source, 'slug', 'return text;')).toBe(
      jsWith('  return text;').replaceAll('\n', '\r\n'),
    );
  });

  test('the method of the right class, out of a repeated file', () => {
    const source = 'class A {\n  f() {\n  }\n}\nclass B {\n  f() {\n  }\n}\n';
    const answer = 'class A {\n  f() {\n    return 1;\n  }\n}\nclass B {\n  f() {\n    return 2;\n  }\n}\n';
    expect(filled('javascript', source, 'B.f', answer)).toBe(
      source.replace(/(?<=B {\n {2}f\(\) {)\n/, '\n    return 2;\n'),
    );
  });

  test('an arrow function whose body is an expression gets a block', () => {
    const source = 'const o = {\n  f: (a) => undefined,\n};\n';
    expect(filled('javascript', source, 'o.f', 'return a + 1;')).toBe(
      'const o = {\n  f: (a) => {\n    return a + 1;\n  },\n};\n',
    );
  });

  test('JSX, whose text may hold quotes', () => {
    const source = 'export function Note({ text }) {\n}\n';
    const body = "  const one = text;\n  return <p className='a'>don't {one ? `}` : null} <br /></p>;";
    const answer = `${FENCE}jsx\nfunction Note({ text }) {\n${body}\n}\n\nrender(<Note text="}" />);\n${FENCE}`;
    for (const language of ['javascript', 'tsx'] as const) {
      expect(filled(language, source, 'Note', answer)).toBe(source.replace('{\n}', `{\n${body}\n}`));
    }
  });

  test('TypeScript with generics and types', () => {
    const source =
      'export async function f<T>(items: readonly T[], pick: (item: T) => number): Promise<T | null> {\n}\n';
    const body =
      '  let best: T | null = null;\n  for (const item of items) best = best === null || pick(item) > pick(best) ? item : best;\n  return best;';
    const answer = `${FENCE}ts\nexport async function f<T>(items: readonly T[], pick: (item: T) => number): Promise<T | null> {\n${body}\n}\n${FENCE}`;
    expect(filled('typescript', source, 'f', answer)).toBe(source.replace('{\n}', `{\n${body}\n}`));
  });
});

describe('the body is taken from a Python answer', () => {
  const expected = pyWith('    x = text.strip()\n    return x');
  const whole = 'def slug(text, limit):\n    x = text.strip()\n    return x';
  const answers: [what: string, answer: string][] = [
    ['a fence with prose around it', `Sure!\n\n${FENCE}python\n${whole}\n${FENCE}\nThis strips the text.`],
    ['no fence and prose behind it', `${whole}\n\nThis strips the text.`],
    [
      'its docstring repeated',
      `${FENCE}py\ndef slug(text, limit):\n    """Doc."""\n    x = text.strip()\n    return x\n${FENCE}`,
    ],
    ['two spaces', whole.replaceAll('    ', '  ')],
    ['tabs', whole.replaceAll('    ', '\t')],
    ['as if it were a method', `${FENCE}py\n${whole.replaceAll(/^/gm, '    ')}\n${FENCE}`],
    ['another name', whole.replace('slug', 'make_slug')],
    ['annotations', whole.replace('(text, limit)', '(text: str, limit: int = 3) -> str')],
    ['statements alone', 'x = text.strip()\nreturn x'],
    ['statements alone, indented', `${FENCE}py\n    x = text.strip()\n    return x\n${FENCE}`],
    ['statements whose first line lost its indentation', 'x = text.strip()\n    return x'],
    ['a test behind it', `${FENCE}py\n${whole}\n\nassert slug(' a ', 1) == 'a'\n${FENCE}`],
    ['a test behind it, cut off', `${whole}\n\nprint(slug('`],
  ];
  test.each(answers)('%s', (_what, answer) => {
    expect(filled('python', PY, 'slug', answer)).toBe(expected);
  });

  test('a continuation ends where the indentation does', () => {
    const answer = '\n    x = text.strip()\n    return x\n\n\ndef other(';
    expect(filled('python', PY, 'slug', answer, 'inside')).toBe(expected);
  });

  test('brackets and strings at the margin do not end it', () => {
    const body = '    x = """\na\n"""\n    y = [\n1,\n]\n    return x, y';
    const answer = `def slug(text, limit):\n${body}\n\nprint(1)`;
    expect(filled('python', PY, 'slug', answer)).toContain('"""\na\n"""\n');
    expect(filled('python', PY, 'slug', answer)).toContain('return x, y\n\n\nB = 1\n');
  });

  test('a method keeps its place in the class', () => {
    const source = 'class A:\n\n    def f(self, a):\n        pass\n\n    def g(self):\n        return 1\n';
    const answer = 'def f(self, a):\n    if a:\n        return 1\n    return 2\n';
    expect(filled('python', source, 'A.f', answer)).toBe(
      source.replace('        pass', '        if a:\n            return 1\n        return 2'),
    );
  });

  test('a docstring on the line of the colon moves to its own', () => {
    expect(filled('python', 'def f(a): """Doc."""\n', 'f', 'return a')).toBe(
      'def f(a):\n    """Doc."""\n    return a\n',
    );
  });
});

describe('what the body needs comes with it', () => {
  test('imports behind the imports, helpers above the function; what is not needed stays away', () => {
    const answer = [
      "import { join } from 'node:path';",
      "import { readFile } from 'node:fs';",
      "const DASH = '-';",
      'const UNUSED = 1;',
      'function clean(text) {\n  return join(text, DASH);\n}',
      'function slug(text) {\n  return clean(text);\n}',
    ].join('\n');
    expect(filled('javascript', JS, 'slug', answer)).toBe(
      "import { a } from './a.js';\nimport { join } from 'node:path';\n\nconst DASH = '-';\n\nfunction clean(text) {\n  return join(text, DASH);\n}\n\n/** Doc. */\nexport function slug(text, limit) {\n  return clean(text);\n}\n\nexport const b = 1;\n",
    );
  });

  test('a name the file has already stays the file’s', () => {
    const answer = 'const b = 7;\nfunction slug(text) {\n  return text + b;\n}';
    expect(filled('javascript', JS, 'slug', answer)).toBe(jsWith('  return text + b;'));
  });

  test('in Python too', () => {
    const answer =
      'import math\nimport re\n\nDASH = "-"\n\ndef slug(text, limit):\n    return re.sub(DASH, text, math.pi)\n';
    expect(filled('python', PY, 'slug', answer)).toBe(
      'import re\nimport math\n\n\nDASH = "-"\n\n\ndef slug(text, limit):\n    """Doc."""\n    return re.sub(DASH, text, math.pi)\n\n\nB = 1\n',
    );
  });

  test('below a first comment and a directive where there is no import yet', () => {
    const source = "#!/usr/bin/env node\n// Licence.\n\n'use strict';\n\nfunction f() {\n}\n";
    const answer = "const fs = require('node:fs');\nfunction f() {\n  return fs;\n}";
    expect(filled('javascript', source, 'f', answer)).toBe(
      "#!/usr/bin/env node\n// Licence.\n\n'use strict';\nconst fs = require('node:fs');\n\n\nfunction f() {\n  return fs;\n}\n",
    );
  });

  test('not where it imports in the other module system', () => {
    const answer = "const fs = require('node:fs');\nfunction slug(text) {\n  return fs;\n}";
    expect(filled('javascript', JS, 'slug', answer)).toMatch(/^invalid: .*not how this file imports/);
  });
});

describe('an answer without a usable body is invalid and says why', () => {
  const answers: [answer: string, reason: RegExp][] = [
    ['', /^invalid: the answer is empty/],
    ['I cannot help with that.', /^invalid: there is no body for slug/],
    ['<think>hm, if (a) {', /stopped thinking/],
    [`${FENCE}js\nfunction slug(text) {\n  if (text) {\n`, /ends before the function does/],
    [`${FENCE}js\nfunction slug(text) {\n  // TODO\n}\n${FENCE}`, /the body is empty/],
    [`${FENCE}js\nfunction slug(text) {\n}\n${FENCE}`, /the body is empty/],
    ['function slug(text) {\n  return await text;\n}', /`await`, but the function is not async/],
    ['function slug(text) {\n  yield text;\n}', /`yield`, but the function is no generator|syntax error/],
    ['function slug(title) {\n  return title;\n}', /other parameters \(title instead of text, limit\)/],
  ];
  test.each(answers)('%j', (answer, reason) => {
    expect(filled('javascript', JS, 'slug', answer)).toMatch(reason);
  });

  test('a continuation that was cut off', () => {
    expect(filled('javascript', JS, 'slug', '\n  return text.trim(', 'inside')).toMatch(
      /ends before the function does/,
    );
  });

  const cutOff: [what: string, language: Language, source: string, answer: string, start: AnswerStart][] = [
    ['a continuation', 'javascript', JS, '\n  const x = text;\n  return x', 'inside'],
    ['a Python continuation', 'python', PY, '\n    x = text\n    return x', 'inside'],
    ['an arrow function', 'javascript', JS, 'const slug = (text) => text', 'whole'],
    ['a Python function', 'python', PY, `${FENCE}py\ndef slug(text, limit):\n    return text`, 'whole'],
    ['statements', 'javascript', JS, 'return text', 'whole'],
  ];
  test.each(cutOff)('%s that parses, where the model was cut off', (_what, language, source, answer, start) => {
    expect(filled(language, source, 'slug', answer, start)).not.toMatch(/^invalid/);
    expect(filled(language, source, 'slug', answer, start, true)).toMatch(/ends before the function does/);
  });

  test('not where the function ends before the cut', () => {
    const python = '\n    return text\n\n\ndef other(';
    expect(filled('python', PY, 'slug', python, 'inside', true)).toBe(pyWith('    return text'));
    expect(filled('javascript', JS, 'slug', '\n  return text;\n}\nslug(', 'inside', true)).toBe(
      jsWith('  return text;'),
    );
  });

  test('the function as it was', () => {
    const source = 'function f() {\n  return 1;\n}\n';
    expect(filled('javascript', source, 'f', 'function f() {\n  return 1;\n}')).toBe(
      'invalid: the answer leaves the function as it was',
    );
  });
});

test('a long answer that repeats itself is given up, not parsed for minutes', () => {
  const lines = ['function slug(text) {', '  if (text) {', '  slug(text);', '};', 'slug: {}'];
  const answer = Array.from({ length: 3_000 }, (_, i) => lines[i % lines.length]).join('\n');
  expect(filled('javascript', JS, 'slug', answer)).toMatch(/^invalid/);
  expect(filled('python', PY, 'slug', 'def slug(text, limit):\n(\n'.repeat(1_500))).toMatch(/^invalid/);
}, 30_000);

describe('whatever the answer, the rest of the file stays', () => {
  const indentations = fc.constantFrom('  ', '    ', '\t', ' ');
  // A body as (level, line) pairs, so that any indentation can be laid over it.
  const bodies = fc.constantFrom<readonly (readonly [number, string])[]>(
    [[0, 'return text;']],
    [
      [0, 'const x = text;'],
      [0, ''],
      [0, 'return x;'],
    ],
    [
      [0, 'for (const c of text) {'],
      [1, "if (c === '}') {"],
      [2, 'return c;'],
      [1, '}'],
      [0, '}'],
      [0, 'return limit;'],
    ],
    [
      [0, 'const f = (x) => {'],
      [1, 'return x;'],
      [0, '};'],
      [0, 'return f(text);'],
    ],
    [
      [0, 'return text'],
      [1, ".split('{')"],
      [1, '.map((x) => ({ x }));'],
    ],
  );
  const prose = fc.constantFrom('', 'Here is the function you asked for:', 'Sure! This one trims.\n\nAnd it works:');
  const tails = fc.constantFrom(
    '',
    'This function returns the text.',
    '## Explanation\n\n- It loops.\n- It returns.',
    'slug("a", 1);',
  );
  const heads = fc.constantFrom(
    'function slug(text, limit) {',
    'export function slug(text, limit) {',
    'const slug = (text, limit) => {',
    'async',
    'export const slug = function (text, limit) {',
  );

  test('known bodies come through random wrapping, and nothing else changes', () => {
    fc.assert(
      fc.property(
        bodies,
        indentations,
        prose,
        tails,
        heads,
        fc.boolean(),
        fc.boolean(),
        fc.nat(2),
        (body, step, before, after, head, isFenced, isCrlf, margin) => {
          const first = head === 'async' ? 'function slug(text, limit) {' : head;
          const lines = [
            first,
            ...body.map(([level, line]) => (line === '' ? '' : step.repeat(level + 1) + line)),
            '}',
          ];
          const code = lines.map((line) => (line === '' ? '' : step.repeat(margin) + line)).join('\n');
          const text = `${before}\n\n${isFenced ? `${FENCE}js\n${code}\n${FENCE}` : code}\n\n${after}`;
          const expected = jsWith(
            body.map(([level, line]) => (line === '' ? '' : '  '.repeat(level + 1) + line)).join('\n'),
          );
          expect(filled('javascript', JS, 'slug', isCrlf ? text.replaceAll('\n', '\r\n') : text)).toBe(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  const scraps = fc.constantFrom(
    '{',
    '}',
    '(',
    ')',
    '`',
    '${',
    "'",
    '"',
    '/',
    '//',
    '/*',
    '*/',
    '\n',
    '\n\n',
    '  ',
    '\t',
    FENCE,
    `${FENCE}js\n`,
    '\\',
    ';',
    ',',
    'function slug(text, limit) {',
    'export ',
    'class A {',
    'slug',
    'return text;',
    'return',
    '=>',
    'const b = 2;',
    'import x from "y";',
    'def slug(text, limit):',
    ':',
    '#',
    '"""',
    'pass',
    '    return text',
    'if text:',
    '<think>',
    '</think>',
    'await x',
    'B = 2',
    '@',
    '\u{1f600}',
    '\r\n',
  );
  const junk = fc.array(scraps, { maxLength: 14 }).map((parts) => parts.join(''));

  test.each<[Language, string, string, string]>([
    ['javascript', JS, '{', '\n}\n\nexport const b = 1;\n'],
    ['typescript', JS, '{', '\n}\n\nexport const b = 1;\n'],
    ['python', PY, '"""Doc."""', '\n\n\nB = 1\n'],
  ])('scraps of %s give an untouched rest or no file', (language, source, open, rest) => {
    const head = source.slice(
      source.indexOf(language === 'python' ? 'def slug' : '/** Doc'),
      source.indexOf(open, source.indexOf('slug')) + open.length,
    );
    fc.assert(
      fc.property(junk, fc.constantFrom<AnswerStart>('whole', 'inside'), (answer, start) => {
        const result = filled(language, source, 'slug', answer, start);
        if (result.startsWith('invalid: ')) return;
        expect(result.endsWith(rest)).toBe(true);
        expect(result.startsWith(source.split('\n', 1)[0]!)).toBe(true);
        expect(result.split(head).length).toBe(2);
        expect(syntaxError(parse(language, result))).toBeNull();
      }),
      { numRuns: 200 },
    );
  });
});
