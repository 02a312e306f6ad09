import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../limiter.ts';

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

/** Simulated time: it moves to the next sleeper's hour when nothing else is left to do. No real input or output. */
export class SimulatedClock implements Clock {
  #nowMs = 0;
  #sleepers: Sleeper[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  get sleepers(): number {
    return this.#sleepers.length;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { untilMs: this.#nowMs + durationMs, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        reject(signal.reason);
      });
    });
  }

  /** Runs until the promise settles. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    for (;;) {
      for (let turn = 0; turn < 5; turn++) await nextTurn();
      if (settled) return promise;
      const [next] = this.#sleepers.sort((a, b) => a.untilMs - b.untilMs);
      if (next === undefined) throw new Error('nothing is left to do, and the promise has not settled');
      this.#sleepers.shift();
      this.#nowMs = Math.max(this.#nowMs, next.untilMs);
      next.wake();
    }
  }
}

/** Time that passes only by sleeping, at once: for tests with real servers. */
export class InstantClock implements Clock {
  #nowMs = 0;
  readonly #mayPass: () => boolean;

  /** `mayPass`: what has to be true before time goes on. */
  constructor(mayPass: () => boolean = () => true) {
    this.#mayPass = mayPass;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    while (!this.#mayPass()) await nextTurn();
    signal.throwIfAborted();
    this.#nowMs += durationMs;
  }
}
