import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openModel } from '../open-model.ts';
import { readCheckpoint } from './checkpoint.ts';
import type { RunEvent } from './loop.ts';
import { type RunOptions, runTraining } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-run-'));
afterAll(() => rmSync(folder, { recursive: true }));

const CORPUS = {
  train: Array.from(
    { length: 30 },
    (_, i) => `export function get${i % 6}(items) {\n  return items[${i % 4}] + ${i % 3};\n}\n`,
  ),
  validation: Array.from(
    { length: 8 },
    (_, i) => `export function get${i % 6}(items) {\n  return items[${i % 4}];\n}\n`,
  ),
};

function options(directory: string, more: Partial<RunOptions> = {}): RunOptions {
  return {
    config: {
      preset: 'llama',
      nLayer: 1,
      nHead: 2,
      nKvHead: 2,
      nEmbd: 16,
      nFeedForward: 32,
      blockSize: 16,
      dropout: 0,
      labelSmoothing: 0,
    },
    vocabSize: 290,
    batchSize: 4,
    accumulation: 1,
    optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmup: 5, iterations: 60 },
    clip: 1,
    seed: 5,
    threads: 1,
    iterations: 60,
    validateEvery: 10,
    validationBatches: 2,
    patience: 0,
    directory,
    ...more,
  };
}

describe('runTraining', () => {
  it('leaves a model that runs, a standard tokenizer and its losses', async () => {
    const directory = join(folder, 'whole');
    const events: RunEvent[] = [];
    const run = await runTraining(CORPUS, options(directory, { onEvent: (event) => events.push(event) }));
    expect(run).toMatchObject({ reason: 'iterations', steps: 60 });
    expect(run.validation).toHaveLength(6);
    expect(run.bestValidationLoss).toBe(Math.min(...run.validation.map(([, loss]) => loss)));
    expect(run.validation.at(-1)![1]).toBeLessThan(run.validation[0]![1]);
    expect(events.filter(({ type }) => type === 'step')).toHaveLength(60);
    expect(JSON.parse(readFileSync(join(directory, 'tokenizer.json'), 'utf8')).model.type).toBe('BPE');
    const model = await openModel(run.model!, { threads: 1 });
    const { rows } = await model.generate({ prompt: model.tokenizer.encode('export function'), n: 2, maxTokens: 5 });
    expect(rows).toHaveLength(2);
    await model.close();
  });

  it('gives from documents on disk what it gives from the same in memory, and says how far reading is', async () => {
    const onDisk = (part: 'train' | 'validation') => {
      const path = join(folder, `${part}.jsonl`);
      writeFileSync(path, CORPUS[part].map((text) => `${JSON.stringify({ path: 'a.js', text })}\n`).join(''));
      return { path, count: CORPUS[part].length };
    };
    const events: RunEvent[] = [];
    const many = { train: Array.from({ length: 5 }, () => CORPUS.train).flat(), validation: CORPUS.validation };
    const read = await runTraining(
      { train: onDisk('train'), validation: onDisk('validation') },
      options(join(folder, 'disk'), { iterations: 20 }),
    );
    const held = await runTraining(CORPUS, options(join(folder, 'held'), { iterations: 20 }));
    expect({ ...read, model: null }).toEqual({ ...held, model: null });
    await runTraining(many, options(join(folder, 'many'), { iterations: 1, onEvent: (event) => events.push(event) }));
    const told = events.flatMap((event) => (event.type === 'preparing' ? [event] : []));
    expect(told.map(({ what, done, of }) => [what, done, of])).toEqual([
      ['counting words', 64, 150],
      ['counting words', 128, 150],
      ['tokenising', 64, 158],
      ['tokenising', 128, 158],
    ]);
  });

  it('killed at any moment, goes on to the same losses as an unbroken run', async () => {
    const unbroken = await runTraining(
      CORPUS,
      options(join(folder, 'unbroken'), { iterations: 200, validateEvery: 20 }),
    );
    const directory = join(folder, 'killed');
    const script = join(folder, 'killed.mjs');
    writeFileSync(
      script,
      `import { runTraining } from ${JSON.stringify(new URL('./run.ts', import.meta.url).href)};
       const options = JSON.parse(process.argv[2]);
       await runTraining(JSON.parse(process.argv[3]), { ...options, onEvent: ({ type }) => type === 'saved' && console.log(type) });`,
    );
    const args = [
      script,
      JSON.stringify(options(directory, { iterations: 200, validateEvery: 20 })),
      JSON.stringify(CORPUS),
    ];
    // Three times: killed as soon as another checkpoint is there, or a little later, in the middle of what follows.
    for (const delayMs of [0, 3, 40]) {
      await new Promise<void>((resolve) => {
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
        child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), delayMs));
        child.on('close', () => resolve());
      });
    }
    const resumed = await runTraining(CORPUS, options(directory, { iterations: 200, validateEvery: 20 }));
    expect(resumed.validation).toEqual(unbroken.validation);
    expect(resumed.training).toEqual(unbroken.training);
    const [a, b] = await Promise.all(
      ['unbroken', 'killed'].map((name) => readCheckpoint(join(folder, name, 'last.safetensors'))),
    );
    expect(b!.parameters).toEqual(a!.parameters);
  });

  it('stops when validation gets no better, and when asked to', async () => {
    const patient = await runTraining(
      CORPUS,
      options(join(folder, 'patient'), {
        iterations: 2000,
        patience: 2,
        validateEvery: 5,
        schedule: { kind: 'cosine', peak: 0.05, floor: 0.05, warmup: 0, iterations: 2000 },
      }),
    );
    expect(patient.reason).toBe('patience');
    expect(patient.steps).toBeLessThan(2000);
    const control = new AbortController();
    const cancelled = await runTraining(
      CORPUS,
      options(join(folder, 'cancelled'), {
        signal: control.signal,
        onEvent: (event) => event.type === 'step' && event.step === 7 && control.abort(),
      }),
    );
    expect(cancelled).toMatchObject({ reason: 'cancelled', steps: 7 });
    expect((await readCheckpoint(join(folder, 'cancelled', 'last.safetensors'))).progress.step).toBe(7);
  });

  it('says what is wrong with an empty corpus and with a folder of other sizes', async () => {
    await expect(runTraining({ train: ['', ' '], validation: [] }, options(join(folder, 'empty')))).rejects.toThrow(
      /expected text, got none/,
    );
    const other = options(join(folder, 'whole'));
    await expect(runTraining(CORPUS, { ...other, config: { ...other.config, nLayer: 2 } })).rejects.toThrow(
      /nLayer: expected 2, got 1/,
    );
  });
});
