/**
 * A uniform number in [0, 1) that depends on nothing but its key: SplitMix64's finaliser over a counter made of seed, row
 * index and step, so that any one draw can be repeated alone. Steele, Lea & Flood 2014, https://doi.org/10.1145/2660193.2660195
 */
export function uniform(seed: number, index: number, step: number): number {
  let state = mix(BigInt.asUintN(64, BigInt(seed) * GOLDEN_GAMMA + 0x632be59bd9b4e019n));
  state = mix(state ^ BigInt.asUintN(64, BigInt(index) * GOLDEN_GAMMA));
  state = mix(state + BigInt.asUintN(64, BigInt(step + 1) * GOLDEN_GAMMA));
  return Number(state >> 11n) / 2 ** 53;
}

/**
 * Random numbers of the nodes of a tree: each node has a stream of its own that depends on the seed and on the path to
 * the node alone, not on which other nodes are looked at, nor on the order.
 */
export class PathRandom {
  readonly #state: bigint;
  #drawn = 0n;

  private constructor(state: bigint) {
    this.#state = state;
  }

  static root(seed: number): PathRandom {
    return new PathRandom(mix(BigInt.asUintN(64, BigInt(seed) * GOLDEN_GAMMA + 0x9f76cd8e8acc04bbn)));
  }

  /** The stream of the node that `edge` leads to. */
  child(edge: number): PathRandom {
    const apart = mix(this.#state ^ 0xd1342543de82ef95n);
    return new PathRandom(mix(BigInt.asUintN(64, apart + BigInt(edge + 1) * GOLDEN_GAMMA)));
  }

  /** The next number of this node's stream, uniform in (0, 1): its logarithm is finite. */
  next(): number {
    this.#drawn++;
    const bits = mix(BigInt.asUintN(64, this.#state + this.#drawn * GOLDEN_GAMMA)) >> 11n;
    return (Number(bits) + 0.5) / 2 ** 53;
  }
}

const GOLDEN_GAMMA = 0x9e3779b97f4a7c15n;

function mix(value: bigint): bigint {
  let z = BigInt.asUintN(64, value);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}
