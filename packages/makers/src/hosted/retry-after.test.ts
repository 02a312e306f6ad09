import { expect, it } from 'vitest';
import { retryAfterMs } from './retry-after.ts';

const nowMs = Date.parse('2026-11-24T10:00:00Z');

it.each([
  ['seconds', { 'retry-after': '7' }, 7_000],
  ['fractions of a second', { 'retry-after': '0.5' }, 500],
  ['an HTTP date', { 'retry-after': 'Tue, 24 Nov 2026 10:01:30 GMT' }, 90_000],
  ['a date that has passed', { 'retry-after': 'Tue, 24 Nov 2026 09:00:00 GMT' }, 0],
  ['milliseconds, before seconds', { 'retry-after-ms': '250', 'retry-after': '1' }, 250],
  ['seconds, where the milliseconds are none', { 'retry-after-ms': 'soon', 'retry-after': '2' }, 2_000],
  ['nothing it can read', { 'retry-after': 'later' }, null],
  ['a negative number', { 'retry-after': '-5' }, null],
  ['no header', {}, null],
])('reads %s', (_, headers, expected) => {
  expect(retryAfterMs(headers, nowMs)).toBe(expected);
});

it('reads nothing from an answer without headers', () => {
  expect(retryAfterMs(undefined, nowMs)).toBeNull();
});
