import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factorial } from '../src/numbers.js';

test('products of the first whole numbers', () => {
  assert.equal(factorial(1), 1);
  assert.equal(factorial(2), 2);
  assert.equal(factorial(5), 120);
  assert.equal(factorial(10), 3_628_800);
});

test('the empty product', () => {
  assert.equal(factorial(0), 1);
});
