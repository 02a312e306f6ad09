import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { peakBytes } from '@lathe/graph';
import { afterAll, describe, expect, it } from 'vitest';
import { openModel } from '../open-model.ts';
import { learnBpe, tokenizerJson, trainBpe, WordCounts } from './bpe.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { exportGguf } from './export-gguf.ts';
import { adamW } from './optimiser.ts';
import { Trainer, type TrainingOptions } from './trainer.ts';
import { parameterCount, type TrainingConfig } from './training-config.ts';
import { trainingGraph } from './training-graph.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-train-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A text with structure enough to be learned in a few steps. */
const TEXT = Array.from({ length: 400 }, (_, i) => `const value${i % 7} = items[${i % 5}].count + ${i % 3};\n`).join(
  '',
);
const VOCABULARY = trainBpe([TEXT], 300);
const TINY: TrainingConfig = {
  preset: 'llama',
  nLayer: 2,
  nHead: 4,
  nKvHead: 2,
  nEmbd: 32,
  nFeedForward: 64,
  vocabSize: VOCABULARY.tokens.length,
  blockSize: 16,
  dropout: 0.1,
  labelSmoothing: 0,
};
const tokenizer = new HuggingFaceTokenizer(tokenizerJson(VOCABULARY), {});
const TOKENS = Uint16Array.from(tokenizer.encode(TEXT).ids);

function options(config: Partial<TrainingConfig> = {}, more: Partial<TrainingOptions> = {}): TrainingOptions {
  return {
    config: { ...TINY, ...config },
    batchSize: 4,
    accumulation: 1,
    optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmup: 5, iterations: 100 },
    clip: 1,
    seed: 3,
    threads: 1,
    train: TOKENS.subarray(0, 3000),
    validation: TOKENS.subarray(3000),
    ...more,
  };
}

async function train(trainer: Trainer, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push((await trainer.step()).loss);
  return losses;
}

