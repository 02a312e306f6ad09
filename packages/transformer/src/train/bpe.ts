import TinyQueue from 'tinyqueue';
import { TrainError } from './train-error.ts';

/** Byte-level byte-pair encoding: a vocabulary of byte strings and the order in which pairs are joined. */
export interface BpeVocabulary {
  /** Token texts in byte-level letters, id = position. The first ones are the special tokens, then the 256 bytes. */
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
  readonly special: readonly string[];
}

/** Splits text before pairs are counted, so that no token runs across words. The pattern GPT-2 uses. */
export const PRE_TOKENIZER = /'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** One printable letter for each byte, as GPT-2's byte-level vocabularies write them. */
export const BYTE_LETTERS: readonly string[] = (() => {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let shifted = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : shifted++));
})();

/** Distinct words kept while they are counted. What learning needs beside them was 1.2 kB a word at the most, of words by chance. */
const MOST_WORDS = 2 ** 19;

/**
 * How often each word stands in a corpus, in bounded memory: where there are more distinct ones than `most`, the rarest go
 * until half are left, those that stand once first, then twice and so on. The counts of words that stay may be too small by how
 * often they stood in what had gone before (after Manku and Motwani 2002, *Approximate Frequency Counts over Data Streams*, §4.2).
 */
export class WordCounts implements Iterable<[word: string, count: number]> {
  readonly #most: number;
  #counts = new Map<string, number>();

  constructor(most = MOST_WORDS) {
    this.#most = most;
  }

  get distinct(): number {
    return this.#counts.size;
  }

  add(text: string): void {
    // A word is a slice of its text: kept as it is, it would keep the whole text in memory.
    for (const [word] of text.matchAll(PRE_TOKENIZER)) {
      const count = this.#counts.get(word);
      this.#counts.set(count === undefined ? Buffer.from(word, 'utf16le').toString('utf16le') : word, (count ?? 0) + 1);
      if (this.#counts.size > this.#most) this.#forget();
    }
  }

  [Symbol.iterator](): Iterator<[word: string, count: number]> {
    return this.#counts[Symbol.iterator]();
  }

  #forget(): void {
    for (let rare = 1; this.#counts.size > this.#most / 2; rare++) {
      const kept = new Map<string, number>();
      for (const [word, count] of this.#counts) if (count > rare) kept.set(word, count);
      this.#counts = kept;
    }
  }
}

/**
 * Learns a vocabulary of `size` tokens: the most frequent pair of neighbouring tokens becomes one token, again and again
 * (Sennrich, Haddow and Birch 2016, https://arxiv.org/abs/1508.07909, Algorithm 1). Ties go to the pair that was made first, so the
 * result depends on the texts alone. Fewer tokens come out where no pair stands twice any more.
 */
export function trainBpe(
  texts: Iterable<string>,
  size: number,
  special: readonly string[] = ['<|endoftext|>'],
): BpeVocabulary {
  const counts = new WordCounts();
  for (const text of texts) counts.add(text);
  return learnBpe(counts, size, special);
}

/** `trainBpe` of texts that were counted one after the other. */
export function learnBpe(
  counted: WordCounts,
  size: number,
  special: readonly string[] = ['<|endoftext|>'],
): BpeVocabulary {
  const first = special.length;
  if (!Number.isInteger(size) || size < first + 256)
    throw new TrainError('LATHE_TRAIN_CONFIG', `vocabulary size: expected at least ${first + 256}, got ${size}`, {
      remedy: 'Every byte needs a token of its own.',
    });
  const words = new Words(counted, first);
  const tokens = [...special, ...BYTE_LETTERS];
  const merges: [string, string][] = [];
  while (tokens.length < size) {
    const best = words.mostFrequent();
    if (best === null) break;
    const [left, right] = unpack(best);
    merges.push([tokens[left]!, tokens[right]!]);
    words.join(best, tokens.length);
    tokens.push(tokens[left]! + tokens[right]!);
  }
  return { tokens, merges, special };
}

const PAIR = 2 ** 21;
const pack = (left: number, right: number) => left * PAIR + right;
const unpack = (pair: number): [number, number] => [Math.floor(pair / PAIR), pair % PAIR];

/** How often a pair stood in the corpus when it was put into the queue. */
interface Standing {
  readonly pair: number;
  readonly count: number;
}

/** The distinct words of a corpus, cut into tokens, and the pairs of neighbours in them. */
class Words {
  /** Tokens of all words, one word behind the other; a word keeps its place as it gets shorter. */
  readonly #pieces: Int32Array;
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  readonly #counts: Float64Array;
  readonly #pairs = new Map<number, number>();
  /** Words a pair has stood in, ascending; it may have gone from some. */
  readonly #places = new Map<number, number[]>();
  /** Most frequent first. Counts only fall, so one that is out of date is too high and is put back when it comes up. */
  readonly #queue: TinyQueue<Standing>;

