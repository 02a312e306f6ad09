/** Wall time during which at least one of several overlapping activities is under way. */
export class Stopwatch {
  readonly #clock: () => number;
  #running = 0;
  #since = 0;
  #totalMs = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  get totalMs(): number {
    return this.#totalMs + (this.#running > 0 ? this.#clock() - this.#since : 0);
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running === 0) this.#since = this.#clock();
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#totalMs += this.#clock() - this.#since;
    }
  }
}
