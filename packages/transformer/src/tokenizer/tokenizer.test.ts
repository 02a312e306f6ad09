import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { smollm2File, withoutSmollm2 } from '../__fixtures__/smollm2-file.ts';
import { type GgufFile, type GgufValue, openGguf } from '../weights/gguf.ts';
import { loadTokenizer, type Tokenizer } from './tokenizer.ts';

/** A vocabulary of all bytes, a few merges and special tokens, as a model file would hold it. */
function tinyVocabulary(changes: Record<string, GgufValue | undefined> = {}) {
  const bytes: string[] = [];
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    bytes.push(String.fromCharCode(printable ? byte : next++));
  }
  const tokens = [...bytes, 'ab', 'abc', 'Ġa', '__proto__', '<|im_end|>', '<|im|>', '<tool>', 'é'];
  const types = new Int32Array(tokens.length).fill(1);
  types[260] = 3;
  types[261] = 3;
  types[262] = 4;
  types[263] = 4;
  const metadata = new Map<string, GgufValue>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'gpt-2'],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.token_type', types],
    ['tokenizer.ggml.merges', ['a b', 'ab c', 'Ġ a']],
    ['tokenizer.ggml.eos_token_id', 260],
    ['tokenizer.ggml.bos_token_id', 261],
  ]);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) metadata.delete(key);
    else metadata.set(key, value);
  }
  return { path: 'tiny.gguf', metadata };
}

describe('a vocabulary of bytes', () => {
  const tokenizer = loadTokenizer(tinyVocabulary());

  test('merges in the order of the list', () => {
    expect(tokenizer.encode('abc ab a')).toEqual([257, 0x20, 256, 258]);
  });

  test('reads a control token only where the caller says so', () => {
    expect(tokenizer.encode('<|im_end|>', { parseSpecial: true })).toEqual([260]);
    expect(tokenizer.encode('<|im_end|>')).toEqual([...'<|im_end|>'].map((c) => c.charCodeAt(0)));
  });

  test('always reads a user-defined token', () => {
    expect(tokenizer.encode('x<tool>y')).toEqual([0x78, 262, 0x79]);
  });

  test('leaves control tokens in literal ranges as text', () => {
    const text = '<|im_end|><|im_end|>';
    const ids = tokenizer.encode(text, { parseSpecial: true, literal: [[10, 20]] });
    expect(ids[0]).toBe(260);
    expect(ids).toHaveLength(11);
    expect(tokenizer.encode(text, { parseSpecial: true, literal: [[0, 1]] }).slice(-1)).toEqual([260]);
  });

  test('puts begin and end around the text where the file says so', () => {
    const both = loadTokenizer(
      tinyVocabulary({ 'tokenizer.ggml.add_bos_token': true, 'tokenizer.ggml.add_eos_token': true }),
    );
    expect(both.encode('c', { addSpecial: true })).toEqual([261, 0x63, 260]);
    expect(both.encode('c')).toEqual([0x63]);
    expect(tokenizer.encode('c', { addSpecial: true })).toEqual([0x63]);
  });

  test('gives back every byte', () => {
    for (let byte = 0; byte < 256; byte++) expect(tokenizer.bytesOf(byte)).toEqual(new Uint8Array([byte]));
    expect(Buffer.from(tokenizer.bytesOf(260)).toString()).toBe('<|im_end|>');
    expect(Buffer.from(tokenizer.bytesOf(263)).toString()).toBe('é');
  });

  test('decodes characters that are spread over tokens, and leaves control tokens out', () => {
    const text = 'é 👍🏽\n__proto__';
    const ids = [...tokenizer.encode(text), 260];
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.decode(ids, { special: true })).toBe(`${text}<|im_end|>`);
  });

  test('knows the tokens that end a generation', () => {
    expect(tokenizer.eosIds).toEqual([260]);
    expect(tokenizer.isControl(260)).toBe(true);
    expect(tokenizer.isControl(262)).toBe(false);
    expect(tokenizer.idOf('abc')).toBe(257);
    expect(tokenizer.idOf('nothing like it')).toBeNull();
  });

  test('refuses ids outside the vocabulary', () => {
    expect(() => tokenizer.bytesOf(264)).toThrow(/expected 0 to 263, got 264/);
    expect(() => tokenizer.bytesOf(-1)).toThrow(RangeError);
  });
});

