import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RunBudget } from './budget.ts';

const cents = fc.integer({ min: 0, max: 300 }).map((n) => n / 100);

test('whatever is reserved and settled in whatever order, spent and reserved stay within the cap', () => {
  const step = fc.record({
    reserve: cents,
    settleAfter: fc.nat({ max: 5 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(cents, fc.array(step, { maxLength: 60 }), (cap, steps) => {
      const budget = new RunBudget(cap);
      const open: { maximum: number; actual: number; settle: (usd: number) => void; due: number }[] = [];
      let spent = 0;
      for (const [now, { reserve, settleAfter, share }] of steps.entries()) {
        for (const one of open.filter(({ due }) => due <= now)) {
          one.settle(one.actual);
          spent += one.actual;
          open.splice(open.indexOf(one), 1);
        }
        const outstanding = open.reduce((sum, { maximum }) => sum + maximum, 0);
        const reservation = budget.reserve(reserve);
        expect(reservation !== null).toBe(spent + outstanding + reserve <= cap + 1e-9);
        if (reservation !== null) {
          open.push({
            maximum: reserve,
            actual: reserve * share,
            settle: reservation.settle,
            due: now + 1 + settleAfter,
          });
        }
        expect(budget.spentUsd + open.reduce((sum, { maximum }) => sum + maximum, 0)).toBeLessThanOrEqual(cap + 1e-6);
      }
      expect(budget.spentUsd).toBeCloseTo(spent, 6);
    }),
  );
});

test('many requests under way at once do not spend more than the cap', async () => {
  const budget = new RunBudget(1);
  let charged = 0;
  const request = async (i: number) => {
    const reservation = budget.reserve(0.15);
    if (reservation === null) return false;
    await new Promise((resolve) => setTimeout(resolve, i % 3));
    charged += 0.1;
    reservation.settle(0.1);
    return true;
  };
  const sent = await Promise.all(Array.from({ length: 30 }, (_, i) => request(i)));
  expect(sent.filter(Boolean)).toHaveLength(6);
  expect(charged).toBeLessThanOrEqual(1);
  expect(budget.refused).toBe(true);
});

test('settling twice counts once, and settling low gives room back', () => {
  const budget = new RunBudget(1);
  const first = budget.reserve(1);
  expect(budget.reserve(0.5)).toBeNull();
  first?.settle(0.25);
  first?.settle(0.25);
  expect(budget.spentUsd).toBe(0.25);
  expect(budget.reserve(0.75)).not.toBeNull();
});

test('a resumed run starts from what it had spent', () => {
  const budget = new RunBudget(1, 0.9);
  expect(budget.reserve(0.2)).toBeNull();
  expect(budget.reserve(0.1)).not.toBeNull();
});

test('without a cap nothing is refused; a cap of nothing lets what is free pass', () => {
  expect(new RunBudget(null).reserve(1e9)).not.toBeNull();
  expect(new RunBudget(0).reserve(0)).not.toBeNull();
  expect(new RunBudget(0).reserve(0.000001)).toBeNull();
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, -1])('an amount of %d is a mistake of the caller', (usd) => {
  expect(() => new RunBudget(1).reserve(usd)).toThrow(RangeError);
  expect(() => new RunBudget(null).reserve(1)?.settle(usd)).toThrow(RangeError);
});
