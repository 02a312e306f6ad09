/**
 * The reference run of the trainer: characters of Shakespeare with nanoGPT's sizes, both presets on the same data. Writes
 * the curves as a page and prints what docs/training.md quotes. A run that is stopped goes on where it was saved.
 *
 *     npm run bench -- shakespeare [--size cpu|gpu] [--preset llama|vaswani-2017] [--iterations N] [--batch N]
 *                                  [--validation-batches N] [--device webgpu] [--out DIR] [--json]
 *
 * `cpu`: 4 layers, 4 heads, 128 wide, 64 tokens, batch 12, no dropout (nanoGPT's published 1.88 after 2,000 iterations).
 * `gpu`: 6 layers, 6 heads, 384 wide, 256 tokens, batch 64, dropout 0.2 (1.4697, best of 5,000): hours on a CPU.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { lossPage } from '@lathe/house';
import {
  type Device,
  type Preset,
  parameterCount,
  readCheckpoint,
  swiGluWidth,
  Trainer,
  type TrainingConfig,
  writeCheckpoint,
} from '@lathe/transformer';

const self = fileURLToPath(import.meta.url);
const shared = process.env.LATHE_SHARED_DATA ?? fileURLToPath(new URL('../../shared/data', import.meta.url));

const SIZES = {
  cpu: {
    nLayer: 4,
    nHead: 4,
    nEmbd: 128,
    blockSize: 64,
    batchSize: 12,
    dropout: 0,
    iterations: 2000,
    validationBatches: 20,
    published: 1.88,
  },
  gpu: {
    nLayer: 6,
    nHead: 6,
    nEmbd: 384,
    blockSize: 256,
    batchSize: 64,
    dropout: 0.2,
    iterations: 5000,
    validationBatches: 200,
    published: 1.4697,
  },
} as const;
const VALIDATE_EVERY = 250;

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      size: { type: 'string', default: 'cpu' },
      preset: { type: 'string', default: 'llama' },
      iterations: { type: 'string' },
      batch: { type: 'string' },
      'validation-batches': { type: 'string' },
      threads: { type: 'string', default: String(cpus().length) },
      device: { type: 'string', default: 'cpu' },
      out: { type: 'string', default: 'bench/results' },
      json: { type: 'boolean', default: false },
    },
  });
  const path = join(shared, 'shakespeare/input.txt');
  if (!existsSync(path)) {
    console.log(`skipped: there is no ${path}; LATHE_SHARED_DATA names the folder that holds shakespeare/input.txt`);
    return;
  }
  const size = SIZES[values.size as keyof typeof SIZES];
  if (size === undefined) throw new Error(`--size: expected cpu or gpu, got ${values.size}`);
  const preset = values.preset as Preset;
  const text = readFileSync(path, 'latin1');
  const letters = [...new Set(text)].sort();
  const tokens = Uint16Array.from(text, (letter) => letters.indexOf(letter));
  const cut = Math.floor(tokens.length * 0.9);
  const iterations = Number(values.iterations ?? size.iterations);
  const batchSize = Number(values.batch ?? size.batchSize);
  const validationBatches = Number(values['validation-batches'] ?? size.validationBatches);
  const config: TrainingConfig = {
    preset,
    nLayer: size.nLayer,
    nHead: size.nHead,
    nKvHead: size.nHead,
    nEmbd: size.nEmbd,
    nFeedForward: preset === 'llama' ? swiGluWidth(size.nEmbd) : 4 * size.nEmbd,
    vocabSize: letters.length,
    blockSize: size.blockSize,
    dropout: size.dropout,
    labelSmoothing: 0,
  };
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const name = `shakespeare-${values.size}-${preset}`;
  const saved = join(out, `${name}.safetensors`);
  const earlier = existsSync(saved) ? await readCheckpoint(saved, config) : undefined;
  const trainer = await Trainer.start(
    {
      config,
      batchSize,
      accumulation: 1,
      optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
      schedule: { kind: 'cosine', peak: 1e-3, floor: 1e-4, warmup: 100, iterations },
      clip: 1,
      seed: 1,
      threads: Number(values.threads),
      device: values.device as Device,
      train: tokens.subarray(0, cut),
      validation: tokens.subarray(cut),
    },
    earlier,
  );
  const training = [...(earlier?.progress.training ?? [])];
  const validation = [...(earlier?.progress.validation ?? [])];
  const validate = async (step: number) => {
    const loss = await trainer.validate(validationBatches);
    validation.push([step, loss]);
    console.log(
      `step ${String(step).padStart(5)}   validation ${loss.toFixed(4)}   ${(performance.now() / 1000).toFixed(0)} s`,
    );
  };
  if (trainer.steps === 0) await validate(0);
  const started = performance.now();
  const first = trainer.steps;
  let recent: number[] = [];
  while (trainer.steps < iterations) {
    const { step, loss } = await trainer.step();
    recent.push(loss);
    if (step % 10 === 0) {
      training.push([step, recent.reduce((a, b) => a + b, 0) / recent.length]);
      recent = [];
    }
    if (step % VALIDATE_EVERY !== 0 && step !== iterations) continue;
    await validate(step);
    await writeCheckpoint(saved, trainer.checkpoint({ bestValidationLoss: null, training, validation }));
  }
  const seconds = (performance.now() - started) / 1000;
  const done = trainer.steps - first;
  await trainer.close();
  const best = Math.min(...validation.map(([, loss]) => loss));
  const last = validation.at(-1)![1];
  writeFileSync(
    join(out, `${name}.html`),
    await lossPage({ title: `Shakespeare by characters, ${values.size} sizes, ${preset}`, training, validation }),
  );
  const tokensPerSecond = done === 0 ? null : (done * batchSize * size.blockSize) / seconds;
  console.log(
    `${preset}, ${parameterCount(config).toLocaleString('en')} parameters: validation ${last.toFixed(4)} after ${iterations} iterations, best ${best.toFixed(4)}; nanoGPT publishes ${size.published}` +
      (tokensPerSecond === null ? '' : `; ${tokensPerSecond.toFixed(0)} tokens/s`),
  );
  if (values.json)
    console.log(
      JSON.stringify({
        name,
        unit: 'nats a character',
        ours: last,
        peers: { nanoGPT: size.published },
        ratio: { nanoGPT: last / size.published },
        spread: { best, validation },
        machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, node ${process.version}`,
      }),
    );
}

if (process.argv[1] === self) await main(process.argv.slice(2));
