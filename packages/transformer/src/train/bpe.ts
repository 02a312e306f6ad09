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

/** Distinct words kept while they are counted: with what learning needs beside them about a gigabyte. */
const MOST_WORDS = 2 ** 20;

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
    for (let rare = 1; this.#counts.size > this.#most / 2; rare++)
      for (const [word, count] of this.#counts) if (count <= rare) this.#counts.delete(word);
  }
}

/** A distinct word of the corpus: its current pieces and how often it stands there. */
interface Word {
  pieces: number[];
  readonly count: number;
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
  const words = wordsOf(counted, first);
  const tokens = [...special, ...BYTE_LETTERS];
  const merges: [string, string][] = [];
  const { counts, places } = countPairs(words);
  while (tokens.length < size) {
    const best = mostFrequent(counts);
    if (best === null) break;
    const [left, right] = unpack(best);
    const joined = tokens.length;
    merges.push([tokens[left]!, tokens[right]!]);
    tokens.push(tokens[left]! + tokens[right]!);
    for (const place of places.get(best) ?? []) join(words[place]!, place, left, right, joined, counts, places);
    counts.delete(best);
    places.delete(best);
  }
  return { tokens, merges, special };
}

const PAIR = 2 ** 21;
const pack = (left: number, right: number) => left * PAIR + right;
const unpack = (pair: number): [number, number] => [Math.floor(pair / PAIR), pair % PAIR];

function wordsOf(counted: WordCounts, first: number): Word[] {
  return Array.from(counted, ([word, count]) => ({
    pieces: Array.from(Buffer.from(word, 'utf8'), (byte) => first + byte),
    count,
  }));
}

function countPairs(words: readonly Word[]) {
  const counts = new Map<number, number>();
  const places = new Map<number, Set<number>>();
  words.forEach(({ pieces, count }, place) => {
    for (let i = 0; i + 1 < pieces.length; i++) {
      const pair = pack(pieces[i]!, pieces[i + 1]!);
      counts.set(pair, (counts.get(pair) ?? 0) + count);
      note(places, pair, place);
    }
  });
  return { counts, places };
}

function note(places: Map<number, Set<number>>, pair: number, place: number): void {
  const known = places.get(pair);
  if (known) known.add(place);
  else places.set(pair, new Set([place]));
}

/** The pair with the highest count, the smaller tokens first among equals; null where none stands twice. */
function mostFrequent(counts: ReadonlyMap<number, number>): number | null {
  let best: number | null = null;
  let most = 1;
  for (const [pair, count] of counts)
    if (count > most || (count === most && best !== null && pair < best)) {
      best = pair;
      most = count;
    }
  return best;
}

/** Joins every `left right` of the word and keeps the counts of its pairs right. */
function join(
  word: Word,
  place: number,
  left: number,
  right: number,
  joined: number,
  counts: Map<number, number>,
  places: Map<number, Set<number>>,
): void {
  const change = (pair: number, by: number) => {
    const count = (counts.get(pair) ?? 0) + by;
    if (count > 0) counts.set(pair, count);
    else counts.delete(pair);
  };
  const { pieces, count } = word;
  for (let i = 0; i + 1 < pieces.length; i++) change(pack(pieces[i]!, pieces[i + 1]!), -count);
  const shorter: number[] = [];
  for (let i = 0; i < pieces.length; i++) {
    if (pieces[i] === left && pieces[i + 1] === right) {
      shorter.push(joined);
      i++;
    } else shorter.push(pieces[i]!);
  }
  word.pieces = shorter;
  for (let i = 0; i + 1 < shorter.length; i++) {
    const pair = pack(shorter[i]!, shorter[i + 1]!);
    change(pair, count);
    note(places, pair, place);
  }
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
