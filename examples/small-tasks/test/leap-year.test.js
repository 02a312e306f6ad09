import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLeapYear } from '../src/dates.js';

test('every fourth year', () => {
  assert.equal(isLeapYear(2024), true);
  assert.equal(isLeapYear(2023), false);
  assert.equal(isLeapYear(2022), false);
});

test('but not every hundredth', () => {
  assert.equal(isLeapYear(1900), false);
  assert.equal(isLeapYear(2100), false);
});

test('and yet every four hundredth', () => {
  assert.equal(isLeapYear(2000), true);
  assert.equal(isLeapYear(1600), true);
});
