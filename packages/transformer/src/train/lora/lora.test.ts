import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peakBytes } from '@lathe/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TinyKind, writeTinyModel } from '../../__fixtures__/tiny-model.ts';
import { openModel } from '../../open-model.ts';
import { loadTokenizer } from '../../tokenizer/tokenizer.ts';
import { type GgufFile, openGguf } from '../../weights/gguf.ts';
import { writeGguf } from '../../weights/gguf-writer.ts';
import { readSafetensors } from '../../weights/safetensors.ts';
import { readCheckpoint } from '../checkpoint.ts';
import type { StepOptions } from '../trainable.ts';
import { Trainer } from '../trainer.ts';
import { readAdapters, writeAdapters } from './adapter-files.ts';
import { type Base, baseAsFloats, loadBase } from './base.ts';
import { bytesHeld } from './frozen-matrix.ts';
import { ALL_MODULES, LORA_DEFAULTS, type LoraConfig, type LoraOptions, loraSpecs } from './lora-config.ts';
import { adapters, loraConfig } from './lora-graph.ts';
import { mergeAdapters } from './merge.ts';
import { type LoraRunOptions, runLora } from './run-lora.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-lora-'));
afterAll(() => rmSync(folder, { recursive: true }));

const T = 12;
const OPTIONS: LoraOptions = { ...LORA_DEFAULTS, rank: 4, alpha: 6 };
const DOCUMENTS = Array.from({ length: 40 }, (_, i) => `let value${i % 7} = items[${i % 5}].count + ${i % 3};\n`);

/** A base in a file with quantised matrices, so that training goes through dequantised weights. */
const BASES = [
  ['llama', 'Q4_1'],
  ['llama', 'Q8_0'],
  ['qwen2', 'Q8_0'],
] as const satisfies readonly (readonly [TinyKind, string])[];

