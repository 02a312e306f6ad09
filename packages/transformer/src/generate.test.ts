import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { smollm2File, withoutSmollm2 } from './__fixtures__/smollm2-file.ts';
import { END_TOKEN, writeTinyModel } from './__fixtures__/tiny-model.ts';
import { type NextToken, TOP_CANDIDATES } from './evaluator.ts';
import { generate } from './generate.ts';
import { loadEvaluator } from './load-evaluator.ts';
import { type GenerateRequest, type Model, openModel } from './open-model.ts';
import { inverseTemperature, type RowRequest, type TokenNews } from './row.ts';
import { openGguf } from './weights/gguf.ts';

let folder: string;
let path: string;
let model: Model;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-generate-'));
  path = join(folder, 'tiny.gguf');
  await writeTinyModel(path, 'llama', 'Q8_0');
  model = await openModel(path, { precision: 'int8', threads: 2 });
});
afterAll(async () => {
  await model.close();
  await rm(folder, { recursive: true });
});

const PROMPT = [...Buffer.from('def add(a, b):\n    return ')];
const REQUEST = { prompt: PROMPT, seed: 11, temperature: 1.5, topP: 1, maxTokens: 24 };

describe('a row', () => {
  it.each(['f32', 'exact', 'int8'] as const)(
    'is the same alone, among ten and after others end, in %s',
    async (precision) => {
      const other = await openModel(path, { precision, threads: 2 });
      const ten = (await other.generate({ ...REQUEST, n: 10 })).rows;
      for (const index of [0, 3, 9])
        expect((await other.generate({ ...REQUEST, rows: [{ index }] })).rows).toEqual([ten[index]]);
      const mixed = await other.generate({
        ...REQUEST,
        rows: ten.map(({ index }) =>
          index % 2 === 0 ? { index } : { index, maxTokens: index, temperature: 0.5, topP: 0.9 },
        ),
      });
      for (const row of mixed.rows) if (row.index % 2 === 0) expect(row).toEqual(ten[row.index]);
      await other.close();
    },
  );

  it('differs with its index and with the seed, and repeats with both', async () => {
    const texts = async (seed: number) =>
      (await model.generate({ ...REQUEST, seed, n: 4 })).rows.map(({ tokens }) => tokens.join());
    const first = await texts(1);
    expect(new Set([...first, ...(await texts(2))]).size).toBe(8);
    expect(await texts(1)).toEqual(first);
  });

  it('carries the log-probability of each token as scoring gives it', async () => {
    const { rows } = await model.generate({ ...REQUEST, n: 2 });
    for (const { tokens, logProbabilities, finish } of rows) {
      const all = finish === 'end' ? [...tokens, END_TOKEN] : tokens;
      const scored = await model.score([...PROMPT, ...all]);
      expect(logProbabilities.length).toBe(all.length);
      for (const [i, value] of logProbabilities.entries()) expect(value).toBeCloseTo(scored[PROMPT.length - 1 + i]!, 3);
    }
  });

  it('at temperature 0 takes the most likely token whatever its seed', async () => {
    const { rows } = await model.generate({ ...REQUEST, temperature: 0, rows: [{ index: 0 }, { index: 5, seed: 99 }] });
    expect(rows[0]!.tokens).toEqual(rows[1]!.tokens);
  });

  it('with the seed and index alone fixes samples that follow the model: frequencies within 5 standard errors', async () => {
    const rows = 400;
    const { rows: made } = await model.generate({ ...REQUEST, n: rows, maxTokens: 1 });
    const counts = new Map<number, number>();
    for (const { tokens } of made) counts.set(tokens[0] ?? END_TOKEN, (counts.get(tokens[0] ?? END_TOKEN) ?? 0) + 1);
    const file = await openGguf(path);
    const { evaluator } = await loadEvaluator(file, {
      precision: 'int8',
      threads: 1,
      spinning: false,
      contextSize: 64,
    });
    const { last } = await evaluator.extend(evaluator.emptyPrefix(), PROMPT, [1]);
    const weights = Array.from(await last[0]!.all(), (value) => Math.exp(value / REQUEST.temperature));
    const total = weights.reduce((a, b) => a + b);
    for (const [token, weight] of weights.entries()) {
      const p = weight / total;
      expect(Math.abs((counts.get(token) ?? 0) - rows * p)).toBeLessThanOrEqual(5 * Math.sqrt(rows * p * (1 - p)) + 1);
    }
    await evaluator.close();
    await file.close();
  });
});

