import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { smollm2File, withoutSmollm2 } from './__fixtures__/smollm2-file.ts';
import type { Evaluator } from './evaluator.ts';
import { loadEvaluator } from './load-evaluator.ts';
import { type GgufFile, openGguf } from './weights/gguf.ts';

/** Recorded by bench/peers/record.js. */
interface Recorded {
  readonly text: string;
  readonly promptTokens: number[];
  /** llama.cpp's first choice after each prompt token. */
  readonly topTokens: number[];
  /** The ten highest logits after the last prompt token. */
  readonly lastLogits: [token: number, logit: number][];
  readonly greedyTokens: number[];
}

function recorded(name: string): Recorded[] {
  return JSON.parse(readFileSync(new URL(`./__fixtures__/llama-cpp/${name}.json`, import.meta.url), 'utf8')).prompts;
}

describe.skipIf(smollm2File === null)(`SmolLM2-135M as llama.cpp evaluates it${withoutSmollm2}`, () => {
  const f32 = recorded('smollm2-135m-f32');
  const stored = recorded('smollm2-135m');
  let file: GgufFile;
  let evaluator: Evaluator;
  let vocabSize: number;
  /** Our first choice after each token of prompt and recorded continuation, and the logits after the prompt. */
  const ours: { topTokens: number[]; lastLogits: Float32Array }[] = [];

  beforeAll(async () => {
    file = await openGguf(smollm2File!);
    const loaded = await loadEvaluator(file, { precision: 'f32', threads: 2, spinning: false, contextSize: 1024 });
    evaluator = loaded.evaluator;
    vocabSize = loaded.config.vocabSize;
    for (const { promptTokens, greedyTokens } of f32) {
      const tokens = [...promptTokens, ...greedyTokens];
      const { logits } = await evaluator.logits(evaluator.emptyPrefix(), tokens);
      const after = (place: number) => logits.subarray(place * vocabSize, (place + 1) * vocabSize);
      ours.push({
        topTokens: tokens.map((_, place) => highest(after(place))),
        lastLogits: after(promptTokens.length - 1).slice(),
      });
    }
  }, 240_000);
  afterAll(async () => {
    await evaluator?.close();
    await file?.close();
  });

  test('there are at least 20 prompts of 50 to 500 tokens', () => {
    expect(f32.length).toBeGreaterThanOrEqual(20);
    for (const { promptTokens } of f32) {
      expect(promptTokens.length).toBeGreaterThanOrEqual(50);
      expect(promptTokens.length).toBeLessThanOrEqual(500);
    }
  });

  // Each choice follows the recorded tokens before it, so equal choices throughout are an equal greedy text.
  test('the same greedy text from the same weights, all 64 tokens of every prompt', () => {
    for (const [i, { promptTokens, greedyTokens, text }] of f32.entries()) {
      const first = promptTokens.length - 1;
      const chosen = ours[i]!.topTokens.slice(first, first + greedyTokens.length);
      expect({ text, chosen }).toEqual({ text, chosen: greedyTokens });
    }
  });

  test('the same first choice after every prompt token', () => {
    for (const [i, { topTokens, text }] of f32.entries())
      expect({ text, chosen: ours[i]!.topTokens.slice(0, topTokens.length) }).toEqual({ text, chosen: topTokens });
  });

  test('logits within 1e-4 relative', () => {
    for (const [i, { lastLogits }] of f32.entries())
      for (const [token, logit] of lastLogits)
        expect(Math.abs(ours[i]!.lastLogits[token]! - logit)).toBeLessThan(1e-4 * Math.abs(logit));
  });

  test('as near to llama.cpp on the file as it is, with activations rounded to 8 bits, as llama.cpp is to itself', () => {
    const agreement = (first: readonly (readonly number[])[], second: readonly (readonly number[])[]) => {
      const equal = first.flatMap((tokens, i) => tokens.map((token, place) => token === second[i]![place]));
      return equal.filter(Boolean).length / equal.length;
    };
    const theirs = stored.map(({ topTokens }) => topTokens);
    const near = agreement(
      theirs,
      ours.map(({ topTokens }) => topTokens),
    );
    expect(near).toBeGreaterThan(0.96);
    expect(near).toBeCloseTo(
      agreement(
        theirs,
        f32.map(({ topTokens }) => topTokens),
      ),
      2,
    );
  });
});

function highest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}
