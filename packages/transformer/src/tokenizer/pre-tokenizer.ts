/**
 * How a text is cut into words before byte-pair merging, by the name in `tokenizer.ggml.pre`. The patterns are those the
 * models were trained with; llama.cpp (src/llama-vocab.cpp) is the reference for which name means which. Patterns are
 * applied one after the other, each to the pieces of the one before; what a pattern leaves between matches is a piece too.
 */
import { TokenizerError } from './tokenizer-error.ts';

export interface PreTokenizer {
  readonly patterns: readonly string[];
  /** A word that is in the vocabulary as a whole is one token, whatever the merges say. */
  readonly ignoreMerges: boolean;
  /** Whether a begin token comes first where the file does not say. */
  readonly addBos: boolean;
}

// Contractions spelled out: `i` with `u` would also fold U+017F (ſ) to s, which the reference does not.
const CONTRACTIONS = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const modern = (digits: string) =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const plain = (...patterns: string[]): PreTokenizer => ({ patterns, ignoreMerges: false, addBos: false });
const LLAMA3: PreTokenizer = { patterns: [modern('\\p{N}{1,3}')], ignoreMerges: true, addBos: true };

const BY_NAME: ReadonlyMap<string, PreTokenizer> = new Map([
  ['default', plain('[\\p{P}\\$\\+<=>\\^~\\|]+', GPT2, '\\p{N}+', '[0-9][0-9][0-9]')],
  ['gpt-2', plain(GPT2)],
  ['smollm', plain('\\p{N}', GPT2)],
  ['starcoder', plain('\\p{N}', GPT2)],
  ['refact', plain('\\p{N}', GPT2)],
  ['qwen2', plain(modern('\\p{N}'))],
  ['llama-bpe', LLAMA3],
  ['llama3', LLAMA3],
  ['llama-v3', LLAMA3],
]);

/** `name` as in the file; null means `default`, as in llama.cpp. */
export function preTokenizer(name: string | null): PreTokenizer {
  const found = BY_NAME.get(name ?? 'default');
  if (found !== undefined) return found;
  throw new TokenizerError(
    'LATHE_TOKENIZER_UNSUPPORTED',
    `tokenizer.ggml.pre: expected one of ${[...BY_NAME.keys()].join(', ')}, got ${JSON.stringify(name)}`,
    'Use a model of the SmolLM2, Qwen2.5 or Llama 3 family.',
  );
}
