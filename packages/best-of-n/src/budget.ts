import type { Budget, Reservation } from '@lathe/protocol';

/** Sums of prices in dollars: differences below this are rounding. */
const ROUNDING_USD = 1e-9;

/**
 * The purse of a run. Money is set aside before a request is sent, so that what is spent and what is set aside never
 * exceed the cap together, however many requests are under way.
 */
export class RunBudget implements Budget {
  readonly #capUsd: number | null;
  #spentUsd: number;
  #reservedUsd = 0;
  #refused = false;

  /** `capUsd` null: no cap. `spentUsd`: what the run had cost before it was resumed. */
  constructor(capUsd: number | null, spentUsd = 0) {
    this.#capUsd = capUsd;
    this.#spentUsd = spentUsd;
  }

  get spentUsd(): number {
    return this.#spentUsd;
  }

  get availableUsd(): number {
    if (this.#capUsd === null) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#capUsd - this.#spentUsd - this.#reservedUsd);
  }

  /** Whether a request was not sent for want of money. */
  get refused(): boolean {
    return this.#refused;
  }

  /** @throws RangeError for an amount that is negative or not finite */
  reserve(maximumUsd: number): Reservation | null {
    requireAmount(maximumUsd);
    const total = this.#spentUsd + this.#reservedUsd + maximumUsd;
    if (this.#capUsd !== null && total > this.#capUsd + ROUNDING_USD) {
      this.#refused = true;
      return null;
    }
    this.#reservedUsd += maximumUsd;
    let open = true;
    return {
      settle: (actualUsd) => {
        requireAmount(actualUsd);
        if (!open) return;
        open = false;
        this.#reservedUsd = Math.max(0, this.#reservedUsd - maximumUsd);
        this.#spentUsd += actualUsd;
      },
    };
  }
}

function requireAmount(usd: number): void {
  if (!Number.isFinite(usd) || usd < 0) throw new RangeError(`expected an amount of 0 or more dollars, got ${usd}`);
}
