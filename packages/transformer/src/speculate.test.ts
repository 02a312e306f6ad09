import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REQUEST, TableModel, textsOf } from './__fixtures__/table-model.ts';
import { writeTinyModel } from './__fixtures__/tiny-model.ts';
import { Drafter, DraftLength } from './draft.ts';
import type { Evaluator } from './evaluator.ts';
import { generate } from './generate.ts';
import { loadEvaluator } from './load-evaluator.ts';
import { inverseTemperature, type RowRequest, type TokenNews, type Vocabulary } from './row.ts';
import { generateSpeculatively } from './speculate.ts';
import { openGguf } from './weights/gguf.ts';

const COST = { first: 0, each: 0.05 };

/** Always the same short draft lengths, so that every kind of block occurs. */
const FREE = { first: 0, each: 0 };

async function speculate(model: TableModel, requests: readonly RowRequest[], cost = COST) {
  const told: TokenNews[] = [];
  const prompt = model.prompt([...new Set(requests.map(inverseTemperature))]);
  const made = await generateSpeculatively(model, model.vocabulary, prompt, requests, {
    cost,
    isCancelled: () => false,
    onStep: (news) => told.push(...news),
  });
  return { ...made, told };
}

function plain(model: TableModel, requests: readonly RowRequest[]) {
  const prompt = model.prompt([...new Set(requests.map(inverseTemperature))]);
  const evaluator = model as unknown as Evaluator;
  return generate(evaluator, model.vocabulary, prompt, requests, { isCancelled: () => false, onStep: () => {} });
}

/** What the model tends to say, so that looking it up is often right, and as often wrong. */
const PROMPT = Array.from({ length: 60 }, (_, i) => (i * i * 7 + i) % 4);

describe('speculation', () => {
  it.each([1, 2, 3, 4])('gives %d rows the very texts they have without', async (rows) => {
    let [drafted, accepted] = [0, 0];
    for (let seed = 0; seed < 150; seed++) {
      const requests = Array.from({ length: rows }, (_, index) => ({
        ...REQUEST,
        index,
        seed,
        maxTokens: 14 + 3 * index,
        temperature: [0.3, 0, 1, 0.6][index]!,
        topP: index === 2 ? 0.9 : 1,
        stop: index === 3 ? ['aab'] : [],
      }));
      const model = new TableModel({ sharpness: 5, promptTokens: PROMPT });
      const made = await speculate(model, requests, FREE);
      expect(made.rows).toEqual((await plain(new TableModel({ sharpness: 5 }), requests)).rows);
      for (const { index, text } of made.rows)
        expect(made.told.flatMap((news) => (news.index === index ? [news.text] : [])).join('')).toBe(text);
      drafted += made.drafts.drafted;
      accepted += made.drafts.accepted;
    }
    expect(accepted).toBeGreaterThan(50);
    expect(drafted - accepted).toBeGreaterThan(50);
  });

  it('gives texts with the probabilities of the model: total variation within what 4,000 draws leave to chance', async () => {
    const request = { ...REQUEST, maxTokens: 5, temperature: 0.7, topK: 4 };
    const model = new TableModel({ sharpness: 4, promptTokens: PROMPT });
    const texts = textsOf(model.enumerate(request));
    const draws = 4000;
    const counts = new Map<string, number>();
    for (let seed = 0; seed < draws; seed++) {
      const { rows } = await speculate(model, [{ ...request, seed }], FREE);
      counts.set(rows[0]!.text, (counts.get(rows[0]!.text) ?? 0) + 1);
    }
    let variation = 0;
    let chance = 0;
    for (const [text, p] of texts) {
      variation += Math.abs((counts.get(text) ?? 0) / draws - p) / 2;
      // Mean of |X / n − p| for a binomial X, at most √(p(1 − p) / n).
      chance += Math.sqrt((p * (1 - p)) / draws) / 2;
    }
    expect([...counts.keys()].every((text) => texts.has(text))).toBe(true);
    expect(variation).toBeLessThan(chance);
    expect(chance).toBeLessThan(0.1);
  });

  it('takes fewer steps where the text was there before', async () => {
    const model = new TableModel({ sharpness: 8 });
    const request = { ...REQUEST, temperature: 0, maxTokens: 40, ignoreEnd: true };
    const { rows, steps } = await plain(model, [request]);
    const copied = new TableModel({ sharpness: 8, promptTokens: rows[0]!.tokens });
    const made = await speculate(copied, [request]);
    expect(made.rows[0]!.tokens).toEqual(rows[0]!.tokens);
    expect(made.steps).toBeLessThan(steps / 3);
  });
});