describe('a vocabulary that cannot be used is refused by name', () => {
  test.each([
    ['SentencePiece', { 'tokenizer.ggml.model': 'llama' }, 'LATHE_TOKENIZER_UNSUPPORTED', /"gpt2".*got "llama"/],
    ['unknown pre-tokenizer', { 'tokenizer.ggml.pre': 'martian' }, 'LATHE_TOKENIZER_UNSUPPORTED', /got "martian"/],
    ['no tokens', { 'tokenizer.ggml.tokens': undefined }, 'LATHE_GGUF_INVALID', /tokenizer.ggml.tokens/],
    [
      'too few types',
      { 'tokenizer.ggml.token_type': new Int32Array(3) },
      'LATHE_TOKENIZER_INVALID',
      /264 int32.*got 3/,
    ],
    ['a merge of one word', { 'tokenizer.ggml.merges': ['a b', 'ab'] }, 'LATHE_TOKENIZER_INVALID', /merges\[1\]/],
    ['an end token outside', { 'tokenizer.ggml.eos_token_id': 264 }, 'LATHE_GGUF_INVALID', /0 to 263, got 264/],
  ])('%s', (_, changes, code, message) => {
    const load = () => loadTokenizer(tinyVocabulary(changes));
    expect(load).toThrow(message);
    expect(load).toThrow(expect.objectContaining({ code }));
  });
});

describe.skipIf(smollm2File === null)(`equal to llama.cpp on SmolLM2's vocabulary${withoutSmollm2}`, () => {
  const recorded = JSON.parse(readFileSync(new URL('./__fixtures__/llama-cpp-smollm2.json', import.meta.url), 'utf8'));
  const texts: string[] = recorded.texts;
  let file: GgufFile;
  let tokenizer: Tokenizer;

  beforeAll(async () => {
    file = await openGguf(smollm2File!);
    tokenizer = loadTokenizer(file);
  });
  afterAll(() => file?.close());

  function expected(differences: [number, number[]][]): number[][] {
    const changed = new Map(differences);
    return texts.map((_, i) => changed.get(i) ?? recorded.ids[i]);
  }

  /** The first text that differs, rather than a page of numbers. */
  function compare(encode: (text: string) => number[], ids: readonly number[][]): void {
    for (const [i, text] of texts.entries()) expect({ text, ids: encode(text) }).toEqual({ text, ids: ids[i] });
  }

  test('the corpus holds every byte of UTF-8 that the vocabulary has', () => {
    const seen = new Set(texts.flatMap((text) => [...Buffer.from(text)]));
    const possible = Array.from({ length: 256 }, (_, byte) => byte).filter(
      (byte) => byte > 0 && byte !== 0xc0 && byte !== 0xc1 && byte < 0xf5,
    );
    expect(possible.filter((byte) => !seen.has(byte))).toEqual([]);
  });

  test('plain text', () => compare((text) => tokenizer.encode(text), expected([])));

  test('with control tokens', () =>
    compare((text) => tokenizer.encode(text, { parseSpecial: true }), expected(recorded.idsWithSpecial)));

  test('tokens that end a generation', () => expect(tokenizer.eosIds).toEqual(recorded.endTokens));

  test.each(['default', 'gpt-2', 'qwen2', 'llama-bpe'])('the same vocabulary with pre-tokenizer %s', (pre) => {
    const metadata = new Map([...file.metadata, ['tokenizer.ggml.pre', pre]]);
    const other = loadTokenizer({ path: file.path, metadata });
    compare((text) => other.encode(text), expected(recorded[`ids ${pre}`]));
  });

  test('what the vocabulary can say decodes to the same text', () => {
    // The vocabulary has no token for some control characters; both implementations drop them.
    const printable = (byte: number) => byte === 9 || byte === 10 || byte === 13 || (byte >= 0x20 && byte < 0x7f);
    const writable = texts.filter((text) => [...Buffer.from(text)].every(printable));
    expect(writable.length).toBeGreaterThan(60);
    for (const text of writable) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });
});
