/**
 * Models that Lathe trained and exported, as llama.cpp, transformers and PEFT read them. Recorded by
 * bench/peers/record-exported.js; where llama.cpp itself is installed, models trained here and now are held against it too.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../config.ts';
import { openModel } from '../open-model.ts';
import { openGguf } from '../weights/gguf.ts';
import type { LoopOptions } from './loop.ts';
import { readAdapters } from './lora/adapter-files.ts';
import { ALL_MODULES } from './lora/lora-config.ts';
import { mergeAdapters } from './lora/merge.ts';
import { runLora } from './lora/run-lora.ts';
import { runTraining } from './run.ts';

const exported = fileURLToPath(new URL('./__fixtures__/exported', import.meta.url));
const recorded: {
  models: Record<'scratch' | 'adapted', { text: string; promptTokens: number[]; greedyTokens: number[] }[]>;
  peft: { tokens: number[]; base: number[]; adapted: number[] };
} = JSON.parse(readFileSync(join(exported, 'recorded.json'), 'utf8'));
const file = (name: string) => join(exported, `${name}.gguf`);

const folder = mkdtempSync(join(tmpdir(), 'lathe-exported-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What Lathe writes after a text, always the likeliest token, and the tokens it reads the text as. */
async function greedy(path: string, texts: readonly string[], maxTokens: number) {
  const model = await openModel(path, { precision: 'f32', threads: 1 });
  const written: { promptTokens: number[]; greedyTokens: readonly number[] }[] = [];
  for (const text of texts) {
    const promptTokens = model.tokenizer.encode(text);
    const { rows } = await model.generate({ prompt: promptTokens, maxTokens, temperature: 0, ignoreEnd: true });
    written.push({ promptTokens, greedyTokens: rows[0]!.tokens });
  }
  await model.close();
  return written;
}

describe.each(['scratch', 'adapted'] as const)('the exported model %s', (name) => {
  it('gives llama.cpp the same tokens and the same greedy text', async () => {
    const prompts = recorded.models[name];
    const ours = await greedy(
      file(name),
      prompts.map(({ text }) => text),
      prompts[0]!.greedyTokens.length,
    );
    expect(ours).toEqual(prompts.map(({ promptTokens, greedyTokens }) => ({ promptTokens, greedyTokens })));
  });

  it('has the probabilities that transformers, with the adapters as PEFT reads them, gives it', async () => {
    const { tokens, base, adapted } = recorded.peft;
    const model = await openModel(file(name), { precision: 'f32', threads: 1 });
    const ours = await model.score(tokens);
    await model.close();
    const theirs = name === 'scratch' ? base : adapted;
    expect(ours).toHaveLength(theirs.length);
    for (const [i, each] of theirs.entries()) expect(ours[i]).toBeCloseTo(each, 4);
  });
});

it('merges stored adapters into the same file, byte for byte', async () => {
  const base = await openGguf(file('scratch'));
  const adapters = await readAdapters(exported, readConfig(base));
  const path = join(folder, 'merged.gguf');
  const { metadata } = await openGguf(file('adapted')).then(async (opened) => {
    await opened.close();
    return opened;
  });
  await mergeAdapters(path, base, adapters, { type: 'F32', name: String(metadata.get('general.name')) });
  await base.close();
  expect(readFileSync(path).equals(readFileSync(file('adapted')))).toBe(true);
});

const peers = new URL('../../../../bench/peers/', import.meta.url);
const installed = existsSync(new URL('node_modules/node-llama-cpp/package.json', peers));
const reason = installed ? '' : ' (skipped: llama.cpp is not installed, npm ci --omit=optional --prefix bench/peers)';

describe.skipIf(!installed)(`llama.cpp itself, on models trained just now${reason}`, () => {
  it('writes the same greedy text with a model from scratch and with merged adapters', async () => {
    const documents = Array.from({ length: 60 }, (_, i) => `const value${i % 7} = items[${i % 5}].count + ${i % 3};\n`);
    const corpus = { train: documents, validation: documents.slice(0, 20) };
    const run = (name: string, iterations: number): LoopOptions => ({
      batchSize: 8,
      accumulation: 1,
      optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 },
      schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmup: 5, iterations },
      clip: 1,
      seed: 2,
      threads: 1,
      iterations,
      validateEvery: iterations,
      validationBatches: 2,
      patience: 0,
      directory: join(folder, name),
    });
    const scratch = await runTraining(corpus, {
      ...run('scratch', 80),
      vocabSize: 300,
      config: {
        preset: 'llama',
        nLayer: 2,
        nHead: 4,
        nKvHead: 2,
        nEmbd: 32,
        nFeedForward: 96,
        blockSize: 64,
        dropout: 0,
        labelSmoothing: 0,
      },
    });
    const others = { train: documents.map((text) => text.replaceAll('value', 'total')), validation: documents };
    const adapted = await runLora(others, {
      ...run('adapted', 40),
      base: scratch.model!,
      blockSize: 64,
      lora: { rank: 2, alpha: 4, modules: ALL_MODULES, dropout: 0 },
      type: 'F32',
    });
    const { load } = await import(new URL('llama-peer.js', peers).href);
    const texts = ['const value', 'const total3 = ', 'items['];
    for (const path of [scratch.model!, adapted.model!]) {
      const peer = await load(path, 1);
      const theirs: unknown[] = [];
      for (const text of texts) {
        const promptTokens: number[] = await peer.tokenise(text);
        const { outputs } = await peer.runOne(promptTokens, 24, { temperature: 0, exact: true });
        theirs.push({ promptTokens, greedyTokens: outputs[0] });
      }
      await peer.close();
      expect(await greedy(path, texts, 24)).toEqual(theirs);
    }
  });
});
