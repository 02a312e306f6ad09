import type { Budget, Reservation } from '@lathe/protocol';

/** The money of one request, over all its attempts. */
export class Purse {
  readonly maximumUsd: number;
  #reservation: Reservation | null;
  #lostUsd = 0;

  constructor(reservation: Reservation, maximumUsd: number) {
    this.#reservation = reservation;
    this.maximumUsd = maximumUsd;
  }

  /** Sets money aside again after an attempt that may have cost it. */
  refill(budget: Budget): boolean {
    this.#reservation ??= budget.reserve(this.maximumUsd);
    return this.#reservation !== null;
  }

  settle(actualUsd: number): number {
    this.#reservation?.settle(actualUsd);
    this.#reservation = null;
    return actualUsd;
  }

  /** Nobody knows what the attempt cost: all of it counts as spent. */
  lose(): void {
    this.#lostUsd += this.settle(this.maximumUsd);
  }

  takeLostUsd(): number {
    const lostUsd = this.#lostUsd;
    this.#lostUsd = 0;
    return lostUsd;
  }
}
