import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Model, openModel, runTraining } from '@lathe/transformer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectedBits, scoreFile } from './score.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-score-'));
let model: Model;

const DOCUMENTS = Array.from(
  { length: 60 },
  (_, i) =>
    `export function total${i % 5}(items) {\n  return items.reduce((sum, item) => sum + item.count, ${i % 3});\n}\n`,
);

beforeAll(async () => {
  const { model: path } = await runTraining(
    { train: DOCUMENTS, validation: DOCUMENTS.slice(0, 10) },
    {
      config: {
        preset: 'llama',
        nLayer: 1,
        nHead: 2,
        nKvHead: 2,
        nEmbd: 32,
        nFeedForward: 64,
        blockSize: 32,
        dropout: 0,
        labelSmoothing: 0,
      },
      vocabSize: 320,
      batchSize: 8,
      accumulation: 1,
      optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
      schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmup: 5, iterations: 80 },
      clip: 1,
      seed: 1,
      threads: 1,
      iterations: 80,
      validateEvery: 40,
      validationBatches: 2,
      patience: 0,
      directory: folder,
    },
  );
  model = await openModel(path!, { threads: 1 });
});

afterAll(async () => {
  await model?.close();
  rmSync(folder, { recursive: true });
});

describe('scoreFile', () => {
  it('finds the line that does not read like the rest', async () => {
    const odd = '  goto zebra; QUARTZ!! == vexed ~~ jumbled?;';
    const text = DOCUMENTS.slice(0, 4).join('').replace('}\n', `${odd}\n}\n`);
    const { lines } = await scoreFile(model, 'a.js', text);
    const strangest = [...lines].sort((a, b) => b.bits - a.bits)[0]!;
    expect(text.split('\n')[strangest.line - 1]).toBe(odd);
  });

  it('gives every scored token to one line, in files longer than the window', async () => {
    const text = DOCUMENTS.join('');
    const { lines, tokens, bitsPerToken, bitsPerByte } = await scoreFile(model, 'a.js', text);
    expect(tokens).toBeGreaterThan(model.contextSize * 3);
    expect(lines).toHaveLength(text.split('\n').length - 1);
    const total = lines.reduce((sum, { bits }) => sum + bits, 0);
    expect(lines.reduce((sum, line) => sum + line.tokens, 0)).toBe(tokens);
    expect(total).toBeCloseTo(bitsPerToken * (tokens - 1), 6);
    // What length explains is taken out: over the file nothing is left.
    const told = lines.filter((line) => line.tokens > 0);
    expect(told.reduce((sum, { excess }) => sum + excess, 0)).toBeCloseTo(0, 6);
    expect(total).toBeCloseTo(bitsPerByte * Buffer.byteLength(text), 6);
    // What it was trained on costs it far less than a random token, log2 of the vocabulary.
    expect(bitsPerToken).toBeLessThan(Math.log2(320) / 3);
  });

  it('scores an empty file and one of a single token as nothing', async () => {
    expect(await scoreFile(model, 'a.js', '')).toMatchObject({ tokens: 0, bitsPerToken: 0, bitsPerByte: 0 });
    expect((await scoreFile(model, 'a.js', 'e')).bitsPerToken).toBe(0);
  });
});

describe('expectedBits', () => {
  const lines = (pairs: readonly (readonly [tokens: number, bits: number])[]) =>
    pairs.map(([tokens, bits]) => ({ tokens, bits }));

  it('is the straight line nearest to the lines, and nothing for an empty one', () => {
    const expected = expectedBits(lines(Array.from({ length: 20 }, (_, i) => [i, 5 + 2 * i + (i % 2 ? 1 : -1)])));
    expect(expected(10)).toBeCloseTo(25, 0);
    expect(expected(11) - expected(10)).toBeCloseTo(2, 1);
    expect(expected(0)).toBe(0);
  });

  it('is the mean a token where lines are too few, or all of one length', () => {
    expect(
      expectedBits(
        lines([
          [2, 8],
          [6, 8],
        ]),
      )(4),
    ).toBe(8);
    expect(expectedBits(lines(Array.from({ length: 20 }, () => [5, 15])))(2)).toBe(6);
    expect(expectedBits([])(7)).toBe(0);
  });
});