describe.each(BASES)('adapters on %s in %s', (kind, type) => {
  let file: GgufFile;
  let base: Base;
  let tokens: Uint32Array;
  beforeAll(async () => {
    const path = join(folder, `${kind}-${type}.gguf`);
    await writeTinyModel(path, kind, type);
    file = await openGguf(path);
    base = await loadBase(file, 'blocks');
    tokens = Uint32Array.from(loadTokenizer(file).encode(DOCUMENTS.join('')));
  });
  afterAll(() => file.close());

  const stepOptions = (more: Partial<StepOptions> = {}): StepOptions => ({
    batchSize: 3,
    accumulation: 1,
    optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 },
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmup: 3, iterations: 60 },
    clip: 1,
    seed: 3,
    threads: 1,
    train: tokens,
    validation: tokens,
    ...more,
  });

  it('starts with exactly the loss of the base', async () => {
    const window = tokens.subarray(0, T + 1);
    const trainer = await Trainer.on(
      adapters(base, loraConfig(base, OPTIONS, T)),
      stepOptions({ batchSize: 1, train: window, validation: window }),
    );
    const loss = await trainer.validate(1);
    await trainer.close();
    const model = await openModel(file, { precision: 'f32', threads: 1 });
    const nats = await model.score([...window]);
    await model.close();
    expect(loss).toBeCloseTo(-nats.reduce((sum, each) => sum + each, 0) / T, 5);
  });

  it('lowers the loss by changing the adapters alone, and merges them into the same logits', async () => {
    const config = loraConfig(base, { ...OPTIONS, dropout: 0.1 }, T);
    const trainer = await Trainer.on(adapters(base, config), stepOptions({ batchSize: 1, accumulation: 3 }));
    const before = await trainer.validate(6);
    const weights = structuredClone([...base.matrices, ...base.vectors]);
    for (let step = 0; step < 60; step++) await trainer.step();
    expect(await trainer.validate(6)).toBeLessThan(before - 0.5);
    expect([...base.matrices, ...base.vectors]).toEqual(weights);

    const row = [...tokens.subarray(20, 20 + T)];
    const logits = await trainer.logits(row);
    const { parameters } = trainer.checkpoint({ bestValidationLoss: null, training: [], validation: [] });
    await trainer.close();
    const path = join(folder, `${kind}-${type}-merged.gguf`);
    const merged = { rank: config.rank, alpha: config.alpha, factors: parameters };
    await mergeAdapters(path, file, merged, { type: 'F32', name: 'merged' });
    const model = await openModel(path, { precision: 'f32', threads: 1 });
    const scores = await model.score(row);
    await model.close();
    const V = config.vocabSize;
    for (let t = 0; t + 1 < T; t++) {
      const each = logits.subarray(t * V, (t + 1) * V);
      const normaliser = Math.log(each.reduce((sum, x) => sum + Math.exp(x), 0));
      expect(scores[t]).toBeCloseTo(each[row[t + 1]!]! - normaliser, 4);
    }
  });

  it.each([false, true])('trains to the same bits with the base as f32, blocks recomputed: %s', async (recompute) => {
    const config = loraConfig(base, OPTIONS, T);
    const trained = async (held: Base) => {
      const trainer = await Trainer.on(adapters(held, config), stepOptions({ recompute }));
      const steps = [await trainer.step(), await trainer.step(), await trainer.step()];
      const values = trainer.parameters.map((parameter) => parameter.values);
      await trainer.close();
      return { steps, values };
    };
    const inBlocks = await trained(base);
    expect(await trained(await loadBase(file, 'f32'))).toEqual(inBlocks);
    expect(await trained(baseAsFloats(base))).toEqual(inBlocks);
  });

  it('unpacks one matrix at a time: the graph holds no more at once than with the base as f32', async () => {
    const config = loraConfig(base, OPTIONS, T);
    const shape = { batchSize: 3, gradients: true };
    const [inBlocks, asFloats] = [base, baseAsFloats(base)].map((each) =>
      peakBytes(adapters(each, config).graph(shape).graph),
    );
    const matrices = [...base.matrices.values()].map((matrix) => bytesHeld(matrix, 'f32'));
    expect(inBlocks! - asFloats!).toBeLessThan(2 * Math.max(...matrices));
    expect(inBlocks! - asFloats!).toBeLessThan(0.5 * matrices.reduce((sum, bytes) => sum + bytes, 0));
  });

  it.each(ALL_MODULES)('%s: gradients of both factors agree with differences of the loss', async (module) => {
    const config = loraConfig(base, { ...OPTIONS, modules: [module] }, T);
    const window = tokens.subarray(0, T + 1);
    const options = stepOptions({
      batchSize: 1,
      train: window,
      validation: window,
      optimiser: { kind: 'sgd', momentum: 0, weightDecay: 0 },
      schedule: { kind: 'cosine', peak: 1, floor: 1, warmup: 0, iterations: 1 },
      clip: 0,
    });
    const start = startOf(config, (i) => 0.1 * Math.sin(1 + 7 * i));
    const lossAt = async (parameters: Map<string, Float32Array>) => {
      const trainer = await Trainer.on(adapters(base, config), options, checkpointOf(config, parameters));
      const loss = await trainer.validate(1);
      await trainer.close();
      return loss;
    };
    const trainer = await Trainer.on(adapters(base, config), options, checkpointOf(config, copy(start)));
    await trainer.step();
    // A step of plain descent at rate 1 goes by the gradient itself.
    const after = new Map(trainer.parameters.map(({ name, values }) => [name, values]));
    await trainer.close();
    for (const factor of ['lora_A', 'lora_B']) {
      const gradient = new Map(
        [...start].map(([name, values]) => [name, values.map((value, i) => value - after.get(name)![i]!)]),
      );
      // Along the gradient itself the loss changes most, so that rounding of the loss matters least.
      const along = [...gradient].filter(([name]) => name.endsWith(factor));
      const norm = Math.sqrt(along.reduce((sum, [, g]) => sum + g.reduce((part, x) => part + x * x, 0), 0));
      const moved = (distance: number) => {
        const parameters = copy(start);
        for (const [name, g] of along) {
          const values = parameters.get(name)!;
          for (let i = 0; i < g.length; i++) values[i]! += (distance * g[i]!) / norm;
        }
        return parameters;
      };
      const h = 2e-3;
      const slope = ((await lossAt(moved(h))) - (await lossAt(moved(-h)))) / (2 * h);
      expect(slope / norm, factor).toBeGreaterThan(0.98);
      expect(slope / norm, factor).toBeLessThan(1.02);
    }
  });

  it('stores adapters under the names PEFT knows and reads them back', async () => {
    const config = loraConfig(base, { ...OPTIONS, modules: ['q_proj', 'down_proj'] }, T);
    const factors = startOf(config, (i) => Math.sin(i));
    const directory = join(folder, `${kind}-${type}-peft`);
    mkdirSync(directory);
    await writeAdapters(directory, { config, architecture: kind, baseName: 'tiny', factors });
    const { tensors } = await readSafetensors(join(directory, 'adapter_model.safetensors'));
    const { nEmbd, nFeedForward, headSize, nHead } = base.config;
    expect(tensors.get('base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight')!.shape).toEqual([
      nHead * headSize,
      4,
    ]);
    expect(tensors.get('base_model.model.model.layers.0.mlp.down_proj.lora_A.weight')!.shape).toEqual([
      4,
      nFeedForward,
    ]);
    expect(tensors.size).toBe(2 * 2 * base.config.nLayer);
    expect(JSON.parse(readFileSync(join(directory, 'adapter_config.json'), 'utf8'))).toMatchObject({
      peft_type: 'LORA',
      r: 4,
      lora_alpha: 6,
      target_modules: ['q_proj', 'down_proj'],
    });
    expect(await readAdapters(directory, base.config)).toEqual({ rank: 4, alpha: 6, factors });
    const other = { ...base.config, nEmbd: 2 * nEmbd };
    await expect(readAdapters(directory, other)).rejects.toThrow(/lora_A.weight: expected \[4, \d+\], got \[4, \d+\]/);
  });
});

