import { totalmem } from 'node:os';
import { GraphBuilder, openSession } from '@lathe/graph';
import { describe, expect, it } from 'vitest';
import { checkMemory, memoryNeed, outOfMemory } from './memory.ts';
import { fromScratch, type StepOptions } from './trainable.ts';

const tokens = new Uint16Array(1);
const options: StepOptions = {
  batchSize: 8,
  accumulation: 1,
  optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
  schedule: { kind: 'cosine', peak: 1e-3, floor: 1e-4, warmup: 1, iterations: 10 },
  clip: 1,
  seed: 1,
  threads: 1,
  train: tokens,
  validation: tokens,
};
const sizes = {
  preset: 'llama',
  nLayer: 6,
  nHead: 6,
  nKvHead: 6,
  nEmbd: 384,
  nFeedForward: 1024,
  vocabSize: 65,
  blockSize: 256,
  dropout: 0,
  labelSmoothing: 0,
} as const;

describe('memory of a training run', () => {
  it('is told from the shapes, near what was measured: 896 MB, and 636 MB with blocks recomputed', () => {
    const subject = fromScratch(sizes);
    const need = (more: Partial<StepOptions>) => memoryNeed(subject, { ...options, ...more }).neededBytes / 1e6;
    expect(need({})).toBeGreaterThan(0.85 * 896);
    expect(need({})).toBeLessThan(1.25 * 896);
    expect(need({ recompute: true })).toBeGreaterThan(0.75 * 636);
    expect(need({ recompute: true })).toBeLessThan(1.25 * 636);
    // Activations grow with the batch, parameters and their state do not.
    expect(need({ batchSize: 16 }) - need({})).toBeGreaterThan(1.9 * (need({}) - need({ batchSize: 4 })) * 0.9);
  });

  it('refuses a run that the machine cannot hold, and names a batch that fits', () => {
    const perSequence = memoryNeed(fromScratch(sizes), options).neededBytes / options.batchSize;
    const batchSize = Math.ceil((2 * totalmem()) / perSequence);
    const attempt = (size: number, more: Partial<StepOptions> = {}) =>
      checkMemory(fromScratch(sizes), { ...options, batchSize: size, ...more });
    expect(() => attempt(8)).not.toThrow();
    expect(() => attempt(batchSize)).toThrow(/needs about \d+\.\d GB of \d+\.\d GB/);
    try {
      attempt(batchSize);
    } catch (error) {
      const { remedy } = error as { remedy: string };
      const [, batch = '', accumulate = '1'] = /--batch (\d+) --accumulate (\d+)/.exec(remedy) ?? [];
      const advised = batch === '' ? batchSize : Number(batch);
      expect(advised * Number(accumulate)).toBeGreaterThanOrEqual(batchSize);
      expect(() =>
        attempt(advised, { accumulation: Number(accumulate), recompute: remedy.includes('--recompute') }),
      ).not.toThrow();
    }
  });

  it('knows the runtime out of memory by what it says', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [1]);
    g.output('y', g.expand(x, [2 ** 22, 2 ** 22]));
    const session = await openSession(g.build(), { threads: 1, spinning: false });
    const failed = await session
      .run({ x: { dataType: 'float32', dims: [1], data: new Float32Array(1) } })
      .then(() => null)
      .catch((error: unknown) => error);
    await session.close();
    expect(outOfMemory(failed)).toMatchObject({
      code: 'LATHE_TRAIN_MEMORY',
      remedy: expect.stringContaining('--accumulate'),
    });
    expect(outOfMemory(new Error('another one'))).toBeNull();
  });
});
