/** Numbers to stored tensor bytes: the types Lathe writes itself. */
export type WritableType = 'F32' | 'F16' | 'Q8_0';

const Q8_BLOCK = 32;

/**
 * F16 rounds each number to the nearest half. Q8_0 holds blocks of 32 as d (f16) and q = round(x / d), d = max|x| / 127.
 * Throws a RangeError where the numbers do not fill whole blocks.
 */
export function quantise(type: WritableType, values: Float32Array): Uint8Array {
  switch (type) {
    case 'F32':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case 'F16':
      return new Uint8Array(Uint16Array.from(values, halfBits).buffer);
    case 'Q8_0':
      return q8(values);
  }
}

function q8(values: Float32Array): Uint8Array {
  if (values.length % Q8_BLOCK !== 0)
    throw new RangeError(`quantise Q8_0: expected a multiple of ${Q8_BLOCK} numbers, got ${values.length}`);
  const blocks = values.length / Q8_BLOCK;
  const bytes = new Uint8Array(blocks * (2 + Q8_BLOCK));
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < blocks; block++) {
    const start = block * Q8_BLOCK;
    let largest = 0;
    for (let i = 0; i < Q8_BLOCK; i++) largest = Math.max(largest, Math.abs(values[start + i]!));
    const d = largest / 127;
    const inverse = d === 0 ? 0 : 1 / d;
    const at = block * (2 + Q8_BLOCK);
    view.setUint16(at, halfBits(d), true);
    for (let i = 0; i < Q8_BLOCK; i++) view.setInt8(at + 2 + i, Math.round(values[start + i]! * inverse));
  }
  return bytes;
}

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** The nearest f16 of a number, ties to even, as its bits; too large ones are infinite. (Node before 24 has no Float16Array.) */
export function halfBits(value: number): number {
  FLOAT[0] = value;
  const sign = (BITS[0]! >>> 16) & 0x8000;
  const magnitude = BITS[0]! & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  if (magnitude >= 0x4780_0000) return sign | 0x7c00;
  // Below the smallest normal half, 2^−14, halves are whole multiples of 2^−24.
  if (magnitude < 0x3880_0000) return sign | nearestEven(Math.abs(FLOAT[0]!) * 2 ** 24);
  // The exponent's bias goes from 127 to 15 and 13 bits of the fraction go; a carry goes into the exponent as it should.
  return sign | ((magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

function nearestEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
