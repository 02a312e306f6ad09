import { expect, test } from 'vitest';
import { fitLogistic, logLoss, predictLeftOut, type Row } from './logistic.ts';

/** Forty rows by formula, so that another program can be given the same. */
const rows = Array.from({ length: 40 }, (_, i): Row => {
  const x = Float64Array.of(Math.sin(i * 1.7), Math.cos(i * 0.9) + 0.1 * Math.sin(i * 5));
  const p = 1 / (1 + Math.exp(0.4 - 1.2 * x[0]! + 0.7 * x[1]!));
  const share = Math.round(p * 10) / 10 + 0.2 * Math.sin(i * 3.1);
  return { x, y: Math.min(1, Math.max(0, share)) };
});

// scikit-learn 1.9.1, LogisticRegression(C=1/λ, tol=1e-12), every share as two rows weighted y and 1 − y.
test.each([
  [0.5, [-0.3537730022235931, 0.9860584218113678, -0.5801911243053969]],
  [5, [-0.3042502391392667, 0.49423488805092936, -0.28078267232756]],
  [50, [-0.2831142687286604, 0.08699681696302962, -0.04926771841821281]],
])('with penalty %d the coefficients are those of scikit-learn', (lambda, expected) => {
  const coefficients = fitLogistic(rows, lambda);
  for (const [j, value] of expected.entries()) expect(coefficients[j]).toBeCloseTo(value, 6);
});

test('a prediction with a row left out is near that of a fit without the row', () => {
  const whole = fitLogistic(rows, 2);
  const leftOut = predictLeftOut(rows, 2, whole);
  const predict = (beta: Float64Array, x: Float64Array) =>
    1 / (1 + Math.exp(-(beta[0]! + beta[1]! * x[0]! + beta[2]! * x[1]!)));
  for (const [i, { x, y }] of rows.entries()) {
    const rest = rows.filter((_, other) => other !== i);
    const exact = predict(fitLogistic(rest, 2), x);
    const step = Math.abs(exact - predict(whole, x));
    expect(Math.abs(leftOut[i]! - exact), `row ${i}, share ${y}`).toBeLessThan(0.002 + 0.1 * step);
  }
});

test('a row that counts twice is two rows, one that counts zero is none', () => {
  const weights = rows.map((_, i) => i % 3);
  const repeated = rows.flatMap((row, i) => Array.from({ length: i % 3 }, () => row));
  const weighted = fitLogistic(rows, 1, weights);
  const plain = fitLogistic(repeated, 1);
  for (const [j, value] of plain.entries()) expect(weighted[j]).toBeCloseTo(value, 8);
});

test('rows that can be told apart perfectly still have a finite fit', () => {
  const apart = Array.from({ length: 20 }, (_, i): Row => ({ x: Float64Array.of(i < 10 ? -1 : 1), y: i < 10 ? 0 : 1 }));
  const coefficients = fitLogistic(apart, 0.3);
  const leftOut = predictLeftOut(apart, 0.3, coefficients);
  expect(coefficients[1]).toBeGreaterThan(1);
  expect(coefficients.every(Number.isFinite) && leftOut.every(Number.isFinite)).toBe(true);
});

test('log loss of a share is least where the prediction is the share', () => {
  for (const p of [0.01, 0.2, 0.29, 0.31, 0.9]) expect(logLoss(0.3, p)).toBeGreaterThan(logLoss(0.3, 0.3));
});
