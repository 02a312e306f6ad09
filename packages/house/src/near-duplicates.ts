/**
 * Near duplicates by MinHash (Broder 1997, *On the resemblance and containment of documents*): the share of equal minima of
 * two documents' shingles estimates the Jaccard similarity of their shingle sets. Of each minimum 8 bits are kept (Li and
 * König 2010, *b-Bit Minwise Hashing*, https://arxiv.org/abs/0910.3349): of minima that differ one in 256 looks equal, which the
 * estimate takes off again. Bands of minima (Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, §3.4) find likely
 * pairs without comparing all: with b bands of r minima a pair of similarity s is found with probability 1 − (1 − sʳ)ᵇ: here
 * 0.95 at s = 0.8 and 0.01 at s = 0.4.
 */
const BANDS = 16;
const ROWS = 8;
const HASHES = BANDS * ROWS;
/** Minima that differ and look equal. */
const CHANCE = 2 ** -8;
/** Words in a row that make one shingle: long enough that ordinary code shares few by chance. */
const SHINGLE_WORDS = 5;
const SIMILAR = 0.8;

const WORD = /[\p{L}\p{N}_$]+|[^\s\p{L}\p{N}_$]/gu;

/** The lowest byte of the minima of HASHES hash functions over a text's shingles; null where it has too few words to say anything. */
export function signatureOf(text: string): Uint8Array | null {
  const words = text.match(WORD) ?? [];
  if (words.length < SHINGLE_WORDS) return null;
  const hashes = words.map(hashOfWord);
  const minima = new Uint32Array(HASHES).fill(0xffffffff);
  for (let i = 0; i + SHINGLE_WORDS <= hashes.length; i++) {
    let shingle = 0x811c9dc5;
    for (let k = 0; k < SHINGLE_WORDS; k++) shingle = Math.imul(shingle ^ hashes[i + k]!, 0x01000193);
    for (let h = 0; h < HASHES; h++) {
      // One multiply-shift family member each; the constants are odd and differ.
      let value = Math.imul(shingle ^ Math.imul(h + 1, 0x9e3779b1), 0x85ebca6b + 2 * h);
      value = (value ^ (value >>> 15)) >>> 0;
      if (value < minima[h]!) minima[h] = value;
    }
  }
  return Uint8Array.from(minima);
}

function hashOfWord(word: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
  return hash;
}

/** Estimated Jaccard similarity, with a standard error of at most 0.045. */
export function similarity(a: Uint8Array, b: Uint8Array): number {
  return estimate(a, 0, b);
}

function estimate(kept: Uint8Array, at: number, signature: Uint8Array): number {
  let equal = 0;
  for (let i = 0; i < HASHES; i++) if (kept[at + i] === signature[i]) equal++;
  return (equal / HASHES - CHANCE) / (1 - CHANCE);
}

/** Signatures that are laid down together. */
const CHUNK = 2 ** 13;
const FIRST_SLOTS = 1024;
const LARGEST_LOAD = 0.8;
const GROWTH = 1.5;

/**
 * Remembers signatures and says whether a new one is like an earlier one. 128 bytes of signature a document, and in each of
 * 16 bands a slot of 4 bytes, of which 53 to 80 % are filled: 208 to 248 bytes a document.
 */
export class NearDuplicates {
  readonly #chunks: Uint8Array[] = [];
  /** One table a band, of documents' numbers from 1; 0 is an empty slot. What is alike in the band lies next to each other. */
  readonly #bands: Uint32Array[] = Array.from({ length: BANDS }, () => new Uint32Array(FIRST_SLOTS));
  #count = 0;

  /** True, and nothing is remembered, where an earlier document is at least 0.8 alike. */
  isSeen(signature: Uint8Array): boolean {
    for (const [band, table] of this.#bands.entries()) {
      const from = band * ROWS;
      for (let slot = firstSlot(signature, from, table.length); table[slot] !== 0; slot = after(slot, table.length)) {
        const number = table[slot]! - 1;
        const chunk = this.#chunks[Math.floor(number / CHUNK)]!;
        const at = (number % CHUNK) * HASHES;
        if (sameBand(chunk, at + from, signature, from) && estimate(chunk, at, signature) >= SIMILAR) return true;
      }
    }
    this.#remember(signature);
    return false;
  }

  #remember(signature: Uint8Array): void {
    const number = this.#count++;
    if (number % CHUNK === 0) this.#chunks.push(new Uint8Array(CHUNK * HASHES));
    this.#chunks.at(-1)!.set(signature, (number % CHUNK) * HASHES);
    for (let band = 0; band < BANDS; band++) {
      this.#put(this.#bands[band]!, band, number);
      if (this.#count > LARGEST_LOAD * this.#bands[band]!.length) this.#grow(band);
    }
  }

  #put(table: Uint32Array, band: number, number: number): void {
    const chunk = this.#chunks[Math.floor(number / CHUNK)]!;
    let slot = firstSlot(chunk, (number % CHUNK) * HASHES + band * ROWS, table.length);
    while (table[slot] !== 0) slot = after(slot, table.length);
    table[slot] = number + 1;
  }

  #grow(band: number): void {
    const table = new Uint32Array(Math.ceil(this.#bands[band]!.length * GROWTH));
    for (let number = 0; number < this.#count; number++) this.#put(table, band, number);
    this.#bands[band] = table;
  }
}

/** Where a search for a band's bytes begins in a table of so many slots. */
function firstSlot(bytes: Uint8Array, from: number, slots: number): number {
  let hash = 0x811c9dc5;
  for (let row = 0; row < ROWS; row++) hash = Math.imul(hash ^ bytes[from + row]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash ^= hash >>> 13;
  return Math.floor(((hash >>> 0) / 2 ** 32) * slots);
}

function after(slot: number, slots: number): number {
  return slot + 1 === slots ? 0 : slot + 1;
}

function sameBand(a: Uint8Array, atA: number, b: Uint8Array, atB: number): boolean {
  for (let row = 0; row < ROWS; row++) if (a[atA + row] !== b[atB + row]) return false;
  return true;
}
