import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { smollm2File, withoutSmollm2 } from '../__fixtures__/smollm2-file.ts';
import { writeTinyModel } from '../__fixtures__/tiny-model.ts';
import type { NextToken } from '../evaluator.ts';
import { loadEvaluator } from '../load-evaluator.ts';
import { type Model, openModel } from '../open-model.ts';
import { uniform } from '../random.ts';
import type { Sampling } from '../sampling.ts';
import { openGguf } from '../weights/gguf.ts';
import type { Grammar } from './constraint.ts';
import { chooseAllowed } from './restrict.ts';

const V = 200;
const LISTED = 30;

/** A random distribution of which the likeliest tokens are listed, sharper or flatter. */
function distribution(
  seed: number,
  sharpness: number,
  temperature: number,
): { next: NextToken; all: Float32Array; asked(): number } {
  const logits = Array.from({ length: V }, (_, i) => sharpness * uniform(seed, 0, i));
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  const all = Float32Array.from(logits, (logit) => logit - total);
  const order = Array.from(all.keys()).sort((a, b) => all[b]! - all[a]! || a - b);
  const inverse = temperature === 0 ? 1 : 1 / temperature;
  const tempered = Math.log(all.reduce((sum, value) => sum + Math.exp(value * inverse), 0));
  let asked = 0;
  return {
    all,
    asked: () => asked,
    next: {
      topTokens: BigInt64Array.from(order.slice(0, LISTED), BigInt),
      topLogProbabilities: Float32Array.from(order.slice(0, LISTED), (token) => all[token]!),
      temperedMaximum: all[order[0]!]! * inverse - tempered,
      all: async () => {
        asked++;
        return all;
      },
    },
  };
}

/** Temperature, then the restriction, then top-k and top-p, written down once more in the plainest way. */
function reference(all: Float32Array, allowed: ReadonlySet<number>, { temperature, topK, topP }: Sampling) {
  let kept = [...allowed]
    .map((token) => ({ token, p: Math.exp(all[token]! / temperature) }))
    .sort((a, b) => b.p - a.p || a.token - b.token);
  if (topK > 0) kept = kept.slice(0, topK);
  const mass = kept.reduce((sum, { p }) => sum + p, 0);
  let reached = 0;
  const nucleus = kept.filter(({ p }) => {
    const isIn = reached < topP * mass;
    reached += p;
    return isIn;
  });
  const total = nucleus.reduce((sum, { p }) => sum + p, 0);
  return nucleus.map(({ token, p }) => ({ token, p: p / total }));
}

describe('a choice among allowed tokens', () => {
  it.each([
    { temperature: 1, topP: 1, topK: 0 },
    { temperature: 0.7, topP: 0.9, topK: 0 },
    { temperature: 1.4, topP: 1, topK: 5 },
    { temperature: 0.8, topP: 0.6, topK: 40 },
  ])('is the inverse of the renormalised distribution at %o', async (sampling) => {
    let told = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const { next, all, asked } = distribution(seed, seed % 3 === 0 ? 2 : 150, sampling.temperature);
      const share = [0.9, 0.3, 0.02][seed % 3]!;
      const allowed = new Set(
        Array.from({ length: V }, (_, i) => i).filter((i) => i === 7 || uniform(seed, 1, i) < share),
      );
      const mask = new Int32Array(Math.ceil(V / 32));
      for (const token of allowed) mask[token >> 5]! |= 1 << (token & 31);
      let below = 0;
      for (const { token, p } of reference(all, allowed, sampling)) {
        // Just inside both edges of the token's share: rounding may move an edge by the precision of f32.
        for (const u of p > 1e-4 ? [below + 2e-6, below + p / 2, below + p - 2e-5] : [])
          expect(await chooseAllowed(sampling, next, mask, u)).toEqual({ token, logProbability: all[token] });
        below += p;
      }
      told += asked();
    }
    // Some of these take the whole vocabulary.
    expect(told).toBeGreaterThan(0);
  });

  it('does not ask for the whole vocabulary where the listed tokens tell', async () => {
    const { next, asked } = distribution(1, 150, 1);
    const most = new Int32Array(Math.ceil(V / 32)).fill(~(1 << Number(next.topTokens[0]! & 31n)));
    for (const topP of [1, 0.9])
      for (let u = 0.05; u < 1; u += 0.1) await chooseAllowed({ temperature: 1, topP, topK: 0 }, next, most, u);
    expect(asked()).toBe(0);
  });

  it('is the likeliest allowed one at temperature 0, listed or not', async () => {
    const { next, all } = distribution(3, 25, 0);
    for (const count of [1, 5, 150]) {
      const mask = new Int32Array(Math.ceil(V / 32));
      const allowed = Array.from({ length: count }, (_, i) => (i * 67) % V);
      for (const token of allowed) mask[token >> 5]! |= 1 << (token & 31);
      const best = allowed.reduce((a, b) => (all[b]! > all[a]! ? b : a));
      expect((await chooseAllowed({ temperature: 0, topP: 1, topK: 0 }, next, mask, 0.5)).token).toBe(best);
    }
  });
});

