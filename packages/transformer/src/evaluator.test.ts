import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referenceLogits } from './__fixtures__/reference-model.ts';
import { smollm2File, withoutSmollm2 } from './__fixtures__/smollm2-file.ts';
import { TINY, type TinyKind, writeTinyModel } from './__fixtures__/tiny-model.ts';
import { loadEvaluator } from './load-evaluator.ts';
import type { Precision } from './precision.ts';
import { type GgufFile, openGguf } from './weights/gguf.ts';

const SETUP = { threads: 2, spinning: false, contextSize: 128 };
const TOKENS = [72, 101, 108, 108, 111, 44, 32, 119, 256, 114, 108, 100, 33, 10, 0, 255, 9];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-evaluator-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function tiny(kind: TinyKind, storeAs: 'F32' | 'Q8_0' | 'Q4_1' = 'F32'): Promise<GgufFile> {
  const path = join(folder, `${kind}-${storeAs}.gguf`);
  await writeTinyModel(path, kind, storeAs);
  return openGguf(path);
}

/** ‖a − b‖ / ‖b‖ */
function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(difference / size);
}

function logSoftmax(logits: Float64Array): Float64Array {
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return logits.map((logit) => logit - total);
}

const CASES: [TinyKind, 'F32' | 'Q8_0' | 'Q4_1', Precision, number][] = [
  ['llama', 'F32', 'f32', 1e-5],
  ['qwen2', 'F32', 'f32', 1e-5],
  ['llama', 'Q8_0', 'exact', 1e-5],
  ['qwen2', 'Q4_1', 'exact', 1e-5],
  ['llama', 'Q4_1', 'int8', 0.08],
  ['qwen2', 'Q8_0', 'int8', 0.08],
];

describe.each(CASES)('%s stored as %s in %s', (kind, storeAs, precision, tolerance) => {
  it(`gives the reference's logits within ${tolerance}, reading the prompt in two blocks`, async () => {
    const file = await tiny(kind, storeAs);
    const expected = await referenceLogits(file, TOKENS);
    const { config, evaluator } = await loadEvaluator(file, { ...SETUP, precision });
    const first = await evaluator.logits(evaluator.emptyPrefix(), TOKENS.slice(0, 9));
    const second = await evaluator.logits(first.prefix, TOKENS.slice(9));
    const got = [first, second].flatMap(({ logits }) =>
      Array.from({ length: logits.length / config.vocabSize }, (_, i) =>
        logits.subarray(i * config.vocabSize, (i + 1) * config.vocabSize),
      ),
    );
    for (const [t, logits] of expected.entries()) expect(relativeError(got[t]!, logits)).toBeLessThan(tolerance);
    await evaluator.close();
    await file.close();
  });

  it(`gives the reference's logits within ${tolerance} to rows that go different ways behind one prompt`, async () => {
    const file = await tiny(kind, storeAs);
    const { config, evaluator } = await loadEvaluator(file, { ...SETUP, precision });
    const { prefix } = await evaluator.extend(evaluator.emptyPrefix(), TOKENS, [1]);
    const ways = [
      [5, 6, 7, 8],
      [200, 201, 202, 203],
      [42, 42, 42, 42],
    ];
    const suffix = evaluator.suffix(ways.length);
    let next: Awaited<ReturnType<typeof evaluator.step>> = [];
    for (let step = 0; step < 4; step++)
      next = await evaluator.step(
        prefix,
        suffix,
        ways.map((way) => way[step]!),
        [1, 1, 1],
      );
    for (const [row, way] of ways.entries()) {
      const all = await next[row]!.all();
      const [expected] = await referenceLogits(file, [...TOKENS, ...way], [TOKENS.length + 3]);
      expect(all.length).toBe(config.vocabSize);
      expect(relativeError(all, logSoftmax(expected!))).toBeLessThan(tolerance);
    }
    await evaluator.close();
    await file.close();
  });
});

