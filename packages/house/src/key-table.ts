const LARGEST_LOAD = 0.8;
const GROWTH = 1.5;
const FIRST_CAPACITY = 1024;

/**
 * A set of 64-bit keys, or a map from them to numbers, for millions of entries: 8 bytes a slot, 16 with values, at least
 * 53 % and at most 80 % of the slots filled once it has grown. Keys must be digests, evenly spread: their upper half says
 * where the search begins (open addressing, linear probing: Knuth, *The Art of Computer Programming* 3, §6.4, Algorithm L).
 */
export class KeyTable {
  #keys = new Uint32Array(2 * FIRST_CAPACITY);
  #values: Float64Array | null;
  #size = 0;

  constructor({ values }: { readonly values: boolean }) {
    this.#values = values ? new Float64Array(FIRST_CAPACITY) : null;
  }

  get size(): number {
    return this.#size;
  }

  has(high: number, low: number): boolean {
    return this.#keys[2 * this.#slotOf(high, marked(low)) + 1] !== 0;
  }

  /** The value of a key; undefined where it is not there. */
  get(high: number, low: number): number | undefined {
    const slot = this.#slotOf(high, marked(low));
    return this.#keys[2 * slot + 1] === 0 ? undefined : this.#values![slot];
  }

  /** False, and nothing changes, where the key is there already. */
  add(high: number, low: number, value = 0): boolean {
    const key = marked(low);
    const slot = this.#slotOf(high, key);
    if (this.#keys[2 * slot + 1] !== 0) return false;
    this.#put(slot, high, key, value);
    if (++this.#size > (LARGEST_LOAD * this.#keys.length) / 2) this.#grow();
    return true;
  }

  #put(slot: number, high: number, low: number, value: number): void {
    this.#keys[2 * slot] = high;
    this.#keys[2 * slot + 1] = low;
    if (this.#values !== null) this.#values[slot] = value;
  }

  /** Where the key is, or the empty slot it belongs into. */
  #slotOf(high: number, low: number): number {
    const keys = this.#keys;
    const capacity = keys.length / 2;
    let slot = Math.floor((high / 2 ** 32) * capacity);
    while (keys[2 * slot + 1] !== 0 && (keys[2 * slot] !== high || keys[2 * slot + 1] !== low))
      slot = slot + 1 === capacity ? 0 : slot + 1;
    return slot;
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    const capacity = Math.ceil((keys.length / 2) * GROWTH);
    this.#keys = new Uint32Array(2 * capacity);
    if (values !== null) this.#values = new Float64Array(capacity);
    for (let old = 0; old < keys.length / 2; old++) {
      const [high, low] = [keys[2 * old]!, keys[2 * old + 1]!];
      if (low !== 0) this.#put(this.#slotOf(high, low), high, low, values?.[old] ?? 0);
    }
  }
}

/** 0 in the lower half stands for an empty slot, so no key has it. */
function marked(low: number): number {
  return low === 0 ? 1 : low;
}
