/**
 * Text to token ids and back, from a model file's own metadata. Byte-level BPE runs in `@huggingface/tokenizers`; the
 * special tokens are cut out here first, as llama.cpp does it: longest text first, over the whole input, and control
 * tokens only where the caller says that the text may contain them.
 */
import { Tokenizer as BytePairEncoder } from '@huggingface/tokenizers';
import type { GgufFile } from '../weights/gguf.ts';
import {
  metadataString,
  metadataStrings,
  optionalBoolean,
  optionalInteger,
  optionalString,
} from '../weights/metadata.ts';
import { bytesOfWord } from './byte-alphabet.ts';
import { preTokenizer } from './pre-tokenizer.ts';
import { TokenizerError } from './tokenizer-error.ts';

export interface EncodeOptions {
  /** Put the begin and end tokens around it where the model wants them. Default false. */
  readonly addSpecial?: boolean;
  /**
   * Read the texts of control tokens (`<|im_end|>`) as these tokens. Default false: a text from outside must not be able
   * to end its own turn.
   */
  readonly parseSpecial?: boolean;
  /** With `parseSpecial`: ascending [start, end) ranges of UTF-16 units in which control tokens stay plain text all the same. */
  readonly literal?: readonly (readonly [number, number])[];
}

export interface Tokenizer {
  readonly vocabSize: number;
  readonly bosId: number | null;
  /** Tokens that end a generation (end of text, of turn, of message, of file), ascending. */
  readonly eosIds: readonly number[];
  encode(text: string, options?: EncodeOptions): number[];
  /** The text of the tokens; invalid UTF-8 becomes U+FFFD. Control tokens are left out unless `special`. */
  decode(ids: readonly number[], options?: { special?: boolean }): string;
  /** What one token stands for; may be a part of a character. A control token gives its text in UTF-8. */
  bytesOf(id: number): Uint8Array;
  /** Whether the token is a control token: never text of the model's answer. */
  isControl(id: number): boolean;
  /** Id of a token by its text in the vocabulary, or null. */
  idOf(text: string): number | null;
}

/** `tokenizer.ggml.token_type` of the GGUF specification. */
const TOKEN_TYPE = { unknown: 2, control: 3, userDefined: 4 };

// What llama.cpp takes for an end of generation when a control token has this text.
const END_TEXTS = [
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '<|eom_id|>',
  '<|end_of_text|>',
  '<EOT>',
  '_<EOT>',
  '<|fim_pad|>',
  '<fim-pad>',
  '<|repo_name|>',
  '<|fim_repo|>',
  '<reponame>',
  '<|file_sep|>',
];

interface SpecialToken {
  readonly id: number;
  readonly text: string;
  readonly control: boolean;
}

/** A stretch of the input: one token already, or text for the byte-pair encoder. */
type Piece = { readonly id: number } | { readonly start: number; readonly end: number };

type Source = Pick<GgufFile, 'path' | 'metadata'>;

/** Throws `TokenizerError` on a vocabulary that is not supported or contradicts itself, `GgufError` on a missing key. */
export function loadTokenizer(file: Source): Tokenizer {
  const model = metadataString(file, 'tokenizer.ggml.model');
  if (model !== 'gpt2')
    throw new TokenizerError(
      'LATHE_TOKENIZER_UNSUPPORTED',
      `${file.path}: tokenizer.ggml.model: expected "gpt2" (byte-level BPE), got ${JSON.stringify(model)}`,
      'Use a model of the SmolLM2, Qwen2.5 or Llama 3 family; SentencePiece vocabularies are not supported.',
    );
  const pre = preTokenizer(optionalString(file, 'tokenizer.ggml.pre'));
  const words = metadataStrings(file, 'tokenizer.ggml.tokens');
  const vocabSize = words.length;
  if (vocabSize === 0) invalid(file, 'tokenizer.ggml.tokens', 'at least one token', 'none');
  const types = tokenTypes(file, vocabSize);
  const idOfWord = new Map(words.map((word, id) => [word, id]));
  const encoder = bytePairEncoder(file, words, pre);

  const inVocabulary = { min: 0, max: vocabSize - 1 };
  const bosId = optionalInteger(file, 'tokenizer.ggml.bos_token_id', inVocabulary);
  const eosId = optionalInteger(file, 'tokenizer.ggml.eos_token_id', inVocabulary);
  const addBos = (optionalBoolean(file, 'tokenizer.ggml.add_bos_token') ?? pre.addBos) && bosId !== null;
  const addEos = (optionalBoolean(file, 'tokenizer.ggml.add_eos_token') ?? false) && eosId !== null;
  const eosIds = endTokens(file, eosId, idOfWord, types, inVocabulary);

  const special: SpecialToken[] = [];
  for (let id = 0; id < vocabSize; id++) {
    const isSpecial = types[id] === TOKEN_TYPE.control || types[id] === TOKEN_TYPE.unknown;
    if ((isSpecial || types[id] === TOKEN_TYPE.userDefined) && words[id] !== '')
      special.push({ id, text: words[id]!, control: isSpecial });
  }
  special.sort((a, b) => b.text.length - a.text.length);

  const encodeWords = (text: string): number[] =>
    text === '' ? [] : encoder.encode(text, { add_special_tokens: false }).ids;

  const wordOf = (id: number): string => {
    const word = words[id];
    if (word === undefined) throw new RangeError(`token id: expected 0 to ${vocabSize - 1}, got ${id}`);
    return word;
  };
  const isControl = (id: number) => types[id] === TOKEN_TYPE.control || types[id] === TOKEN_TYPE.unknown;
  const utf8 = new TextEncoder();
  const bytesOf = (id: number): Uint8Array => {
    const word = wordOf(id);
    const plain = isControl(id) || types[id] === TOKEN_TYPE.userDefined;
    return (plain ? null : bytesOfWord(word)) ?? utf8.encode(word);
  };

  return {
    vocabSize,
    bosId,
    eosIds,
    encode(text, { addSpecial = false, parseSpecial = false, literal = [] } = {}) {
      const ids: number[] = [];
      if (addSpecial && addBos) ids.push(bosId!);
      for (const piece of cut(text, special, parseSpecial, literal)) {
        if ('id' in piece) ids.push(piece.id);
        else for (const id of encodeWords(text.slice(piece.start, piece.end))) ids.push(id);
      }
      if (addSpecial && addEos) ids.push(eosId!);
      return ids;
    },
    decode(ids, { special: withControl = false } = {}) {
      const shown = withControl ? ids : ids.filter((id) => !isControl(id));
      return Buffer.concat(shown.map(bytesOf)).toString('utf8');
    },
    bytesOf,
    isControl: (id) => {
      wordOf(id);
      return isControl(id);
    },
    idOf: (text) => idOfWord.get(text) ?? null,
  };
}