  constructor(counted: WordCounts, first: number) {
    let bytes = 0;
    for (const [word] of counted) bytes += Buffer.byteLength(word);
    this.#pieces = new Int32Array(bytes);
    this.#starts = new Int32Array(counted.distinct);
    this.#lengths = new Int32Array(counted.distinct);
    this.#counts = new Float64Array(counted.distinct);
    let number = 0;
    let start = 0;
    for (const [word, count] of counted) {
      const letters = Buffer.from(word);
      this.#starts[number] = start;
      this.#lengths[number] = letters.length;
      this.#counts[number] = count;
      for (let i = 0; i < letters.length; i++) this.#pieces[start + i] = first + letters[i]!;
      for (let i = 1; i < letters.length; i++)
        this.#add(pack(first + letters[i - 1]!, first + letters[i]!), number, count);
      start += letters.length;
      number++;
    }
    const standing = Array.from(this.#pairs, ([pair, count]): Standing => ({ pair, count }));
    this.#queue = new TinyQueue(standing, (a, b) => b.count - a.count || a.pair - b.pair);
  }

  /** The pair with the highest count, the smaller tokens first among equals; null where none stands twice. */
  mostFrequent(): number | null {
    for (let top = this.#queue.pop(); top !== undefined; top = this.#queue.pop()) {
      const { pair } = top;
      const count = this.#pairs.get(pair) ?? 0;
      if (count === top.count) return count > 1 ? pair : null;
      if (count > 0) this.#queue.push({ pair, count });
    }
    return null;
  }

  /** Makes one token of every `left right`, from the left, and keeps the counts of pairs right. */
  join(pair: number, joined: number): void {
    const [left, right] = unpack(pair);
    const made = new Set<number>();
    for (const number of this.#places.get(pair) ?? []) {
      const count = this.#counts[number]!;
      const pieces = this.#pieces.subarray(this.#starts[number]!, this.#starts[number]! + this.#lengths[number]!);
      if (!standsIn(pieces, left, right)) continue;
      for (let i = 1; i < pieces.length; i++) this.#remove(pack(pieces[i - 1]!, pieces[i]!), count);
      let length = 0;
      for (let i = 0; i < pieces.length; i++) {
        const isPair = pieces[i] === left && pieces[i + 1] === right;
        pieces[length++] = isPair ? joined : pieces[i]!;
        if (isPair) i++;
      }
      this.#lengths[number] = length;
      for (let i = 1; i < length; i++) {
        const [before, after] = [pieces[i - 1]!, pieces[i]!];
        const next = pack(before, after);
        if (before === joined || after === joined) {
          made.add(next);
          this.#add(next, number, count);
        } else this.#pairs.set(next, (this.#pairs.get(next) ?? 0) + count);
      }
    }
    this.#places.delete(pair);
    for (const next of made) this.#queue.push({ pair: next, count: this.#pairs.get(next)! });
  }

  #add(pair: number, number: number, count: number): void {
    this.#pairs.set(pair, (this.#pairs.get(pair) ?? 0) + count);
    const places = this.#places.get(pair);
    if (places === undefined) this.#places.set(pair, [number]);
    else if (places.at(-1) !== number) places.push(number);
  }

  #remove(pair: number, count: number): void {
    const left = this.#pairs.get(pair)! - count;
    if (left > 0) this.#pairs.set(pair, left);
    else this.#pairs.delete(pair);
  }
}

function standsIn(pieces: Int32Array, left: number, right: number): boolean {
  for (let i = 1; i < pieces.length; i++) if (pieces[i - 1] === left && pieces[i] === right) return true;
  return false;
}

/** The vocabulary as a standard tokenizer.json. https://huggingface.co/docs/tokenizers/pipeline */
export function tokenizerJson({ tokens, merges, special }: BpeVocabulary): object {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map((pair) => [...pair]),
    },
  };
}
