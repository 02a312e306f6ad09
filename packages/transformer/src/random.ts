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

const GOLDEN_GAMMA = 0x9e3779b97f4a7c15n;

function mix(value: bigint): bigint {
  let z = BigInt.asUintN(64, value);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}