describe('the end of a row', () => {
  it('is a stop string, which is not shown, however it is cut into tokens', async () => {
    const plain = (await model.generate({ ...REQUEST, n: 1, maxTokens: 40 })).rows[0]!;
    const stop = plain.text.slice(6, 9);
    const seen: TokenNews[] = [];
    const { rows } = await model.generate({
      ...REQUEST,
      n: 1,
      maxTokens: 40,
      stop: ['never there', stop],
      onToken: (news) => seen.push(news),
    });
    expect(rows[0]!.finish).toBe('stop');
    expect(rows[0]!.text).toBe(plain.text.slice(0, plain.text.indexOf(stop)));
    expect(seen.map(({ text }) => text).join('')).toBe(rows[0]!.text);
    expect(seen.at(-1)!.finish).toBe('stop');
  });

  it('is the end of the function it fills, also where more comes with the same token', async () => {
    const seen: TokenNews[] = [];
    const { rows } = await model.generate({
      ...REQUEST,
      n: 2,
      grammar: { kind: 'ebnf', text: 'root ::= "\\n  return {};\\n}" [ab]{30}' },
      stopWhen: { kind: 'function-body', language: 'javascript', opening: 'function f() {' },
      maxTokens: 60,
      onToken: (news) => seen.push(news),
    });
    for (const row of rows) expect(row).toMatchObject({ finish: 'stop', text: '\n  return {};\n}' });
    const shown = seen.filter(({ index }) => index === 0);
    expect(shown.map(({ text }) => text).join('')).toBe(rows[0]!.text);
    expect(shown.at(-1)!.finish).toBe('stop');
  });

  it('is the number of tokens asked for, or the window', async () => {
    const { rows } = await model.generate({ ...REQUEST, n: 3, maxTokens: 5 });
    for (const row of rows)
      if (row.finish !== 'end') expect(row).toMatchObject({ finish: 'length', tokens: { length: 5 } });
    const long = await model.generate({ ...REQUEST, prompt: Array(250).fill(65), maxTokens: 100, n: 2 });
    for (const row of long.rows) expect(row.tokens.length).toBeLessThanOrEqual(6);
  });

  it('comes with the signal: what was made stays', async () => {
    const controller = new AbortController();
    let tokens = 0;
    const { rows } = await model.generate({
      ...REQUEST,
      n: 3,
      maxTokens: 200,
      signal: controller.signal,
      onToken: () => {
        if (++tokens === 12) controller.abort();
      },
    });
    const cancelled = rows.filter(({ finish }) => finish === 'cancelled');
    expect(cancelled.length).toBeGreaterThan(0);
    for (const row of cancelled) {
      expect(row.tokens.length).toBeGreaterThan(0);
      expect(row.tokens.length).toBeLessThan(200);
    }
    const before = await model.generate({ ...REQUEST, n: 2, signal: AbortSignal.abort() });
    for (const row of before.rows) expect(row).toMatchObject({ finish: 'cancelled', tokens: [] });
  });
});

describe('rows drawn together', () => {
  it.each(['f32', 'exact', 'int8'] as const)(
    'all differ, and are the first of the same order however many are asked for, in %s',
    async (precision) => {
      const other = await openModel(path, { precision, threads: 2 });
      const request = { ...REQUEST, distinct: 1, temperature: 1, maxTokens: 12 };
      const ten = await other.generate({ ...request, n: 10 });
      expect(new Set(ten.rows.map(({ text }) => text)).size).toBe(10);
      expect(ten.duplicates).toBe(0);
      const four = await other.generate({ ...request, rows: [{ index: 3 }, { index: 1 }] });
      expect(four.rows.map(({ index, tokens }) => ({ index, tokens }))).toEqual(
        [3, 1].map((index) => ({ index, tokens: ten.rows[index]!.tokens })),
      );
      for (const { draw, logProbabilities } of ten.rows)
        expect(draw!.logProbability).toBeCloseTo(
          logProbabilities.reduce((a, b) => a + b),
          3,
        );
      await other.close();
    },
  );

  it('tell their tokens when they are final, and before that how far they are', async () => {
    const texts = new Map<number, string>();
    const progress: number[] = [];
    const { rows } = await model.generate({
      ...REQUEST,
      distinct: 1,
      n: 4,
      onToken: ({ index, text }) => texts.set(index, (texts.get(index) ?? '') + text),
      onProgress: (tokens) => progress.push(tokens),
    });
    expect(rows.map(({ text }) => text)).toEqual([0, 1, 2, 3].map((index) => texts.get(index)));
    expect(progress).toEqual(Array.from(progress, (_, i) => i + 1));
    expect(progress.at(-1)).toBe(24);
  });

  it('repeat a text where the dial says so, and the duplicates are counted', async () => {
    const request = { ...REQUEST, temperature: 0.05, maxTokens: 2, n: 10 };
    const { rows, duplicates } = await model.generate({ ...request, distinct: 0.05 });
    expect(duplicates).toBe(10 - new Set(rows.map(({ text }) => text)).size);
    expect(duplicates).toBeGreaterThan(0);
    expect((await model.generate({ ...request, distinct: 1 })).duplicates).toBe(0);
  });
});

