import type { Model } from '@lathe/transformer';

export interface LineScore {
  /** From 1. */
  readonly line: number;
  /** Information of the line's tokens under the model: Σ −log₂ p. */
  readonly bits: number;
  readonly tokens: number;
  /** Bits above what a line of so many tokens costs in this file: see `expectedBits`. */
  readonly excess: number;
}

export interface FileScore {
  readonly path: string;
  readonly tokens: number;
  /** Cross entropy: −log₂ p a token and a byte, mean over the file. Lower: reads more like what the model has learned. */
  readonly bitsPerToken: number;
  readonly bitsPerByte: number;
  readonly lines: readonly LineScore[];
}

/** Tokens seen before a window's first scored one: half of what fits, so that every token has context. */
const OVERLAP = 0.5;

/**
 * How surprising a file is to a model, line by line (Hindle et al. 2012, *On the naturalness of software*). The file is read
 * in windows that overlap by half; each token is scored once, with at least half a window before it but at the start. The
 * first token has nothing before it and is not scored. A token counts for the line its first byte stands on.
 */
export async function scoreFile(
  model: Model,
  path: string,
  text: string,
  options: { signal?: AbortSignal } = {},
): Promise<FileScore> {
  const tokens = model.tokenizer.encode(text);
  const bits = await tokenBits(model, tokens, options.signal);
  const lineBits: number[] = [0];
  const lineTokens: number[] = [0];
  let line = 0;
  let total = 0;
  for (const [i, token] of tokens.entries()) {
    const cost = bits[i] ?? 0;
    total += cost;
    // A token such as "\n    return" opens a line; its cost belongs to the line its first letter is on.
    const bytes = model.tokenizer.bytesOf(token);
    let owner = line;
    let lettered = false;
    for (const byte of bytes) {
      if (byte === 10) {
        line++;
        lineBits[line] = 0;
        lineTokens[line] = 0;
        if (!lettered) owner = line;
      } else if (byte !== 32 && byte !== 9 && byte !== 13) lettered = true;
    }
    if (!lettered) owner = Math.min(owner, line);
    lineBits[owner]! += cost;
    lineTokens[owner]! += 1;
  }
  if (text.endsWith('\n') && lineBits.length > 1) {
    // Nothing stands behind the last line end: what it cost belongs to the line it ends.
    for (const perLine of [lineBits, lineTokens]) {
      const behind = perLine.pop()!;
      perLine[perLine.length - 1]! += behind;
    }
  }
  const scored = Math.max(1, tokens.length - 1);
  const plain = lineBits.map((value, i) => ({ line: i + 1, bits: value, tokens: lineTokens[i]! }));
  const expected = expectedBits(plain);
  const lines = plain.map((each) => ({ ...each, excess: each.bits - expected(each.tokens) }));
  return {
    path,
    tokens: tokens.length,
    bitsPerToken: total / scored,
    bitsPerByte: total / Math.max(1, Buffer.byteLength(text)),
    lines,
  };
}

/**
 * What a line of n tokens costs among the given lines: α + β n by least squares over those with tokens, β n alone where they
 * are too few or all of one length. Longer lines cost more bits without being stranger; what is left says how strange.
 */
export function expectedBits(lines: readonly Pick<LineScore, 'bits' | 'tokens'>[]): (tokens: number) => number {
  const told = lines.filter(({ tokens }) => tokens > 0);
  const sum = (of: (line: (typeof told)[number]) => number) => told.reduce((total, line) => total + of(line), 0);
  const [tokens, bits] = [sum((line) => line.tokens), sum((line) => line.bits)];
  const meanTokens = tokens / told.length;
  const meanBits = bits / told.length;
  const spread = sum((line) => (line.tokens - meanTokens) ** 2);
  if (told.length < FEWEST_LINES || spread === 0) return (n) => (tokens === 0 ? 0 : (n * bits) / tokens);
  const slope = sum((line) => (line.tokens - meanTokens) * (line.bits - meanBits)) / spread;
  return (n) => (n === 0 ? 0 : meanBits + slope * (n - meanTokens));
}

/** Fewer lines than this tell a mean and no slope. */
const FEWEST_LINES = 8;

/** −log₂ p of each token given those before it; 0 for the first. */
async function tokenBits(model: Model, tokens: readonly number[], signal?: AbortSignal): Promise<Float64Array> {
  const bits = new Float64Array(tokens.length);
  const window = model.contextSize;
  let scored = 1;
  while (scored < tokens.length) {
    const start = scored === 1 ? 0 : Math.max(0, scored - Math.floor(window * OVERLAP));
    const end = Math.min(tokens.length, start + window);
    const nats = await model.score(tokens.slice(start, end), signal ? { signal } : {});
    for (let i = scored; i < end; i++) bits[i] = -nats[i - start - 1]! / Math.LN2;
    scored = end;
  }
  return bits;
}
