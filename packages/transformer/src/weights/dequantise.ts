/**
 * Stored tensor bytes to f32, one function a type. d, m and the like are f16 stored little endian; q are the integers of
 * one block; every product is exact in f64 and rounded once to f32, which is what the reference implementation gives.
 * Source: ggml/src/ggml-common.h (block layouts) and ggml-quants.c of https://github.com/ggml-org/llama.cpp
 */
import { BLOCK_LAYOUT, type GgmlType } from './ggml-types.ts';

/**
 * Values of a tensor in stored order: row-major, so the result has the tensor's `shape`.
 * `bytes` must hold whole blocks; throws a RangeError otherwise.
 */
export function dequantise(type: GgmlType, bytes: Uint8Array): Float32Array {
  const layout = BLOCK_LAYOUT[type];
  if (bytes.length % layout.bytes !== 0)
    throw new RangeError(`dequantise ${type}: expected a multiple of ${layout.bytes} bytes, got ${bytes.length}`);
  const values = new Float32Array((bytes.length / layout.bytes) * layout.elements);
  DEQUANTISE[type](bytes, values);
  return values;
}

const DEQUANTISE: Record<GgmlType, (bytes: Uint8Array, out: Float32Array) => void> = {
  F32: f32,
  F16: f16,
  BF16: bf16,
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q8_0: q8_0,
  Q4_K: q4_k,
  Q5_K: q5_k,
  Q6_K: q6_k,
};

const FLOAT_OF_HALF = halfTable();

/** Every f16 as a number: sign · 2^(e−15) · (1 + f/1024), subnormal sign · 2^−14 · f/1024. */
function halfTable(): Float32Array {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else table[bits] = sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
  }
  return table;
}

/** The f16 at `at`, little endian. */
export function halfAt(bytes: Uint8Array, at: number): number {
  return FLOAT_OF_HALF[bytes[at]! | (bytes[at + 1]! << 8)]!;
}

function f32(bytes: Uint8Array, out: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(4 * i, true);
}

function f16(bytes: Uint8Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = halfAt(bytes, 2 * i);
}

/** The upper 16 bits of an f32. */
function bf16(bytes: Uint8Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < out.length; i++) bits[i] = (bytes[2 * i]! << 16) | (bytes[2 * i + 1]! << 24);
}

/** [d f16][16 bytes q]: w = d · (q − 8). Byte j holds element j in its low and element j + 16 in its high half. */
function q4_0(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; at < bytes.length; at += 18, o += 32) {
    const d = halfAt(bytes, at);
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 2 + j]!;
      out[o + j] = d * ((pair & 15) - 8);
      out[o + j + 16] = d * ((pair >> 4) - 8);
    }
  }
}

/** [d f16][m f16][16 bytes q]: w = d · q + m, halves as in Q4_0. */
function q4_1(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; at < bytes.length; at += 20, o += 32) {
    const d = halfAt(bytes, at);
    const m = halfAt(bytes, at + 2);
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 4 + j]!;
      out[o + j] = d * (pair & 15) + m;
      out[o + j + 16] = d * (pair >> 4) + m;
    }
  }
}

/** [d f16][u32 h][16 bytes q]: w = d · (q + 16·h_j − 16), h_j bit j of h, halves as in Q4_0. */
function q5_0(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; at < bytes.length; at += 22, o += 32) {
    const d = halfAt(bytes, at);
    for (let j = 0; j < 32; j++) out[o + j] = d * (fiveBits(bytes, at + 2, j) - 16);
  }
}

/** [d f16][m f16][u32 h][16 bytes q]: w = d · (q + 16·h_j) + m. */
function q5_1(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; at < bytes.length; at += 24, o += 32) {
    const d = halfAt(bytes, at);
    const m = halfAt(bytes, at + 2);
    for (let j = 0; j < 32; j++) out[o + j] = d * fiveBits(bytes, at + 4, j) + m;
  }
}

/** Element j (0–31) of a Q5_0 or Q5_1 block whose u32 of fifth bits begins at `at`. */
export function fiveBits(bytes: Uint8Array, at: number, j: number): number {
  const pair = bytes[at + 4 + (j & 15)]!;
  const fifth = (bytes[at + (j >> 3)]! >> (j & 7)) & 1;
  return (j < 16 ? pair & 15 : pair >> 4) | (fifth << 4);
}

