/**
 * A fast stream of random numbers that is fixed by its key alone, so that step k of a training run draws the same numbers
 * whether or not the run was interrupted before it. Mixed key into xoshiro128** (Blackman and Vigna 2021,
 * https://arxiv.org/abs/1805.01407).
 */
export class Draws {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(...key: readonly number[]) {
    let hash = 0x9e3779b9;
    const mixed = () => {
      hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
      hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
      hash ^= hash >>> 16;
      return hash;
    };
    for (const part of key) {
      hash = (hash + Math.imul(part | 0, 0x9e3779b1) + Math.floor(part / 2 ** 32)) | 0;
      mixed();
    }
    const next = () => {
      hash = (hash + 0x6d2b79f5) | 0;
      return mixed();
    };
    [this.#a, this.#b, this.#c, this.#d] = [next(), next(), next(), next() | 1];
  }

  /** 32 random bits, unsigned. */
  bits(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Fills with 0 where the next 32 bits are below `threshold`, with `value` elsewhere. */
  fillChoice(data: Float32Array, threshold: number, value: number): void {
    let [a, b, c, d] = [this.#a, this.#b, this.#c, this.#d];
    for (let i = 0; i < data.length; i++) {
      const product = Math.imul(b, 5);
      data[i] = Math.imul((product << 7) | (product >>> 25), 9) >>> 0 < threshold ? 0 : value;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
    }
    [this.#a, this.#b, this.#c, this.#d] = [a, b, c, d];
  }

  /** In [0, 1), 53 bits. */
  uniform(): number {
    return ((this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)) / 2 ** 53;
  }

  /** A whole number from 0 to count − 1. */
  below(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  /** Standard normal, by Box and Muller's transform. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}
