import assert from 'node:assert/strict';
import { test } from 'node:test';
import { largest } from '../src/lists.js';

test('the largest number wins wherever it stands', () => {
  assert.equal(largest([3, 9, 2]), 9);
  assert.equal(largest([9, 3, 2]), 9);
  assert.equal(largest([2, 3, 9]), 9);
});

test('a single number is the largest', () => {
  assert.equal(largest([4]), 4);
});

test('negative numbers and fractions', () => {
  assert.equal(largest([-5, -1, -3]), -1);
  assert.equal(largest([0.25, 0.5]), 0.5);
});
