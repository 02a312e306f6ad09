import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, test } from 'vitest';
import { FEWEST_OBSERVATIONS, type Observation, predictChurn } from './predict-churn.ts';

/** Observations whose churn follows from `signals.tells` alone; `noise` has nothing to do with it. */
function drawObservations(count: number, seed: number, strength: number): Observation[] {
  const random = xoroshiro128plus(seed);
  const uniform = () => uniformInt(random, 0, 999_999) / 1_000_000;
  return Array.from({ length: count }, () => {
    const tells = 4 * uniform() - 2;
    const watched = 3 + Math.floor(20 * uniform());
    // Lines of one commit stand or fall together: its own share first, then its lines.
    const share = uniform() < 1 / (1 + Math.exp(1 - strength * tells)) ? 0.7 : 0.02;
    const churned = Array.from({ length: watched }, uniform).filter((u) => u < share).length;
    return { watched, churned, signals: { tells, noise: uniform(), reversed: -tells + uniform(), always: 1 } };
  });
}

describe('predicting churn', () => {
  test('names the signal that brings churn, not the one that has nothing to do with it', () => {
    const { signals, skill, constant, tooFew } = predictChurn(drawObservations(400, 1, 1.5));
    expect(tooFew).toBeNull();
    expect(constant).toEqual(['always']);
    const by = Object.fromEntries(signals.map((one) => [one.signal, one]));
    expect(by.tells!.verdict).toBe('more churn');
    expect(by.tells!.oddsRatio.value).toBeGreaterThan(1.5);
    expect(by.noise!.verdict).toBe('not told');
    expect(signals[0]!.signal).toBe('tells');
    expect(skill!.low).toBeGreaterThan(0);
  });

  test('a signal that only goes along with another says more alone than beside it', () => {
    const { signals } = predictChurn(drawObservations(400, 2, 1.5));
    const { alone, oddsRatio } = signals.find(({ signal }) => signal === 'reversed')!;
    expect(alone.high).toBeLessThan(1);
    expect(Math.abs(Math.log(oddsRatio.value))).toBeLessThan(Math.abs(Math.log(alone.value)));
  });

  test('where nothing tells, about one interval in twenty misses 1 and there is no skill', () => {
    let told = 0;
    let skilled = 0;
    for (let seed = 0; seed < 20; seed += 1) {
      const blind = drawObservations(120, 100 + seed, 0);
      const { signals, skill } = predictChurn(blind);
      told += signals.filter(({ verdict }) => verdict !== 'not told').length;
      skilled += skill!.low! > 0 ? 1 : 0;
    }
    expect(told).toBeLessThanOrEqual(8);
    expect(skilled).toBeLessThanOrEqual(2);
  });

  test('too few says so, with what there is', () => {
    const few = predictChurn(drawObservations(FEWEST_OBSERVATIONS - 1, 3, 1));
    expect(few).toMatchObject({ observations: 29, signals: [], skill: null, penalty: null });
    expect(few.tooFew).toMatch(/^29 .*at least 30/);
    const calm = drawObservations(50, 4, 1).map((one, i) => ({ ...one, churned: i < 3 ? 1 : 0 }));
    expect(predictChurn(calm).tooFew).toMatch(/^3 with and 47 without/);
    expect(predictChurn([]).tooFew).not.toBeNull();
  });

  test('what was not measured counts as the mean; a signal hardly anybody has is left out', () => {
    const some = drawObservations(200, 5, 1.5).map((one, i) => ({
      ...one,
      signals: { ...one.signals, tells: i % 4 === 0 ? null : one.signals.tells!, rare: i < 40 ? i : null },
    }));
    const { signals, constant } = predictChurn(some);
    expect(constant).toContain('rare');
    expect(signals.find(({ signal }) => signal === 'tells')!.verdict).toBe('more churn');
  });

  test('the same observations give the same answer', () => {
    const observations = drawObservations(60, 6, 1);
    expect(predictChurn(observations)).toEqual(predictChurn(observations));
  });
});
