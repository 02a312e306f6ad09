import PQueue from 'p-queue';

/** Time as the limiter sees it; tests give their own. */
export interface Clock {
  nowMs(): number;
  /** Rejects with the signal's reason when that aborts. */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
}

export interface LimiterOptions {
  /** Requests under way at one time, all makers together. */
  readonly concurrency?: number;
  /** How often one request is sent at most. */
  readonly maxAttempts?: number;
  /** Upper bound of the first wait; it doubles with every further wave of refusals. */
  readonly baseDelayMs?: number;
  /** Upper bound of every wait that no server asked for. */
  readonly maxDelayMs?: number;
  /** A server that asks for a longer wait than this is not waited for. */
  readonly maxRetryAfterMs?: number;
  readonly clock?: Clock;
  /** Uniform on [0, 1). */
  readonly random?: () => number;
}

/** What one attempt came to. `again`: the server is busy or out of reach, and the request may be sent once more. */
export type Attempt<T> =
  | { readonly done: T }
  | { readonly again: { readonly reason: string; readonly retryAfterMs: number | null } };

export type Limited<T> = { readonly done: T } | { readonly gaveUp: string };

export interface LimitedRequest {
  readonly signal: AbortSignal;
  /** Told when the request starts to wait for its turn after a refusal. */
  readonly onWait?: (reason: string, delayMs: number) => void;
  /** Fewer attempts than the limiter's own bound. */
  readonly maxAttempts?: number;
}

/**
 * One gate for all requests of a run. A refusal (429, 5xx, overloaded, network) of one is news for all: no request
 * starts before the wait is over, and half as many as before may then be under way; every success gives one place
 * back. Additive increase and multiplicative decrease are TCP's (Chiu and Jain 1989); the wait is "full jitter", uniform
 * between 0 and the doubling bound (Brooker, "Exponential Backoff and Jitter", 2015), on top of what Retry-After asks.
 * Refusals of requests that started before the last wait began belong to the same wave: they lengthen the wait where
 * the server asks for it, and neither double the bound nor halve the window again.
 */
export class RequestLimiter {
  readonly #queue: PQueue;
  readonly #concurrency: number;
  readonly #maxAttempts: number;
  readonly #baseDelayMs: number;
  readonly #maxDelayMs: number;
  readonly #maxRetryAfterMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  #closedUntilMs = Number.NEGATIVE_INFINITY;
  /** Waves of refusals so far, and in a row. */
  #waves = 0;
  #wavesInARow = 0;
  /** Requests in `send`, and the wait they share. */
  #requests = 0;
  #wait: AbortController | null = null;

  constructor(options: LimiterOptions = {}) {
    this.#concurrency = options.concurrency ?? 10;
    this.#maxAttempts = options.maxAttempts ?? 8;
    this.#baseDelayMs = options.baseDelayMs ?? 1_000;
    this.#maxDelayMs = options.maxDelayMs ?? 60_000;
    this.#maxRetryAfterMs = options.maxRetryAfterMs ?? 300_000;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? Math.random;
    this.#queue = new PQueue({ concurrency: this.#concurrency });
  }

  /** Requests that may be under way now. */
  get window(): number {
    return this.#queue.concurrency;
  }

  get clock(): Clock {
    return this.#clock;
  }

  /**
   * Sends a request in its turn, again where it was refused, until it is done or out of attempts. Rejects where
   * `attempt` does, and with the signal's reason.
   */
  async send<T>(attempt: () => Promise<Attempt<T>>, request: LimitedRequest): Promise<Limited<T>> {
    const attempts = Math.min(request.maxAttempts ?? this.#maxAttempts, this.#maxAttempts);
    this.#requests += 1;
    try {
      for (let count = 1; ; count++) {
        this.#open();
        // A request that has waited once goes before those that have not been sent.
        const options = { signal: request.signal, priority: count };
        const outcome = await this.#queue.add(() => this.#once(attempt), options);
        if ('done' in outcome) return outcome;
        const { reason, retryAfterMs } = outcome.again;
        if (retryAfterMs !== null && retryAfterMs > this.#maxRetryAfterMs)
          return { gaveUp: `${reason}; the server asks for a wait of ${Math.ceil(retryAfterMs / 1000)} s` };
        if (count >= attempts) return { gaveUp: attempts === 1 ? reason : `${reason} (${attempts} attempts)` };
        request.onWait?.(reason, Math.max(0, this.#closedUntilMs - this.#clock.nowMs()));
      }
    } finally {
      this.#requests -= 1;
      // Nobody waits any more: the timer must not keep the process alive.
      if (this.#requests === 0) this.#wait?.abort();
    }
  }

  async #once<T>(attempt: () => Promise<Attempt<T>>): Promise<Attempt<T>> {
    const startedInWave = this.#waves;
    const outcome = await attempt();
    if ('done' in outcome) this.#succeeded();
    else this.#refused(startedInWave, outcome.again.retryAfterMs);
    return outcome;
  }

  #succeeded(): void {
    if (this.#queue.isPaused) return;
    this.#wavesInARow = 0;
    if (this.#queue.concurrency < this.#concurrency) this.#queue.concurrency += 1;
  }

  #refused(startedInWave: number, retryAfterMs: number | null): void {
    const isNewWave = startedInWave === this.#waves;
    if (isNewWave) {
      this.#waves += 1;
      this.#wavesInARow += 1;
      this.#queue.concurrency = Math.max(1, Math.floor(this.#queue.concurrency / 2));
    }
    if (isNewWave || retryAfterMs !== null) {
      const bound = Math.min(this.#maxDelayMs, this.#baseDelayMs * 2 ** (this.#wavesInARow - 1));
      // A wait too long to be waited for: the others are to learn of it soon.
      const asked = retryAfterMs === null || retryAfterMs > this.#maxRetryAfterMs ? 0 : retryAfterMs;
      this.#closedUntilMs = Math.max(this.#closedUntilMs, this.#clock.nowMs() + asked + this.#random() * bound);
    }
    this.#queue.pause();
    this.#open();
  }

  /** Lets requests start again once the wait is over. */
  #open(): void {
    if (!this.#queue.isPaused || this.#wait !== null) return;
    const wait = new AbortController();
    this.#wait = wait;
    void this.#untilOpen(wait.signal)
      .then(
        () => this.#queue.start(),
        () => {},
      )
      .finally(() => {
        this.#wait = null;
        if (this.#requests > 0) this.#open();
      });
  }

  async #untilOpen(signal: AbortSignal): Promise<void> {
    for (;;) {
      const leftMs = this.#closedUntilMs - this.#clock.nowMs();
      if (leftMs <= 0) return;
      await this.#clock.sleep(leftMs, signal);
    }
  }
}

const realClock: Clock = {
  nowMs: () => Date.now(),
  async sleep(durationMs, signal) {
    const { setTimeout } = await import('node:timers/promises');
    await setTimeout(durationMs, undefined, { signal });
  },
};
