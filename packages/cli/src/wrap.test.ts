import { expect, test } from 'vitest';
import { wrapLine } from './wrap.ts';

test('breaks between words, and lets what follows begin below the text', () => {
  expect(wrapLine('  churn      a b c d e f g h i j k l', 33, 13)).toEqual([
    '  churn      a b c d e f g h i j',
    '             k l',
  ]);
  expect(wrapLine('  short', 80, 2)).toEqual(['  short']);
});

test('a terminal too narrow for words is not followed', () => {
  expect(wrapLine('– one two three four five', 5, 2)).toEqual(['– one two three four', '  five']);
});
