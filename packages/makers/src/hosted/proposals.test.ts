import fc from 'fast-check';
import { expect, it } from 'vitest';
import { shares } from './proposals.ts';

it('shares are whole, sum to the total, and are within one of the exact proportion', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000_000 }), weights, (total, all) => {
      const parts = shares(total, all);
      const sum = all.reduce((a, b) => a + b, 0);
      expect(parts.reduce((a, b) => a + b, 0)).toBe(total);
      for (const [at, part] of parts.entries()) {
        expect(Number.isInteger(part)).toBe(true);
        expect(Math.abs(part - (total * all[at]!) / sum)).toBeLessThan(1.000001);
      }
    }),
  );
});