/** [d f16][32 × i8 q]: w = d · q. */
function q8_0(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; at < bytes.length; at += 34, o += 32) {
    const d = halfAt(bytes, at);
    for (let j = 0; j < 32; j++) out[o + j] = d * signed(bytes[at + 2 + j]!);
  }
}

function signed(byte: number): number {
  return (byte << 24) >> 24;
}

/**
 * [d f16][dmin f16][12 bytes of 6-bit sc and mn][128 bytes q]: eight sub-blocks b of 32, w = d·sc_b · q − dmin·mn_b.
 * 32 bytes of q hold sub-block 2i in their low and 2i + 1 in their high halves.
 */
function q4_k(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; at < bytes.length; at += 144, o += 256) {
    const d = halfAt(bytes, at);
    const dmin = halfAt(bytes, at + 2);
    for (let b = 0; b < 8; b++) {
      const scale = d * kScale(bytes, at + 4, b);
      const min = dmin * kMin(bytes, at + 4, b);
      const q = at + 16 + 32 * (b >> 1);
      const shift = (b & 1) * 4;
      for (let j = 0; j < 32; j++) out[o + 32 * b + j] = scale * ((bytes[q + j]! >> shift) & 15) - min;
    }
  }
}

/** As Q4_K with [32 bytes h] before q: element j of sub-block b is q + 16 · (bit b of h_j). */
function q5_k(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; at < bytes.length; at += 176, o += 256) {
    const d = halfAt(bytes, at);
    const dmin = halfAt(bytes, at + 2);
    for (let b = 0; b < 8; b++) {
      const scale = d * kScale(bytes, at + 4, b);
      const min = dmin * kMin(bytes, at + 4, b);
      for (let j = 0; j < 32; j++) out[o + 32 * b + j] = scale * q5kElement(bytes, at, b, j) - min;
    }
  }
}

/** Element j (0–31) of sub-block b (0–7) of the Q5_K block at `at`. */
export function q5kElement(bytes: Uint8Array, at: number, b: number, j: number): number {
  const low = (bytes[at + 48 + 32 * (b >> 1) + j]! >> ((b & 1) * 4)) & 15;
  return low | (((bytes[at + 16 + j]! >> b) & 1) << 4);
}

/**
 * [128 bytes low 4 bits][64 bytes high 2 bits][16 × i8 sc][d f16]: sixteen sub-blocks s of 16, w = d·sc_s · (q − 32).
 * Each half of 128 elements takes 64 bytes of low and 32 bytes of high bits; element 32k + j of a half (k = 0…3) has its
 * low bits in byte j + 32·(k & 1), the upper four for k ≥ 2, and its high bits in byte j at bit 2k.
 */
function q6_k(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; at < bytes.length; at += 210, o += 256) {
    const d = halfAt(bytes, at + 208);
    for (let s = 0; s < 16; s++) {
      const scale = d * signed(bytes[at + 192 + s]!);
      for (let j = 16 * s; j < 16 * s + 16; j++) out[o + j] = scale * (q6kElement(bytes, at, j) - 32);
    }
  }
}

/** Element j (0–255) of the Q6_K block at `at`, 0 to 63. */
export function q6kElement(bytes: Uint8Array, at: number, j: number): number {
  const half = j >> 7;
  const k = (j >> 5) & 3;
  const i = j & 31;
  const low = (bytes[at + 64 * half + 32 * (k & 1) + i]! >> ((k >> 1) * 4)) & 15;
  const high = (bytes[at + 128 + 32 * half + i]! >> (2 * k)) & 3;
  return low | (high << 4);
}

/**
 * The 6-bit scale of sub-block b of a Q4_K or Q5_K block, whose 12 packed bytes begin at `at`: for b < 4 the low six bits of
 * byte b; else the low half of byte b + 4 with the top two bits of byte b − 4.
 */
export function kScale(bytes: Uint8Array, at: number, b: number): number {
  return b < 4 ? bytes[at + b]! & 63 : (bytes[at + b + 4]! & 15) | ((bytes[at + b - 4]! >> 6) << 4);
}

/** The 6-bit minimum: for b < 4 the low six bits of byte b + 4; else the high half of byte b + 4 with the top two of byte b. */
export function kMin(bytes: Uint8Array, at: number, b: number): number {
  return b < 4 ? bytes[at + b + 4]! & 63 : (bytes[at + b + 4]! >> 4) | ((bytes[at + b]! >> 6) << 4);
}
