import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPalindrome } from '../src/text.js';

test('words that read the same backwards', () => {
  assert.equal(isPalindrome('level'), true);
  assert.equal(isPalindrome('abba'), true);
});

test('words that do not', () => {
  assert.equal(isPalindrome('hello'), false);
  assert.equal(isPalindrome('ab'), false);
  assert.equal(isPalindrome('abca'), false);
});

test('nothing, and one letter', () => {
  assert.equal(isPalindrome(''), true);
  assert.equal(isPalindrome('a'), true);
});