/** Cuts special tokens out of the text: the longest texts first, each everywhere in what is still uncut. */
function cut(
  text: string,
  special: readonly SpecialToken[],
  parseSpecial: boolean,
  literal: readonly (readonly [number, number])[],
): Piece[] {
  let pieces: Piece[] = [{ start: 0, end: text.length }];
  for (const { id, text: token, control } of special) {
    if ((control && !parseSpecial) || !text.includes(token)) continue;
    const next: Piece[] = [];
    for (const piece of pieces) {
      if ('id' in piece) {
        next.push(piece);
        continue;
      }
      let start = piece.start;
      let from = start;
      for (;;) {
        const at = text.indexOf(token, from);
        if (at === -1 || at + token.length > piece.end) break;
        const plain = control && literal.some(([low, high]) => at < high && at + token.length > low);
        if (plain) {
          from = at + 1;
          continue;
        }
        if (at > start) next.push({ start, end: at });
        next.push({ id });
        start = at + token.length;
        from = start;
      }
      if (start < piece.end) next.push({ start, end: piece.end });
    }
    pieces = next;
  }
  return pieces;
}

function tokenTypes(file: Source, vocabSize: number): Int32Array {
  const key = 'tokenizer.ggml.token_type';
  const types = file.metadata.get(key);
  if (!(types instanceof Int32Array) || types.length !== vocabSize)
    invalid(
      file,
      key,
      `${vocabSize} int32, one for each token`,
      types instanceof Int32Array ? `${types.length}` : typeof types,
    );
  return types;
}

/** The encoder of plain text: no added tokens, so that no text is ever taken for a special token inside it. */
function bytePairEncoder(
  file: Source,
  words: readonly string[],
  pre: ReturnType<typeof preTokenizer>,
): BytePairEncoder {
  const merges = metadataStrings(file, 'tokenizer.ggml.merges').map((merge, i) => {
    const space = merge.indexOf(' ', 1);
    if (space === -1 || space === merge.length - 1)
      invalid(file, `tokenizer.ggml.merges[${i}]`, 'two words and a space between', JSON.stringify(merge.slice(0, 40)));
    return [merge.slice(0, space), merge.slice(space + 1)];
  });
  const splits = pre.patterns.map((Regex) => ({
    type: 'Split',
    pattern: { Regex },
    behavior: 'Isolated',
    invert: false,
  }));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  return new BytePairEncoder(
    {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Sequence', pretokenizers: [...splits, byteLevel] },
      post_processor: null,
      decoder: null,
      model: {
        type: 'BPE',
        // fromEntries defines own properties, so a word named __proto__ is a word like any other.
        vocab: Object.fromEntries(words.map((word, id) => [word, id])),
        merges,
        unk_token: null,
        ignore_merges: pre.ignoreMerges,
      },
    },
    {},
  );
}

function endTokens(
  file: Source,
  eosId: number | null,
  idOfWord: ReadonlyMap<string, number>,
  types: Int32Array,
  inVocabulary: { min: number; max: number },
): number[] {
  const ids = new Set<number>();
  if (eosId !== null) ids.add(eosId);
  for (const key of ['tokenizer.ggml.eot_token_id', 'tokenizer.ggml.eom_token_id']) {
    const id = optionalInteger(file, key, inVocabulary);
    if (id !== null) ids.add(id);
  }
  for (const text of END_TEXTS) {
    const id = idOfWord.get(text);
    if (id !== undefined && types[id] === TOKEN_TYPE.control) ids.add(id);
  }
  return [...ids].sort((a, b) => a - b);
}

function invalid(file: Source, field: string, expected: string, got: string): never {
  throw new TokenizerError(
    'LATHE_TOKENIZER_INVALID',
    `${file.path}: ${field}: expected ${expected}, got ${got}`,
    'The model file is damaged; download it again.',
  );
}