describe('training', () => {
  it.each(['llama', 'vaswani-2017'] as const)('%s: starts near ln V and learns', async (preset) => {
    const trainer = await Trainer.start(options({ preset, nKvHead: preset === 'llama' ? 2 : 4 }));
    const before = await trainer.validate(4);
    expect(before).toBeGreaterThan(Math.log(TINY.vocabSize) * 0.8);
    expect(before).toBeLessThan(Math.log(TINY.vocabSize) * 1.4);
    await train(trainer, 60);
    expect(await trainer.validate(4)).toBeLessThan(before / 3);
    await trainer.close();
  });

  it('counts parameters as the formula says', () => {
    const { nLayer: L, nEmbd: C, nFeedForward: F, vocabSize: V } = TINY;
    expect(parameterCount(TINY)).toBe(V * C + L * (2 * C * C + 2 * C * (C / 2) + 3 * C * F + 2 * C) + C);
  });

  it('goes on from a checkpoint bit for bit like an unbroken run', async () => {
    const whole = await Trainer.start(options());
    const unbroken = await train(whole, 12);
    await whole.close();
    const first = await Trainer.start(options());
    const before = await train(first, 5);
    const path = join(folder, 'resume.safetensors');
    await writeCheckpoint(path, first.checkpoint({ bestValidationLoss: null, training: [], validation: [] }));
    await first.close();
    const second = await Trainer.start(options(), await readCheckpoint(path, TINY));
    expect(second.steps).toBe(5);
    expect([...before, ...(await train(second, 7))]).toEqual(unbroken);
    await second.close();
  });

  it.each(['llama', 'vaswani-2017'] as const)(
    '%s: recomputes its blocks with the same result to the bit, in less memory',
    async (preset) => {
      const config = { preset, nKvHead: preset === 'llama' ? 2 : 4, nLayer: 6 };
      const kept = await Trainer.start(options(config));
      const recomputed = await Trainer.start(options(config, { recompute: true }));
      expect(await train(recomputed, 4)).toEqual(await train(kept, 4));
      expect(recomputed.parameters.map(({ values }) => values)).toEqual(kept.parameters.map(({ values }) => values));
      await kept.close();
      await recomputed.close();
      const peak = (recompute: boolean) => peakBytes(trainingGraph({ ...TINY, ...config }, 4, true, recompute).graph);
      expect(peak(true)).toBeLessThan(0.6 * peak(false));
    },
  );

  it('steps the same on two threads as on one, again and again, and from a checkpoint', async () => {
    const parameters = () =>
      Array.from({ length: 5 }, (_, i) => ({
        name: `p${i}`,
        shape: [400, 500],
        decayed: i % 2 === 0,
        values: Float32Array.from({ length: 200_000 }, (_, j) => Math.sin(j + i)),
      }));
    const settings = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 };
    const gradients = (step: number) =>
      parameters().map(({ values }) => ({ data: values.map((value) => Math.cos(value * step)) }));
    const [alone, helped] = [parameters(), parameters()];
    const one = adamW(alone, settings);
    let two = adamW(helped, settings, new Map(), 2);
    for (let step = 1; step <= 4; step++) {
      await one.step(gradients(step), 0.5, 1e-2, step);
      await two.step(gradients(step), 0.5, 1e-2, step);
      if (step === 2) {
        await two.close();
        two = adamW(helped, settings, new Map(two.state), 2);
      }
    }
    await two.close();
    for (const [i, { name, values }] of alone.entries())
      expect(Buffer.from(helped[i]!.values.buffer).equals(Buffer.from(values.buffer)), name).toBe(true);
    expect([...two.state.values()].every(({ length }) => length === 200_000)).toBe(true);
  });

  it('takes the mean of the gradients it accumulates', async () => {
    // One window of data: every part of a step sees the same sequence, so three parts must do what one does.
    const window = TOKENS.subarray(0, TINY.blockSize + 1);
    const once = {
      optimiser: { kind: 'sgd', momentum: 0, weightDecay: 0 } as const,
      clip: 0,
      batchSize: 1,
      train: window,
      validation: window,
    };
    const one = await Trainer.start(options({ dropout: 0 }, { ...once, accumulation: 1 }));
    const three = await Trainer.start(options({ dropout: 0 }, { ...once, accumulation: 3 }));
    const [a, b] = [await one.step(), await three.step()];
    expect(b.tokens).toBe(3 * a.tokens);
    expect(b.loss).toBeCloseTo(a.loss, 5);
    for (const [i, { name, values }] of one.parameters.entries()) {
      const other = three.parameters[i]!.values;
      expect(Math.max(...values.map((value, k) => Math.abs(value - other[k]!))), name).toBeLessThan(1e-6);
    }
    await one.close();
    await three.close();
  });

  it('smooths labels in training and not in validation', async () => {
    const sharp = await Trainer.start(options({ dropout: 0 }));
    const smooth = await Trainer.start(options({ dropout: 0, labelSmoothing: 0.3 }));
    expect(await smooth.validate(2)).toBe(await sharp.validate(2));
    await train(sharp, 30);
    await train(smooth, 30);
    expect((await smooth.step()).loss).toBeGreaterThan((await sharp.step()).loss + 0.3);
    await sharp.close();
    await smooth.close();
  });

  it('exports a model that runs with the same logits and tokens', async () => {
    const trainer = await Trainer.start(options({ dropout: 0 }, { batchSize: 1 }));
    await train(trainer, 40);
    const path = join(folder, 'model.gguf');
    const { parameters } = trainer.checkpoint({ bestValidationLoss: null, training: [], validation: [] });
    await exportGguf(path, { name: 'tiny', config: { ...TINY, dropout: 0 }, parameters, vocabulary: VOCABULARY });
    const tokens = [...TOKENS.subarray(0, TINY.blockSize)];
    const logits = await trainer.logits(tokens);
    await trainer.close();
    const model = await openModel(path, { precision: 'f32', threads: 1 });
    expect(model.tokenizer.encode(TEXT.slice(0, 200))).toEqual(tokenizer.encode(TEXT.slice(0, 200)).ids);
    const scores = await model.score(tokens);
    await model.close();
    const V = TINY.vocabSize;
    for (let t = 0; t + 1 < tokens.length; t++) {
      const row = logits.subarray(t * V, (t + 1) * V);
      const logSumExp = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
      expect(scores[t]).toBeCloseTo(row[tokens[t + 1]!]! - logSumExp, 3);
    }
  });

  it('stops at a loss that is no number, says what to do, and leaves the parameters as they were', async () => {
    const trainer = await Trainer.start(
      options({}, { schedule: { kind: 'cosine', peak: 1e30, floor: 1e30, warmup: 0, iterations: 10 }, clip: 0 }),
    );
    await expect(train(trainer, 10)).rejects.toMatchObject({
      code: 'LATHE_TRAIN_DIVERGED',
      remedy: expect.stringContaining('learning rate'),
    });
    await trainer.close();
  });

  it.each([
    ['nEmbd', { nEmbd: 33 }, /nEmbd: expected a multiple of nHead 4, got 33/],
    ['nLayer', { nLayer: -1 }, /nLayer: expected a whole number from 1 to 256, got -1/],
    ['dropout', { dropout: 1 }, /dropout: expected at least 0 and below 1, got 1/],
    ['vocabSize', { vocabSize: 20 }, /training data, token \d+: expected below 20/],
    ['blockSize', { blockSize: 100_000 }, /training data: expected more than 100000 tokens, got 3000/],
  ])('refuses a wrong %s by name', async (_, config, message) => {
    await expect(Trainer.start(options(config))).rejects.toThrow(message);
  });
});