describe('a row with a grammar', () => {
  let folder: string;
  let path: string;
  let model: Model;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lathe-grammar-'));
    path = join(folder, 'tiny.gguf');
    await writeTinyModel(path, 'llama', 'Q8_0');
    model = await openModel(path, { precision: 'int8', threads: 2 });
  });
  afterAll(async () => {
    await model.close();
    await rm(folder, { recursive: true });
  });
  const PROMPT = [...Buffer.from('def add(a, b):\n    return ')];
  const REQUEST = { prompt: PROMPT, seed: 3, temperature: 1.3, topP: 1, maxTokens: 60 };
  const ebnf = (text: string): Grammar => ({ kind: 'ebnf', text });
  const SMALL = ebnf('root ::= [abc] ("x" | "yz")?');

  it('has a text of the grammar as often as the restricted model gives it: frequencies within 5 standard errors', async () => {
    const rows = 600;
    const counts = new Map<string, number>();
    for (const seed of [1, 2, 3])
      for (const { text, finish } of (await model.generate({ ...REQUEST, seed, n: rows / 3, grammar: SMALL })).rows) {
        expect(finish).toBe('end');
        counts.set(text, (counts.get(text) ?? 0) + 1);
      }

    const file = await openGguf(path);
    const { evaluator } = await loadEvaluator(file, {
      precision: 'int8',
      threads: 1,
      spinning: false,
      contextSize: 64,
    });
    const end = model.tokenizer.eosIds[0]!;
    const after = async (text: string, allowed: readonly number[]) => {
      const { last } = await evaluator.extend(evaluator.emptyPrefix(), [...PROMPT, ...Buffer.from(text)], [1]);
      const all = await last[0]!.all();
      const powers = allowed.map((token) => Math.exp(all[token]! / REQUEST.temperature));
      const total = powers.reduce((a, b) => a + b);
      return powers.map((power) => power / total);
    };
    const expected = new Map<string, number>();
    const firsts = await after('', [...Buffer.from('abc')]);
    for (const [i, first] of ['a', 'b', 'c'].entries()) {
      const [ends, x, y] = await after(first, [end, ...Buffer.from('xy')]);
      expected.set(first, firsts[i]! * ends!);
      expected.set(`${first}x`, firsts[i]! * x!);
      expected.set(`${first}yz`, firsts[i]! * y!);
    }
    expect([...counts.keys()].filter((text) => !expected.has(text))).toEqual([]);
    for (const [text, p] of expected)
      expect(Math.abs((counts.get(text) ?? 0) - rows * p), text).toBeLessThanOrEqual(
        5 * Math.sqrt(rows * p * (1 - p)) + 1,
      );
    await evaluator.close();
    await file.close();
  });

  it('reports the model’s own log-probabilities', async () => {
    const { rows } = await model.generate({ ...REQUEST, n: 3, grammar: SMALL });
    for (const { tokens, logProbabilities } of rows) {
      const scored = await model.score([...PROMPT, ...tokens, model.tokenizer.eosIds[0]!]);
      for (const [i, value] of logProbabilities.entries()) expect(value).toBeCloseTo(scored[PROMPT.length - 1 + i]!, 3);
    }
  });

  it('is the same alone and beside rows of other grammars and of none', async () => {
    const other = ebnf('root ::= [0-9]{3}');
    const rows = [
      { index: 0, grammar: SMALL },
      { index: 1, grammar: other },
      { index: 2, maxTokens: 9 },
      { index: 3, grammar: SMALL },
    ];
    const together = (await model.generate({ ...REQUEST, rows })).rows;
    for (const [i, row] of rows.entries())
      expect((await model.generate({ ...REQUEST, rows: [row] })).rows).toEqual([together[i]]);
    expect(together[1]!.text).toMatch(/^\d{3}$/);
    expect(together[2]).toEqual((await model.generate({ ...REQUEST, n: 3, maxTokens: 9 })).rows[2]);
  });

  it('drawn without replacement gives every text of a small grammar once', async () => {
    const { rows } = await model.generate({ ...REQUEST, n: 12, distinct: 1, grammar: SMALL });
    expect(rows.map(({ text }) => text).sort()).toEqual(['a', 'ax', 'ayz', 'b', 'bx', 'byz', 'c', 'cx', 'cyz']);
    const total = rows.reduce((sum, { draw }) => sum + Math.exp(draw!.logProbability), 0);
    expect(total).toBeCloseTo(1, 4);
  });

  it('may write any bytes the grammar asks for, and no control token', async () => {
    const { rows } = await model.generate({
      ...REQUEST,
      n: 2,
      temperature: 0,
      grammar: ebnf('root ::= "é<|end|>\\n" ("一" | "丁")'),
    });
    expect(rows[0]!.text).toMatch(/^é<\|end\|>\n[一丁]$/);
    expect(rows[0]!.finish).toBe('end');
  });

  it.each([
    ['a rule that is not there', ebnf('root ::= "a" b'), /b/],
    ['no grammar at all', ebnf('hello'), /not a grammar/],
    ['a class it would misread', ebnf('root ::= [a-é]'), /ASCII/],
    ['an unknown type', { kind: 'json-schema', schema: { type: 'nonsense' } }, /nonsense/],
  ] as [string, Grammar, RegExp][])('is refused for %s, and the next one is taken', async (_, grammar, said) => {
    const failing = model.generate({ ...REQUEST, n: 1, grammar });
    await expect(failing).rejects.toMatchObject({
      code: 'LATHE_MODEL_GRAMMAR',
      message: expect.stringMatching(said),
      remedy: expect.any(String),
    });
    await expect(failing).rejects.not.toThrow(/\.cc:/);
    expect((await model.generate({ ...REQUEST, n: 1, grammar: SMALL })).rows[0]!.text).toMatch(/^[abc](x|yz)?$/);
  });

  it('refuses to go on past its end', async () => {
    await expect(model.generate({ ...REQUEST, grammar: SMALL, ignoreEnd: true })).rejects.toMatchObject({
      code: 'LATHE_MODEL_REQUEST',
    });
  });
});

describe.skipIf(smollm2File === null)(`SmolLM2-135M${withoutSmollm2}`, () => {
  it('answers with JSON of the schema for each of 20 seeds', async () => {
    const shape = z.strictObject({
      path: z.string().regex(/^[a-z]{1,8}\.js$/),
      severity: z.enum(['low', 'high']),
      lines: z.array(z.int().min(1).max(999)).max(2),
      note: z.strictObject({ text: z.string().max(12) }).nullable(),
    });
    const model = await openModel(smollm2File!, { precision: 'int8', threads: 2 });
    const prompt = model.tokenizer.encode('Report the problem you found in the file:\n');
    const rows = Array.from({ length: 20 }, (_, seed) => ({ index: seed, seed, maxTokens: 200 }));
    const grammar: Grammar = { kind: 'json-schema', schema: z.toJSONSchema(shape) };
    const made = await model.generate({ prompt, rows, grammar, temperature: 1.1, topP: 1 });
    for (const { text, finish } of made.rows) {
      expect(finish, text).toBe('end');
      shape.parse(JSON.parse(text));
    }
    await model.close();
  }, 60_000);
});