describe('guessing ahead', () => {
  const again = { ...REQUEST, prompt: [...Buffer.from('abcabcabc'.repeat(8))], temperature: 0.3, maxTokens: 60 };

  it('is for at most four rows that ask for it, and is counted', async () => {
    const { timings } = await model.generate({ ...again, n: 4, speculate: true });
    expect(timings.drafts.drafted).toBeGreaterThan(0);
    expect(timings.drafts.accepted).toBeLessThanOrEqual(timings.drafts.drafted);
    for (const request of [{ n: 4 }, { n: 5, speculate: true }, { n: 4, speculate: true, distinct: 1 }])
      expect((await model.generate({ ...again, ...request })).timings.drafts).toEqual({ drafted: 0, accepted: 0 });
  });

  it('keeps to a grammar', async () => {
    const grammar = { kind: 'ebnf', text: 'root ::= "abc"{3,9} "."' } as const;
    const { rows, timings } = await model.generate({ ...again, n: 3, grammar, speculate: true });
    for (const { text, finish } of rows) if (finish === 'end') expect(text).toMatch(/^(abc){3,9}\.$/);
    expect(rows.every(({ text }) => /^[abc.]+$/.test(text))).toBe(true);
    expect(timings.drafts.accepted).toBeGreaterThan(10);
  });

  it('keeps to stop strings, to maxTokens and to the signal', async () => {
    const { rows } = await model.generate({ ...again, n: 3, maxTokens: 7, speculate: true });
    for (const { tokens, finish } of rows) if (finish !== 'end') expect(tokens.length).toBe(7);
    const plain = rows[0]!.text;
    const stopped = await model.generate({ ...again, maxTokens: 7, stop: [plain.slice(2, 4)], speculate: true });
    expect(stopped.rows[0]).toMatchObject({ finish: 'stop', text: plain.slice(0, plain.indexOf(plain.slice(2, 4))) });
    const none = await model.generate({ ...again, n: 2, speculate: true, signal: AbortSignal.abort() });
    for (const row of none.rows) expect(row).toMatchObject({ finish: 'cancelled', tokens: [] });
  });
});

describe('the batch', () => {
  it('becomes smaller as rows end', async () => {
    const file = await openGguf(path);
    const { evaluator } = await loadEvaluator(file, {
      precision: 'int8',
      threads: 2,
      spinning: false,
      contextSize: 128,
    });
    const sizes: number[] = [];
    const step = evaluator.step.bind(evaluator);
    evaluator.step = (prefix, suffix, tokens, inverse) => {
      sizes.push(tokens.length);
      return step(prefix, suffix, tokens, inverse);
    };
    const rows = [4, 4, 8, 12].map(
      (maxTokens, index): RowRequest => ({
        index,
        seed: 1,
        maxTokens,
        stop: [],
        temperature: 0,
        topP: 1,
        topK: 0,
        ignoreEnd: false,
        grammar: null,
        stopWhen: null,
      }),
    );
    const { prefix, last } = await evaluator.extend(evaluator.emptyPrefix(), PROMPT, [1]);
    const { rows: made } = await generate(
      evaluator,
      { size: 258, bytesOf: (token) => Uint8Array.of(token), isControl: () => false, isEnd: () => false },
      { tokens: PROMPT, prefix, last: new Map<number, NextToken>([[inverseTemperature(rows[0]!), last[0]!]]) },
      rows,
      { isCancelled: () => false, onStep: () => {} },
    );
    // The first token of each row comes with the prompt.
    expect(sizes).toEqual([4, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1]);
    expect(made.map(({ tokens }) => tokens.length)).toEqual([4, 4, 8, 12]);
    await evaluator.close();
    await file.close();
  });
});