describe('checkpoints', () => {
  it('refuses other sizes, a newer version, a cut file and other files', async () => {
    const trainer = await Trainer.start(options());
    const path = join(folder, 'good.safetensors');
    const checkpoint = trainer.checkpoint({ bestValidationLoss: 2, training: [[1, 5]], validation: [] });
    await trainer.close();
    await writeCheckpoint(path, checkpoint);
    expect((await readCheckpoint(path)).progress).toEqual(checkpoint.progress);
    await expect(readCheckpoint(path, { ...TINY, nLayer: 3 })).rejects.toThrow(/nLayer: expected 3, got 2/);

    const bytes = readFileSync(path);
    const newer = join(folder, 'newer.safetensors');
    writeFileSync(newer, Buffer.from(bytes.toString('latin1').replace('\\"version\\":1', '\\"version\\":9'), 'latin1'));
    await expect(readCheckpoint(newer)).rejects.toThrow(/version 1 at most, got 9/);

    const cut = join(folder, 'cut.safetensors');
    writeFileSync(cut, bytes);
    truncateSync(cut, bytes.length - 100);
    await expect(readCheckpoint(cut)).rejects.toMatchObject({ code: 'LATHE_TRAIN_CHECKPOINT' });

    const other = join(folder, 'other.safetensors');
    writeFileSync(other, 'not a checkpoint at all');
    await expect(readCheckpoint(other)).rejects.toMatchObject({ code: 'LATHE_TRAIN_CHECKPOINT' });
  });

  it('keeps the last good one when a new one cannot be written whole', async () => {
    const trainer = await Trainer.start(options());
    const checkpoint = trainer.checkpoint({ bestValidationLoss: null, training: [], validation: [] });
    await trainer.close();
    const path = join(folder, 'kept.safetensors');
    await writeCheckpoint(path, checkpoint);
    const good = readFileSync(path);
    // A process that may not write files of more than 8 KiB stands in for a disk that fills up half-way.
    const script = `
      import { readCheckpoint, writeCheckpoint } from ${JSON.stringify(new URL('./checkpoint.ts', import.meta.url).href)};
      const checkpoint = await readCheckpoint(${JSON.stringify(path)});
      await writeCheckpoint(${JSON.stringify(path)}, checkpoint).then(() => process.exit(0), (error) => { console.log(error.code); process.exit(7); });`;
    const run = spawnSync(
      'bash',
      ['-c', 'trap "" XFSZ; ulimit -f 8; exec "$0" --input-type=module -e "$1"', process.execPath, script],
      {
        encoding: 'utf8',
      },
    );
    expect([run.status, run.stdout.trim()]).toEqual([7, 'EFBIG']);
    expect(readFileSync(path).equals(good)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

describe('WordCounts', () => {
  it('keeps the words that stand often where there are more than it may hold', () => {
    const counts = new WordCounts(8);
    for (let i = 0; i < 50; i++) counts.add(`often rare${i} also`);
    const kept = new Map(counts);
    expect(counts.distinct).toBeLessThanOrEqual(8);
    expect([kept.get('often'), kept.get(' also')]).toEqual([50, 50]);
  });

  it('counts as one text what comes in several', () => {
    const several = new WordCounts();
    for (const text of [TEXT, 'low low', ' lower']) several.add(text);
    expect(learnBpe(several, 300)).toEqual(trainBpe([TEXT, 'low low', ' lower'], 300));
  });
});

describe('trainBpe', () => {
  it('joins the most frequent pairs first and is read by the standard tokenizer', () => {
    const { tokens, merges } = trainBpe(['low low low lower lowest'], 262);
    // `lo` and `ow` stand five times each; the one of the smaller tokens comes first.
    expect(merges.slice(0, 2)).toEqual([
      ['l', 'o'],
      ['lo', 'w'],
    ]);
    // After four joins no pair stands twice any more: fewer tokens come out than were asked for.
    expect(tokens).toHaveLength(261);
    const text = 'lowest low 🚀 naïve\t\n  low';
    const read = new HuggingFaceTokenizer(tokenizerJson(trainBpe(['low low low lower lowest'], 262)), {});
    expect(read.decode(read.encode(text).ids)).toBe(text);
  });

  it('depends on the texts and not on their order', () => {
    const other = 'if (ready) return other.value;\n'.repeat(50);
    expect(trainBpe([TEXT, other], 320)).toEqual(trainBpe([other, TEXT], 320));
  });

  it('refuses a vocabulary without room for all bytes', () => {
    expect(() => trainBpe(['x'], 100)).toThrow(/at least 257, got 100/);
  });
});
