import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constantBytes, longestOutput } from '../analyses/c-memory.ts';
import { functionsOf } from '../analyses/functions.ts';
import { editDistance, looksLike } from '../dependencies/look-alike.ts';
import type { SourceFile } from '../finding.ts';
import { parseFile } from '../rules/parsed-file.ts';
import { entropyBits } from '../scanners/secrets.ts';
import { cognitiveComplexity } from './cognitive.ts';
import { repeatsCode } from './comments.ts';
import { duplicatesIn, indexOf } from './duplication.ts';

describe('cognitive complexity', () => {
  const of = (code: string, language: 'javascript' | 'python' = 'javascript'): number =>
    cognitiveComplexity(functionsOf(parseFile('a', code, language))[0]!);

  it('gives the values of the examples in the paper it is from', () => {
    // "sumOfPrimes" and "getWords" of Cognitive Complexity, SonarSource.
    expect(
      of(
        'function sumOfPrimes(max) { let total = 0; OUT: for (let i = 1; i <= max; ++i) { for (let j = 2; j < i; ++j) { if (i % j === 0) { continue OUT; } } total += i; } return total; }',
      ),
    ).toBe(7);
    expect(
      of(
        "function getWords(number) { switch (number) { case 1: return 'one'; case 2: return 'a couple'; default: return 'lots'; } }",
      ),
    ).toBe(1);
  });

  it('counts runs of one operator once, and an else if without nesting', () => {
    expect(of('function f(a, b, c, d) { if (a && b && c || d) {} else if (b) {} else {} }')).toBe(5);
    expect(
      of('def f(a, b):\n    if a and b:\n        pass\n    elif b:\n        pass\n    else:\n        pass\n', 'python'),
    ).toBe(4);
  });
});

describe('duplicates', () => {
  const file = (path: string, lines: readonly string[]): SourceFile => ({
    path,
    text: lines.join('\n'),
    language: 'javascript',
  });
  const block = ['const a = one();', 'const b = two(a);', 'three(a, b);', 'four(b);', 'five(a);'];

  it('finds five lines whatever their indentation, blank lines and comments between them', () => {
    const other = ['before();', ...block.flatMap((line) => [`    ${line}`, '', '// why']), 'after();'];
    expect(duplicatesIn(indexOf([file('a.js', block)], 5), [file('b.js', other)])).toEqual([
      { path: 'b.js', from: 2, to: 14, otherPath: 'a.js', otherFrom: 1, otherTo: 5 },
    ]);
  });

  it('leaves four lines alone', () => {
    expect(duplicatesIn(indexOf([file('a.js', block)], 5), [file('b.js', [...block.slice(0, 4), 'other();'])])).toEqual(
      [],
    );
  });

  it('does not compare a file with its own older version', () => {
    expect(duplicatesIn(indexOf([file('a.js', block)], 5), [file('a.js', ['first();', ...block])])).toEqual([]);
  });

  it('finds every block that was put into random lines twice', () => {
    const lines = fc.array(
      fc.integer({ min: 0, max: 1e9 }).map((n) => `line(${n});`),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(
        lines,
        lines,
        fc.array(
          fc.integer({ min: 0, max: 1e9 }).map((n) => `block${n}();`),
          { minLength: 5, maxLength: 9 },
        ),
        (before, after, copied) => {
          fc.pre(new Set(copied).size === copied.length);
          const found = duplicatesIn(indexOf([file('a.js', [...after, ...copied])], 5), [
            file('b.js', [...before, ...copied]),
          ]);
          return found.some((one) => one.otherPath === 'a.js' && one.to - one.from + 1 >= copied.length);
        },
      ),
    );
  });
});

describe('comments', () => {
  it.each([
    ['return the result', 'return result;', true],
    ['increment the counter', 'counter += 1', true],
    ['loop over users', 'for (const user of users) {', true],
    ['create a new map', 'const map = new Map();', true],
    ['the server counts from one', 'index + 1', false],
    ['because the server counts index from one', 'index', false],
    ['TODO return the result', 'return result;', false],
    ['retries stop after the third refusal', 'if (count > 3) stop();', false],
  ])('%s / %s', (comment, code, repeats) => {
    expect(repeatsCode(comment, code)).toBe(repeats);
  });
});

describe('names', () => {
  it.each([
    ['expresss', 'express'],
    ['reqeusts', 'requests'],
    ['crossenv', 'cross-env'],
    ['express', null],
    ['preact', null],
    ['@scope/expres', null],
    ['ws', null],
  ])('%s looks like %s', (name, other) => {
    expect(looksLike(name, ['express', 'requests', 'cross-env', 'chalk'])).toBe(other);
  });

  it('has a distance that is a metric on single edits', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, a.slice(1))).toBe(1);
      }),
    );
  });
});

describe('sizes in C', () => {
  it.each([
    ['%d', 12],
    ["%'d", 15],
    ['%d,%03d', null],
    ['%s', Number.POSITIVE_INFINITY],
    ['ok%c', 4],
    ['%lld', 21],
  ])('%s takes %s bytes', (format, bytes) => {
    expect(longestOutput(format)).toBe(bytes);
  });

  it.each([
    ['12', 12],
    ['sizeof(char) * 12', 12],
    ['4 * sizeof(int)', 16],
    ['2 * 3 + 1', 7],
    ['n + 1', null],
  ])('malloc(%s) is %s bytes', (expression, bytes) => {
    expect(constantBytes(expression)).toBe(bytes);
  });
});

it('measures randomness in bits a character', () => {
  expect(entropyBits('aaaa')).toBe(0);
  expect(entropyBits('0123456789abcdef')).toBe(4);
});
