/** "Not back within two weeks". */
export const RECALL_DAYS = 14;
const RECALL_SECONDS = RECALL_DAYS * 86_400;
/** Entries below which nothing is gained by forgetting any. */
const FEWEST_TO_EXPIRE = 20_000;

/** A line taken out: its record, and the commit that did it, by position in the walk. */
export interface Removal {
  readonly record: number;
  readonly commit: number;
}

/**
 * Lines taken out lately, by content, each of which one later line may claim as its origin. A hash table over columns:
 * two weeks of a busy history are a hundred thousand lines, and as objects they were most of what had to be collected.
 */
export class RecallPool {
  #hash = new Float64Array(FEWEST_TO_EXPIRE);
  #time = new Float64Array(FEWEST_TO_EXPIRE);
  /** −1 where it was claimed. */
  #record = new Int32Array(FEWEST_TO_EXPIRE);
  #commit = new Int32Array(FEWEST_TO_EXPIRE);
  /** The removal before this one of the same content, −1 for none. */
  #earlier = new Int32Array(FEWEST_TO_EXPIRE);
  #length = 0;
  #expireAt = FEWEST_TO_EXPIRE;
  /** The latest removal of a content plus one, at the content's slot; 0 where the slot is free. */
  #slots = new Int32Array(1 << 16);

  /** `time`: seconds since the epoch. */
  add(hash: number, { record, commit }: Removal, time: number): void {
    if (this.#length === this.#hash.length) this.#grow();
    const at = this.#length++;
    const slot = this.#slot(hash);
    this.#hash[at] = hash;
    this.#time[at] = time;
    this.#record[at] = record;
    this.#commit[at] = commit;
    this.#earlier[at] = this.#slots[slot] - 1;
    this.#slots[slot] = at + 1;
  }

  /** The latest removal of this content within the window, or null. It is given once. */
  claim(hash: number, time: number): Removal | null {
    const slot = this.#slot(hash);
    let later = -1;
    for (let at = this.#slots[slot] - 1; at >= 0; at = this.#earlier[at]) {
      if (this.#record[at] < 0 || Math.abs(time - this.#time[at]) > RECALL_SECONDS) {
        later = at;
        continue;
      }
      // The last one stays, claimed: a slot that became free would hide the contents that were put behind it.
      if (later >= 0) this.#earlier[later] = this.#earlier[at];
      else if (this.#earlier[at] >= 0) this.#slots[slot] = this.#earlier[at] + 1;
      const removal = { record: this.#record[at], commit: this.#commit[at] };
      this.#record[at] = -1;
      return removal;
    }
    return null;
  }

  /** Forgets what is too old to come back, once in a while. */
  expire(time: number): void {
    if (this.#length < this.#expireAt) return;
    const oldest = time - RECALL_SECONDS;
    let kept = 0;
    for (let at = 0; at < this.#length; at++) {
      if (this.#record[at] < 0 || this.#time[at] < oldest) continue;
      this.#hash[kept] = this.#hash[at];
      this.#time[kept] = this.#time[at];
      this.#record[kept] = this.#record[at];
      this.#commit[kept] = this.#commit[at];
      kept++;
    }
    this.#length = kept;
    this.#expireAt = Math.max(FEWEST_TO_EXPIRE, 2 * kept);
    this.#index();
  }

  /** What a cache stores. */
  columns() {
    const length = this.#length;
    return {
      hash: this.#hash.subarray(0, length),
      time: this.#time.subarray(0, length),
      record: this.#record.subarray(0, length),
      commit: this.#commit.subarray(0, length),
    };
  }

  static from({ hash, time, record, commit }: ReturnType<RecallPool['columns']>): RecallPool {
    const pool = new RecallPool();
    for (let i = 0; i < hash.length; i++) {
      if (record[i] >= 0) pool.add(hash[i], { record: record[i], commit: commit[i] }, time[i]);
    }
    return pool;
  }

  /** Where this content's removals hang, or the free slot where they would. */
  #slot(hash: number): number {
    const mask = this.#slots.length - 1;
    // Both halves of the hash, or contents that differ in the upper one alone would crowd together.
    let slot = Math.imul((hash >>> 0) ^ Math.floor(hash / 0x100000000), 0x9e3779b1) >>> 7;
    for (;;) {
      slot &= mask;
      const head = this.#slots[slot];
      if (head === 0) return slot;
      if (head > 0 && this.#hash[head - 1] === hash) return slot;
      slot++;
    }
  }

  #grow(): void {
    const wider = <T extends Float64Array | Int32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    const capacity = 2 * this.#hash.length;
    this.#hash = wider(this.#hash, new Float64Array(capacity));
    this.#time = wider(this.#time, new Float64Array(capacity));
    this.#record = wider(this.#record, new Int32Array(capacity));
    this.#commit = wider(this.#commit, new Int32Array(capacity));
    this.#earlier = wider(this.#earlier, new Int32Array(capacity));
    while (this.#slots.length < 2 * capacity) this.#slots = new Int32Array(2 * this.#slots.length);
    this.#index();
  }

  #index(): void {
    this.#slots.fill(0);
    for (let at = 0; at < this.#length; at++) {
      if (this.#record[at] < 0) continue;
      const slot = this.#slot(this.#hash[at]);
      this.#earlier[at] = this.#slots[slot] - 1;
      this.#slots[slot] = at + 1;
    }
  }
}
