import { expect, test } from 'vitest';
import { plainLine, plainText } from './plain-text.ts';

test.each([
  ['a colour', '\u001b[31mred\u001b[0m', 'red'],
  ['a screen that is cleared', 'a\u001b[2J\u001b[Hb', 'ab'],
  ['a window title', '\u001b]0;owned\u0007text', 'text'],
  ['a link', '\u001b]8;;https://example.org\u0007here\u001b]8;;\u0007', 'here'],
  ['a backspace', 'ab\bc', 'ab\ufffdc'],
  ['a lone carriage return', 'safe\rrm', 'safe\ufffdrm'],
  ['a bidirectional override', 'a\u202eb', 'a\ufffdb'],
  ['an eight-bit control', 'a\u009b31mb', 'ab'],
])('takes out %s', (_what, hostile, shown) => {
  expect(plainText(hostile)).toBe(shown);
});

test('tabs, line ends and every script stay', () => {
  expect(plainText('a\tb\r\nc — 漢字 🦊')).toBe('a\tb\nc — 漢字 🦊');
});

test('a line has single spaces and no line end', () => {
  expect(plainLine('  a\n\n\tb  c ')).toBe('a b c');
});
