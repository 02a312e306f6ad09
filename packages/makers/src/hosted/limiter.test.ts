import { describe, expect, it } from 'vitest';
import { SimulatedClock } from './__fixtures__/clocks.ts';
import { type Attempt, RequestLimiter } from './limiter.ts';

const signal = new AbortController().signal;
const busy = (retryAfterMs: number | null = null): Attempt<never> => ({ again: { reason: '429 busy', retryAfterMs } });

/** Simulated server: refuses while `refuses` says so, after 10 ms; else answers after 200 ms. */
function simulate(clock: SimulatedClock, refuses: (nowMs: number, count: number) => Attempt<never> | null) {
  const startsMs: number[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  const attempt = async (): Promise<Attempt<string>> => {
    const refusal = refuses(clock.nowMs(), startsMs.length);
    startsMs.push(clock.nowMs());
    underWay += 1;
    mostUnderWay = Math.max(mostUnderWay, underWay);
    await clock.sleep(refusal === null ? 200 : 10);
    underWay -= 1;
    return refusal ?? { done: 'answer' };
  };
  return {
    attempt,
    startsMs,
    get mostUnderWay() {
      return mostUnderWay;
    },
  };
}

function perMoment(timesMs: readonly number[]): [number, number][] {
  const counts = new Map<number, number>();
  for (const timeMs of timesMs) counts.set(timeMs, (counts.get(timeMs) ?? 0) + 1);
  return [...counts];
}

describe('RequestLimiter', () => {
  it('never has more requests under way than its concurrency', async () => {
    const clock = new SimulatedClock();
    const limiter = new RequestLimiter({ concurrency: 4, clock });
    const server = simulate(clock, () => null);
    await clock.run(Promise.all(Array.from({ length: 20 }, () => limiter.send(server.attempt, { signal }))));
    expect(server.startsMs).toHaveLength(20);
    expect(server.mostUnderWay).toBe(4);
  });

  it('backs off as one: no request starts during a wait, and each wave is half of the last', async () => {
    const clock = new SimulatedClock();
    const limiter = new RequestLimiter({ concurrency: 10, baseDelayMs: 1_000, clock, random: () => 0.5 });
    const server = simulate(clock, (nowMs) => (nowMs < 5_000 ? busy() : null));
    const results = await clock.run(
      Promise.all(Array.from({ length: 10 }, () => limiter.send(server.attempt, { signal }))),
    );
    expect(results).toEqual(Array(10).fill({ done: 'answer' }));
    // Waits of 0.5 · 1000 · 2^k after each refusal, which takes 10 ms.
    expect(perMoment(server.startsMs).slice(0, 5)).toEqual([
      [0, 10],
      [510, 5],
      [1_520, 2],
      [3_530, 1],
      [7_540, 1],
    ]);
    expect(limiter.window).toBeGreaterThan(1);
  });

  it('lets one place more start after each success, up to the concurrency', async () => {
    const clock = new SimulatedClock();
    const limiter = new RequestLimiter({ concurrency: 6, clock, random: () => 0 });
    const server = simulate(clock, (_, count) => (count < 6 ? busy() : null));
    await clock.run(Promise.all(Array.from({ length: 30 }, () => limiter.send(server.attempt, { signal }))));
    expect(perMoment(server.startsMs.slice(6))[0]![1]).toBe(3);
    expect(limiter.window).toBe(6);
  });

  it('waits as long as the longest Retry-After of a wave, and jitter on top', async () => {
    const clock = new SimulatedClock();
    const limiter = new RequestLimiter({ baseDelayMs: 1_000, clock, random: () => 0.25 });
    const server = simulate(clock, (_, count) => (count < 3 ? busy(1_000 * (count + 1)) : null));
    await clock.run(Promise.all([1, 2, 3].map(() => limiter.send(server.attempt, { signal }))));
    expect(server.startsMs.slice(0, 3)).toEqual([0, 0, 0]);
    expect(server.startsMs[3]).toBe(10 + 3_000 + 250);
  });

  it('counts refusals of requests that were under way together as one wave', async () => {
    const clock = new SimulatedClock();
    const limiter = new RequestLimiter({ concurrency: 8, baseDelayMs: 100, clock, random: () => 0.5 });
    const server = simulate(clock, (nowMs) => (nowMs === 0 ? busy() : null));
    await clock.run(Promise.all(Array.from({ length: 8 }, () => limiter.send(server.attempt, { signal }))));
    expect(server.startsMs[8]).toBe(10 + 50);
  });

  it('gives up after its attempts, and the others go on', async () => {
    const clock = new SimulatedClock();
    const limiter = new RequestLimiter({ concurrency: 2, maxAttempts: 3, clock });
    const always = simulate(clock, () => busy());
    const never = simulate(clock, () => null);
    const [refused, ...served] = await clock.run(
      Promise.all([always, never, never, never].map(({ attempt }) => limiter.send(attempt, { signal }))),
    );
    expect(refused).toEqual({ gaveUp: '429 busy (3 attempts)' });
    expect(always.startsMs).toHaveLength(3);
    expect(served).toEqual(Array(3).fill({ done: 'answer' }));
  });

  it('does not wait for a server that wants to be left alone for an hour', async () => {
    const clock = new SimulatedClock();
    const limiter = new RequestLimiter({ clock });
    const server = simulate(clock, () => busy(3_600_000));
    const results = await clock.run(
      Promise.all(Array.from({ length: 15 }, () => limiter.send(server.attempt, { signal }))),
    );
    expect(results).toEqual(Array(15).fill({ gaveUp: '429 busy; the server asks for a wait of 3600 s' }));
    expect(server.startsMs).toHaveLength(15);
    expect(clock.nowMs()).toBeLessThan(300_000);
  });

  it('ends a wait at once when its request is cancelled, and leaves no timer behind', async () => {
    const clock = new SimulatedClock();
    const limiter = new RequestLimiter({ clock, random: () => 0.5 });
    const abort = new AbortController();
    const sent = limiter.send(async () => busy(60_000), {
      signal: abort.signal,
      onWait: () => abort.abort(new Error('stop')),
    });
    await expect(sent).rejects.toThrow('stop');
    expect(clock.sleepers).toBe(0);
    // The wait the server asked for still holds for what comes next.
    const later = simulate(clock, () => null);
    await clock.run(limiter.send(later.attempt, { signal }));
    expect(later.startsMs[0]).toBeGreaterThanOrEqual(60_000);
  });

  it('passes on what an attempt throws, without another attempt', async () => {
    const limiter = new RequestLimiter();
    let attempts = 0;
    const sent = limiter.send(
      async () => {
        attempts += 1;
        throw new Error('wrong key');
      },
      { signal },
    );
    await expect(sent).rejects.toThrow('wrong key');
    expect(attempts).toBe(1);
  });
});
