import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from './checkpoint.ts';
import type { RunEvent } from './loop.ts';
import { runTraining } from './run.ts';
import { type TrainingJob, trainInProcess } from './training-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-training-process-'));
const disk = join(folder, 'disk');
mkdirSync(disk);
const mounted =
  process.platform === 'linux' &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], { stdio: 'ignore' }).status === 0;
afterAll(() => {
  if (mounted) spawnSync('umount', [disk]);
  rmSync(folder, { recursive: true, force: true });
});

const DOCUMENTS = Array.from(
  { length: 30 },
  (_, i) => `export function get${i % 6}(items) {\n  return items[${i % 4}] + ${i % 3};\n}\n`,
);
const CORPUS = { train: DOCUMENTS, validation: DOCUMENTS.slice(0, 8) };

function job(directory: string, iterations = 20): TrainingJob & { kind: 'scratch' } {
  return {
    kind: 'scratch',
    corpus: CORPUS,
    options: {
      config: {
        preset: 'llama',
        nLayer: 1,
        nHead: 2,
        nKvHead: 2,
        nEmbd: 16,
        nFeedForward: 32,
        blockSize: 16,
        dropout: 0.1,
        labelSmoothing: 0,
      },
      vocabSize: 290,
      batchSize: 4,
      accumulation: 2,
      optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
      schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmup: 5, iterations: 20 },
      clip: 1,
      seed: 5,
      threads: 1,
      iterations,
      validateEvery: 5,
      validationBatches: 2,
      sampleTokens: 12,
      patience: 0,
      directory,
    },
  };
}

/** Processes that this one has started and that run a training. */
function children(): number[] {
  return readdirSync('/proc/self/task')
    .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' '))
    .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('training-process-main'))
    .map(Number);
}

describe('trainInProcess', () => {
  it('gives the result of a run here, and its events with what the model writes', async () => {
    const events: RunEvent[] = [];
    const run = await trainInProcess(job(join(folder, 'there')), { onEvent: (event) => events.push(event) });
    const here = await runTraining(CORPUS, job(join(folder, 'here')).options);
    expect({ ...run, model: null }).toEqual({ ...here, model: null });
    expect(events.filter(({ type }) => type === 'step')).toHaveLength(20);
    const samples = events.flatMap((event) => (event.type === 'sampled' ? [event] : []));
    expect(samples.map(({ step }) => step)).toEqual([5, 10, 15, 20]);
    expect(samples.every(({ text }) => typeof text === 'string')).toBe(true);
    expect(samples.some(({ text }) => text.length > 5)).toBe(true);
  });

  it('stops after a step when asked to, with what is learned saved', async () => {
    const control = new AbortController();
    const directory = join(folder, 'stopped');
    const run = await trainInProcess(job(directory, 100_000), {
      signal: control.signal,
      onEvent: (event) => event.type === 'step' && event.step === 7 && control.abort(),
    });
    expect(run.reason).toBe('cancelled');
    expect(run.steps).toBeGreaterThanOrEqual(7);
    expect((await readCheckpoint(join(directory, 'last.safetensors'))).progress.step).toBe(run.steps);
  });

  it.skipIf(!existsSync(`/proc/self/task/${process.pid}/children`))(
    'says that memory ran out when the system kills it, and goes on from the save (needs /proc to find its process)',
    async () => {
      const directory = join(folder, 'killed');
      const killed = trainInProcess(job(directory, 100_000), {
        onEvent: (event) => {
          if (event.type === 'saved' && event.path.endsWith('last.safetensors'))
            for (const child of children()) process.kill(child, 'SIGKILL');
        },
      });
      await expect(killed).rejects.toMatchObject({
        code: 'LATHE_TRAIN_MEMORY',
        remedy: expect.stringContaining('--recompute'),
      });
      expect((await readCheckpoint(join(directory, 'last.safetensors'))).progress.step % 5).toBe(0);
    },
  );

  it.skipIf(!existsSync(`/proc/self/task/${process.pid}/children`))(
    'is cancelled, not broken, where Ctrl-C ends its process before that can listen (needs /proc to find its process)',
    async () => {
      const control = new AbortController();
      const run = trainInProcess(job(join(folder, 'early')), { signal: control.signal });
      control.abort();
      for (const child of children()) process.kill(child, 'SIGINT');
      await expect(run).rejects.toMatchObject({ code: 'LATHE_CANCELLED_TRAINING' });
    },
  );

  it('hands errors on with their code and what to do', async () => {
    const empty = { ...job(join(folder, 'empty')), corpus: { train: [' '], validation: ['x'] } };
    await expect(trainInProcess(empty)).rejects.toMatchObject({
      code: 'LATHE_TRAIN_DATA',
      message: 'training data: expected text, got none',
      remedy: expect.stringContaining('source text'),
    });
  });

  it('refuses what cannot fit into memory before it takes any', async () => {
    const { options, ...rest } = job(join(folder, 'huge'));
    const config = { ...options.config, nLayer: 200, nEmbd: 16_384, nHead: 64, nKvHead: 64, nFeedForward: 65_536 };
    await expect(trainInProcess({ ...rest, options: { ...options, config } })).rejects.toMatchObject({
      code: 'LATHE_TRAIN_MEMORY',
      message: expect.stringMatching(/needs about \d+\.\d GB of \d+\.\d GB/),
    });
  });

  it.skipIf(!mounted)(
    'keeps the last good checkpoint when the disk is full, and goes on from it (needs the right to mount a small disk)',
    async () => {
      const directory = join(disk, 'run');
      await trainInProcess(job(directory, 10));
      const last = join(directory, 'last.safetensors');
      const good = readFileSync(last);
      const { bavail, bsize } = statfsSync(disk);
      const filler = join(disk, 'filler');
      writeFileSync(filler, Buffer.alloc(bavail * bsize - 3 * bsize));
      await expect(trainInProcess(job(directory))).rejects.toMatchObject({ code: 'ENOSPC' });
      expect(readFileSync(last).equals(good)).toBe(true);
      rmSync(filler);
      const resumed = await trainInProcess(job(directory));
      expect(existsSync(join(directory, 'model.gguf'))).toBe(true);
      const unbroken = await runTraining(CORPUS, job(join(folder, 'unbroken')).options);
      expect(resumed.validation).toEqual(unbroken.validation);
    },
  );

  it('refuses a vocabulary that was learned for another size, or that is none', async () => {
    const directory = join(folder, 'vocabulary');
    await trainInProcess(job(directory, 5));
    const { options, ...rest } = job(directory);
    await expect(trainInProcess({ ...rest, options: { ...options, vocabSize: 280 } })).rejects.toMatchObject({
      code: 'LATHE_TRAIN_CHECKPOINT',
      remedy: expect.stringContaining('--vocab 290'),
    });
    writeFileSync(join(directory, 'vocabulary.json'), '{}');
    await expect(trainInProcess({ ...rest, options })).rejects.toMatchObject({
      message: expect.stringContaining('expected a vocabulary, got something else'),
    });
  });
});
