import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { smollm2File, withoutSmollm2 } from './__fixtures__/smollm2-file.ts';
import type { Evaluator } from './evaluator.ts';
import { loadEvaluator } from './load-evaluator.ts';
import type { Precision } from './precision.ts';
import { type GgufFile, openGguf } from './weights/gguf.ts';

/** Recorded from llama.cpp with the same weights in f32 by bench/peers/record.js. */
interface Recorded {
  readonly promptTokens: readonly number[];
  /** First choice after each prompt token. */
  readonly topTokens: readonly number[];
}
const PROMPTS: readonly Recorded[] = JSON.parse(
  readFileSync(new URL('./__fixtures__/llama-cpp/smollm2-135m-f32.json', import.meta.url), 'utf8'),
).prompts;

describe.skipIf(smollm2File === null)(`SmolLM2-135M in int8${withoutSmollm2}`, () => {
  let file: GgufFile;
  beforeAll(async () => {
    file = await openGguf(smollm2File!);
  });
  afterAll(() => file?.close());

  async function evaluate<T>(precision: Precision, use: (evaluator: Evaluator) => Promise<T>): Promise<T> {
    const setup = { precision, threads: 2, spinning: false, contextSize: 1024 };
    const { evaluator } = await loadEvaluator(file, setup);
    const result = await use(evaluator);
    await evaluator.close();
    return result;
  }

  const perplexity = async (evaluator: Evaluator) => {
    let [nats, count] = [0, 0];
    for (const { promptTokens } of PROMPTS) {
      const scored = await evaluator.score(evaluator.emptyPrefix(), promptTokens.slice(0, -1), promptTokens.slice(1));
      for (const value of scored.logProbabilities) nats -= value;
      count += promptTokens.length - 1;
    }
    return Math.exp(nats / count);
  };

  it('has the perplexity of f32 within 1 %', async () => {
    const expected = await evaluate('f32', perplexity);
    const got = await evaluate('int8', perplexity);
    expect(Math.abs(got / expected - 1)).toBeLessThan(0.01);
  }, 240_000);

  it('makes the first choice of f32 after 94 of 100 tokens', async () => {
    const agreed = await evaluate('int8', async (evaluator) => {
      let [same, all] = [0, 0];
      for (const { promptTokens, topTokens } of PROMPTS) {
        const { logits } = await evaluator.logits(evaluator.emptyPrefix(), promptTokens);
        const width = logits.length / promptTokens.length;
        for (const [place, token] of topTokens.entries()) {
          const row = logits.subarray(place * width, (place + 1) * width);
          if (row.indexOf(row.reduce((a, b) => Math.max(a, b))) === token) same++;
          all++;
        }
      }
      return same / all;
    });
    expect(agreed).toBeGreaterThanOrEqual(0.94);
  }, 240_000);
});
