/**
 * Near duplicates by MinHash (Broder 1997, *On the resemblance and containment of documents*): the share of equal minima of
 * two documents' shingles estimates the Jaccard similarity of their shingle sets. Bands of minima (Leskovec, Rajaraman and
 * Ullman, *Mining of Massive Datasets*, §3.4) find likely pairs without comparing all: with b bands of r minima a pair of
 * similarity s is found with probability 1 − (1 − sʳ)ᵇ: here 0.96 at s = 0.8 and 0.06 at s = 0.4.
 */
const BANDS = 16;
const ROWS = 8;
const HASHES = BANDS * ROWS;
/** Words in a row that make one shingle: long enough that ordinary code shares few by chance. */
const SHINGLE_WORDS = 5;
const SIMILAR = 0.8;

const WORD = /[\p{L}\p{N}_$]+|[^\s\p{L}\p{N}_$]/gu;

/** Minima of HASHES hash functions over the shingles of a text; null where it has too few words to say anything. */
export function signatureOf(text: string): Uint32Array | null {
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
  return minima;
}

function hashOfWord(word: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
  return hash;
}

/** Estimated Jaccard similarity, with a standard error of at most 0.045. */
export function similarity(a: Uint32Array, b: Uint32Array): number {
  let equal = 0;
  for (let i = 0; i < HASHES; i++) if (a[i] === b[i]) equal++;
  return equal / HASHES;
}

/** Remembers signatures and says whether a new one is like an earlier one. 512 bytes of signature and 16 entries a document. */
export class NearDuplicates {
  readonly #bands: Map<number, number[]>[] = Array.from({ length: BANDS }, () => new Map());
  readonly #signatures: Uint32Array[] = [];

  /** True, and nothing is remembered, where an earlier document is at least 0.8 alike. */
  isSeen(signature: Uint32Array): boolean {
    const keys = this.#bands.map((_, band) => {
      let key = 0x811c9dc5;
      for (let row = 0; row < ROWS; row++) key = Math.imul(key ^ signature[band * ROWS + row]!, 0x01000193);
      return key;
    });
    for (const [band, key] of keys.entries())
      for (const other of this.#bands[band]!.get(key) ?? [])
        if (similarity(signature, this.#signatures[other]!) >= SIMILAR) return true;
    const id = this.#signatures.push(signature) - 1;
    for (const [band, key] of keys.entries()) {
      const known = this.#bands[band]!.get(key);
      if (known) known.push(id);
      else this.#bands[band]!.set(key, [id]);
    }
    return false;
  }
}