describe('a request', () => {
  it.each<[string, Partial<GenerateRequest>, string]>([
    ['an empty prompt', { prompt: [] }, 'LATHE_MODEL_CONTEXT'],
    ['a prompt longer than the window', { prompt: Array(300).fill(1) }, 'LATHE_MODEL_CONTEXT'],
    ['a token that is not in the vocabulary', { prompt: [99_999] }, 'LATHE_MODEL_REQUEST'],
    ['a negative temperature', { temperature: -1 }, 'LATHE_MODEL_REQUEST'],
    ['a top-p of 0', { topP: 0 }, 'LATHE_MODEL_REQUEST'],
    [
      'rows of two temperatures that are drawn together',
      { distinct: 1, rows: [{ index: 0 }, { index: 1, temperature: 1 }] },
      'LATHE_MODEL_REQUEST',
    ],
    ['temperature 0 and rows that are to differ', { distinct: 1, temperature: 0 }, 'LATHE_MODEL_REQUEST'],
    ['a dial beyond 1', { distinct: 1.5 }, 'LATHE_MODEL_REQUEST'],
    ['one index twice', { rows: [{ index: 1 }, { index: 1 }] }, 'LATHE_MODEL_REQUEST'],
  ])('with %s is refused', async (_, wrong, code) => {
    await expect(model.generate({ ...REQUEST, ...wrong })).rejects.toMatchObject({ code });
  });

  it('after the model is closed is refused, and close may be called twice', async () => {
    const closed = await openModel(path, { precision: 'f32', threads: 1 });
    await closed.close();
    await closed.close();
    await expect(closed.generate(REQUEST)).rejects.toMatchObject({ code: 'LATHE_MODEL_WORKER' });
  });

  it('under way when the model is closed fails', async () => {
    const closing = await openModel(path, { precision: 'f32', threads: 1 });
    const under = closing.generate({ ...REQUEST, n: 8, maxTokens: 200 });
    await Promise.all([expect(under).rejects.toMatchObject({ code: 'LATHE_MODEL_WORKER' }), closing.close()]);
  });
});

describe('opening', () => {
  it('refuses an architecture it does not know by its name', async () => {
    const file = await openGguf(path);
    const other = { ...file, metadata: new Map([...file.metadata, ['general.architecture', 'mamba']]) };
    await expect(openModel(other)).rejects.toMatchObject({
      code: 'LATHE_MODEL_ARCHITECTURE',
      message: expect.stringContaining('mamba'),
    });
    await file.close();
  });

  it('names a tensor that is missing', async () => {
    const short = join(folder, 'short.gguf');
    await writeTinyModel(short, 'llama', 'F32', 3);
    await expect(openModel(short)).rejects.toMatchObject({
      code: 'LATHE_MODEL_TENSOR',
      message: expect.stringContaining('blk.2'),
    });
  });

  it('keeps the main thread free while the model works', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const { timings } = await model.generate({ ...REQUEST, n: 64, maxTokens: 60 });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(timings.decodeMs / 50);
  });
});

describe('SmolLM2-135M', () => {
  it.skipIf(smollm2File === null)(
    `gives a row the same text alone and among ten, in int8${withoutSmollm2}`,
    async () => {
      const real = await openModel(smollm2File!, { precision: 'int8' });
      const prompt = real.tokenizer.encode('import os\n\ndef read_lines(path):\n    """Lines of a file."""\n');
      const request = { prompt, seed: 5, temperature: 0.9, maxTokens: 24 };
      const ten = (await real.generate({ ...request, n: 10 })).rows;
      for (const index of [0, 7])
        expect((await real.generate({ ...request, rows: [{ index }] })).rows).toEqual([ten[index]]);
      expect(TOP_CANDIDATES).toBeLessThan(real.config.vocabSize);
      await real.close();
    },
  );
});
