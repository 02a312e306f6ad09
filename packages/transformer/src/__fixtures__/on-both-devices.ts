/**
 * Runs small models on the processor and through WebGPU and prints one line of JSON each, `{name, worst}`: the largest
 * difference of a value relative to the larger of 1 and that value.
 *
 *     node on-both-devices.ts FOLDER      FOLDER holds llama-Q4_1.gguf and qwen2-Q8_0.gguf
 */
import { join } from 'node:path';
import { openSession, type Value } from '@lathe/graph';
import { openModel } from '../index.ts';
import { uniform } from '../random.ts';
import { Trainer, type TrainingOptions } from '../train/trainer.ts';
import type { TrainingConfig } from '../train/training-config.ts';
import { trainingGraph } from '../train/training-graph.ts';

const DEVICES = ['cpu', 'webgpu'] as const;
const folder = process.argv[2]!;

function worstOf(gpu: ArrayLike<number>, cpu: ArrayLike<number>): number {
  if (gpu.length !== cpu.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < cpu.length; i++) {
    const difference = Math.abs(gpu[i]! - cpu[i]!) / Math.max(1, Math.abs(cpu[i]!));
    worst = difference <= worst ? worst : Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return worst;
}

function print(name: string, worst: number): void {
  console.log(JSON.stringify({ name, worst }));
}

// Shaders are compiled for every shape anew: as few sizes as show it.
const SMALL: TrainingConfig = {
  preset: 'llama',
  nLayer: 1,
  nHead: 4,
  nKvHead: 2,
  nEmbd: 32,
  nFeedForward: 64,
  vocabSize: 50,
  blockSize: 8,
  dropout: 0,
  labelSmoothing: 0,
};
const PAPER: TrainingConfig = { ...SMALL, preset: 'vaswani-2017', nKvHead: 4, labelSmoothing: 0.1 };

// The gradient of every parameter and, without gradients, the logits.
for (const [config, gradients] of [
  [SMALL, true],
  [PAPER, true],
  [SMALL, false],
] as const) {
  const { graph } = trainingGraph(config, 3, gradients);
  const feeds: Record<string, Value> = {};
  for (const [i, { name, shape, dataType }] of graph.inputs.entries()) {
    const dims = shape as readonly number[];
    const count = dims.reduce((a, b) => a * b, 1);
    feeds[name] =
      dataType === 'int64'
        ? { dataType, dims, data: BigInt64Array.from({ length: count }, (_, j) => BigInt((j * 7 + i) % config.vocabSize)) }
        : { dataType, dims, data: Float32Array.from({ length: count }, (_, j) => uniform(i, 0, j) - 0.5) };
  }
  const results: Record<string, Value>[] = [];
  for (const device of DEVICES) {
    const session = await openSession(graph, { device, threads: 1, spinning: false });
    results.push(await session.run(feeds));
    await session.close();
  }
  const [cpu, gpu] = results as [Record<string, Value>, Record<string, Value>];
  const names = Object.keys(cpu);
  const worst = names.map((name) => worstOf(gpu[name]!.data as Float32Array, cpu[name]!.data as Float32Array));
  const what = gradients ? `${names.filter((name) => name.startsWith('d.')).length} gradients` : 'logits';
  print(`${config.preset}, ${what}`, Math.max(...worst));
}

// Steps of training: the same losses.
{
  const text = Uint16Array.from({ length: 400 }, (_, i) => (i * i) % SMALL.vocabSize);
  const losses = [];
  for (const device of DEVICES) {
    const options: TrainingOptions = {
      config: { ...SMALL, dropout: 0.1 },
      batchSize: 3,
      accumulation: 1,
      optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
      schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmup: 2, iterations: 10 },
      clip: 1,
      seed: 1,
      threads: 1,
      device,
      train: text,
      validation: text,
    };
    const trainer = await Trainer.start(options);
    const own: number[] = [];
    for (let step = 0; step < 3; step++) own.push((await trainer.step()).loss);
    own.push(await trainer.validate(1));
    await trainer.close();
    losses.push(own);
  }
  print('three steps and a validation', worstOf(losses[1]!, losses[0]!));
}

// Model files: log-probabilities of a text, and sampled text of rows that share a prompt.
for (const file of ['llama-Q4_1', 'qwen2-Q8_0']) {
  const scores = [];
  const texts = [];
  for (const device of DEVICES) {
    const model = await openModel(join(folder, `${file}.gguf`), { device, precision: 'exact', threads: 1 });
    const prompt = Array.from({ length: 12 }, (_, i) => (i * 31) % 250);
    scores.push(await model.score(prompt));
    const sampled = { n: 3, seed: 1, temperature: 0.5, maxTokens: 4, ignoreEnd: true };
    const { rows } = await model.generate({ prompt, ...sampled });
    texts.push(rows.flatMap(({ tokens }) => tokens));
    await model.close();
  }
  print(`${file}, log-probabilities`, worstOf(scores[1]!, scores[0]!));
  print(`${file}, sampled tokens`, worstOf(texts[1]!, texts[0]!));
}