describe('runLora', () => {
  const corpus = { train: DOCUMENTS, validation: DOCUMENTS.slice(0, 10) };
  const base = join(folder, 'run-base.gguf');
  beforeAll(() => writeTinyModel(base, 'llama', 'Q4_1'));
  const options = (name: string, more: Partial<LoraRunOptions> = {}): LoraRunOptions => ({
    base,
    lora: OPTIONS,
    blockSize: T,
    type: 'F16',
    batchSize: 2,
    accumulation: 1,
    optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 },
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmup: 3, iterations: 60 },
    clip: 1,
    seed: 5,
    threads: 1,
    iterations: 60,
    validateEvery: 10,
    validationBatches: 2,
    patience: 0,
    directory: join(folder, name),
    ...more,
  });

  it('killed, goes on to the same adapters as an unbroken run, and leaves a model that runs', async () => {
    const unbroken = await runLora(corpus, options('unbroken'));
    const script = join(folder, 'killed.mjs');
    writeFileSync(
      script,
      `import { runLora } from ${JSON.stringify(new URL('./run-lora.ts', import.meta.url).href)};
       const options = JSON.parse(process.argv[2]);
       await runLora(JSON.parse(process.argv[3]), { ...options, onEvent: ({ type }) => type === 'saved' && console.log(type) });`,
    );
    const args = [script, JSON.stringify(options('killed')), JSON.stringify(corpus)];
    await new Promise<void>((resolve) => {
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      child.stdout.once('data', () => child.kill('SIGKILL'));
      child.on('close', () => resolve());
    });
    const resumed = await runLora(corpus, options('killed'));
    expect(resumed.validation).toEqual(unbroken.validation);
    const [a, b] = await Promise.all(
      ['unbroken', 'killed'].map((name) => readCheckpoint(join(folder, name, 'last.safetensors'))),
    );
    expect(b!.parameters).toEqual(a!.parameters);

    const model = await openModel(resumed.model!, { threads: 1 });
    expect(resumed.bestValidationLoss).toBeLessThan(resumed.validation[0]![1]);
    const { rows } = await model.generate({
      prompt: model.tokenizer.encode('let value'),
      maxTokens: 4,
      ignoreEnd: true,
    });
    expect(rows[0]!.tokens).toHaveLength(4);
    await model.close();
  });

  it('says what is wrong with sizes, another base and adapters of another kind', async () => {
    await expect(runLora(corpus, options('a', { lora: { ...OPTIONS, rank: 0 } }))).rejects.toThrow(
      /LoRA rank: expected a whole number from 1 to 1024, got 0/,
    );
    await expect(runLora(corpus, options('b', { lora: { ...OPTIONS, modules: [] } }))).rejects.toThrow(/modules/);
    await expect(runLora(corpus, options('b', { lora: { ...OPTIONS, rank: 65 } }))).rejects.toThrow(
      /LoRA rank: expected at most 64, the highest any/,
    );
    await expect(runLora(corpus, options('c', { blockSize: 1000 }))).rejects.toThrow(/window of 256, got 1000/);
    await expect(runLora({ train: [''], validation: [''] }, options('d'))).rejects.toThrow(
      /training data: expected more than/,
    );
    const other = join(folder, 'other-base.gguf');
    await writeTinyModel(other, 'llama', 'Q8_0');
    await runLora(corpus, options('mine', { iterations: 1 }));
    await expect(runLora(corpus, options('mine', { base: other }))).rejects.toMatchObject({
      message: expect.stringMatching(/SHA-256 of the base: expected [0-9a-f]{64}, got/),
      remedy: expect.stringContaining('trained on another base'),
    });

    const short = await openGguf(base);
    const words = short.metadata.get('tokenizer.ggml.tokens') as string[];
    const types = short.metadata.get('tokenizer.ggml.token_type') as Int32Array;
    const fewer = new Map([
      ...short.metadata,
      ['tokenizer.ggml.tokens', words.slice(0, 250)],
      ['tokenizer.ggml.token_type', types.slice(0, 250)],
      ['tokenizer.ggml.merges', []],
      ['tokenizer.ggml.eos_token_id', 0],
    ] as const);
    const tensors = [...short.tensors.values()].map((tensor) => ({ ...tensor, bytes: () => short.read(tensor.name) }));
    const unlike = join(folder, 'unlike.gguf');
    await writeGguf(unlike, { metadata: fewer, valueTypes: short.valueTypes, tensors });
    await short.close();
    await expect(runLora(corpus, options('e', { base: unlike }))).rejects.toThrow(
      /token_embd.weight: expected a row for each of the vocabulary's 250 tokens, got 258 rows/,
    );

    const file = await openGguf(base);
    const { config } = await loadBase(file, 'f32');
    await file.close();
    const directory = join(folder, 'mine');
    const path = join(directory, 'adapter_config.json');
    const described = JSON.parse(readFileSync(path, 'utf8'));
    for (const [change, message] of [
      [{ ...described, use_dora: true }, /use_dora/],
      [{ ...described, target_modules: ['lm_head'] }, /target_modules/],
      [{ ...described, r: 8 }, /expected \[96, 8\], got \[96, 4\]/],
    ] as const) {
      writeFileSync(path, JSON.stringify(change));
      await expect(readAdapters(directory, config)).rejects.toThrow(message);
    }
    await expect(readAdapters(folder, config)).rejects.toThrow(/expected adapter_config.json/);
  });
});

function startOf(config: LoraConfig, value: (i: number) => number): Map<string, Float32Array> {
  return new Map(
    loraSpecs(config).map(({ name, shape }, k) => [
      name,
      Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => value(i + 13 * k)),
    ]),
  );
}

function copy(parameters: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> {
  return new Map([...parameters].map(([name, values]) => [name, values.slice()]));
}

function checkpointOf(config: LoraConfig, parameters: Map<string, Float32Array>) {
  const progress = { step: 0, bestValidationLoss: null, training: [], validation: [] };
  return { config, progress, parameters, optimiser: new Map<string, Float32Array>() };
}