describe('a draft', () => {
  it('goes on where the last three tokens, else two, stood most recently', () => {
    const drafter = new Drafter([1, 2, 3, 4, 5, 9, 2, 3, 6, 7]);
    for (const token of [1, 2, 3]) drafter.push(token);
    expect(drafter.draft(2)).toEqual([4, 5]);
    const other = new Drafter([1, 2, 3, 4, 5, 9, 2, 3, 6, 7]);
    for (const token of [8, 2, 3]) other.push(token);
    expect(other.draft(9)).toEqual([6, 7, 8, 2, 3]);
    other.push(5);
    expect(other.draft(3)).toEqual([]);
  });

  it('goes on from where it came true, also where the same tokens stood elsewhere since', () => {
    const drafter = new Drafter([1, 2, 3, 4, 5, 6, 0, 4, 5, 7]);
    for (const token of [1, 2, 3]) drafter.push(token);
    expect(drafter.draft(1)).toEqual([4]);
    for (const token of [4, 5]) drafter.push(token);
    expect(drafter.draft(1)).toEqual([6]);
  });

  it('becomes longer as drafts come true, ends where they do not, and is tried again later', () => {
    const length = new DraftLength({ first: 0, each: 0.3 });
    for (let i = 0; i < 40; i++) length.learn(4, 4);
    expect(length.next()).toBeGreaterThan(4);
    for (let i = 0; i < 100; i++) length.learn(4, 0);
    expect(length.next()).toBe(0);
    const later = Array.from({ length: 400 }, () => length.next());
    expect(later.findIndex((most) => most > 0)).toBeGreaterThan(10);
    expect(later.at(-1)).toBeGreaterThan(0);
  });

  it('of several tokens does not pay where the first one more doubles the step', () => {
    const cheap = new DraftLength({ first: 0, each: 0.05 });
    const dear = new DraftLength({ first: 2, each: 0.05 });
    expect(cheap.next()).toBeGreaterThan(0);
    expect(dear.next()).toBe(0);
  });
});

describe('the model itself', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lathe-speculate-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(['f32', 'exact'] as const)('gives rows the texts they have without, in %s', async (precision) => {
    const path = join(folder, `${precision}.gguf`);
    await writeTinyModel(path, 'llama', 'Q8_0');
    const file = await openGguf(path);
    const setup = { precision, threads: 1, spinning: false, contextSize: 256 };
    const { evaluator } = await loadEvaluator(file, setup);
    const vocabulary: Vocabulary = {
      size: 258,
      bytesOf: (token) => Uint8Array.of(token),
      isControl: () => false,
      isEnd: () => false,
    };
    // A text that repeats itself, so that there is something to look up.
    const tokens = [...Buffer.from('abcabcabcabcabc'.repeat(4))];
    const { prefix, last } = await evaluator.extend(evaluator.emptyPrefix(), tokens, [2]);
    const prompt = { tokens, prefix, last: new Map([[2, last[0]!]]) };
    const requests = [0, 1, 2].map((index) => ({ ...REQUEST, index, seed: 3, temperature: 0.5, maxTokens: 60 }));
    const steering = { isCancelled: () => false, onStep: () => {} };
    const { rows } = await generate(evaluator, vocabulary, prompt, requests, steering);
    const made = await generateSpeculatively(evaluator, vocabulary, prompt, requests, { ...steering, cost: FREE });
    expect(made.rows.map((row) => row.tokens)).toEqual(rows.map((row) => row.tokens));
    expect(made.drafts.drafted).toBeGreaterThan(20);
    await evaluator.close();
    await file.close();
  });
});