describe('the distribution after a token', () => {
  it('lists the most likely first, and the largest log-probability at the temperature asked for', async () => {
    const file = await tiny('llama');
    const { evaluator } = await loadEvaluator(file, { ...SETUP, precision: 'f32' });
    const { last } = await evaluator.extend(evaluator.emptyPrefix(), TOKENS, [1, 1 / 0.5]);
    const [logits] = await referenceLogits(file, TOKENS, [TOKENS.length - 1]);
    const expected = logSoftmax(logits!);
    const sorted = [...expected.keys()].sort((a, b) => expected[b]! - expected[a]!);
    expect(Array.from(last[1]!.topTokens, Number)).toEqual(sorted.slice(0, 128));
    expect(last[0]!.temperedMaximum).toBeCloseTo(expected[sorted[0]!]!, 4);
    expect(last[1]!.temperedMaximum).toBeCloseTo(logSoftmax(logits!.map((logit) => 2 * logit))[sorted[0]!]!, 4);
    await evaluator.close();
    await file.close();
  });
});

describe('rows', () => {
  it.each(['f32', 'exact', 'int8'] as const)('do not influence each other in %s: bit for bit', async (precision) => {
    for (const kind of Object.keys(TINY) as TinyKind[]) {
      const file = await tiny(kind, 'Q4_1');
      const { evaluator } = await loadEvaluator(file, { ...SETUP, precision });
      const { prefix } = await evaluator.extend(evaluator.emptyPrefix(), TOKENS, [1]);
      const trace = async (rows: number) => {
        const places = Array.from({ length: Math.max(rows, evaluator.minRows) }, (_, i) => i);
        const suffix = evaluator.suffix(places.length);
        const seen: number[][] = [];
        for (let step = 0; step < 40; step++) {
          const next = await evaluator.step(
            prefix,
            suffix,
            places.map((i) => (7 * i + step) % 250),
            places.map(() => 1.25),
          );
          seen.push([
            ...next[0]!.topLogProbabilities,
            ...Array.from(next[0]!.topTokens, Number),
            next[0]!.temperedMaximum,
          ]);
        }
        return seen;
      };
      const alone = await trace(1);
      for (const rows of [2, 3, 5, 10, 17, 33]) expect(await trace(rows)).toEqual(alone);
      await evaluator.close();
      await file.close();
    }
  });
});

describe('the whole vocabulary after a token', () => {
  it.each(['f32', 'exact', 'int8'] as const)(
    'is the same asked for before or after the step in %s',
    async (precision) => {
      const file = await tiny('qwen2', 'Q4_1');
      const { evaluator } = await loadEvaluator(file, { ...SETUP, precision });
      const { prefix } = await evaluator.extend(evaluator.emptyPrefix(), TOKENS, [1]);
      const [before, after] = [evaluator.suffix(5), evaluator.suffix(5)];
      for (let step = 0; step < 34; step++) {
        const tokens = [0, 1, 2, 3, 4].map((row) => (31 * row + step) % 250);
        const inverse = tokens.map((_, row) => 1 + row / 4);
        const expected = await evaluator.step(prefix, before, tokens, inverse, true);
        const got = await evaluator.step(prefix, after, tokens, inverse);
        if (step % 11 !== 0) continue;
        for (const row of [3, 0, 4]) expect(await got[row]!.all()).toEqual(await expected[row]!.all());
      }
      await evaluator.close();
      await file.close();
    },
  );
});

describe('SmolLM2-135M', () => {
  it.skipIf(smollm2File === null)(
    `gives the logits of an evaluation in f64 within 1e-3${withoutSmollm2}`,
    async () => {
      const file = await openGguf(smollm2File!);
      const tokens = [504, 2425, 282, 1127, 330, 260, 3426, 28, 284, 260, 11558, 338, 9404, 260, 8664, 30];
      const wanted = [0, 7, 15];
      const expected = await referenceLogits(file, tokens, wanted);
      for (const precision of ['f32', 'exact'] as const) {
        const { config, evaluator } = await loadEvaluator(file, { ...SETUP, precision });
        const { logits } = await evaluator.logits(evaluator.emptyPrefix(), tokens);
        for (const [i, place] of wanted.entries()) {
          const got = logits.subarray(place * config.vocabSize, (place + 1) * config.vocabSize);
          expect(relativeError(got, expected[i]!)).toBeLessThan(1e-3);
        }
        await evaluator.close();
      }
      await file.close();
    },
    180_000,
  );
});
