/**
 * Trains two tiny models on this project's code (one from scratch, one as adapters on the first), exports them as `lathe
 * train` does, and records what llama.cpp writes with them and, where a Python with peft and transformers is named, what PEFT
 * makes of the adapters:
 *
 *   node record-exported.js [PYTHON]
 *
 * The models are kept beside the recording: training gives the same model only on the same kind of processor.
 */
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openModel, runLora, runTraining } from '../../packages/transformer/src/index.ts';
import { load } from './llama-peer.js';
import manifest from './package.json' with { type: 'json' };

const NEW_TOKENS = 48;
const PROMPTS = ['import { z } from', 'export const ', '/** A ', 'export interface ', '  readonly '];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const fixtures = here('../../packages/transformer/src/train/__fixtures__/exported');
const python = process.argv[2];

const scratch = await mkdtemp(join(tmpdir(), 'lathe-exported-'));
try {
  await mkdir(fixtures, { recursive: true });
  const first = await runTraining(await sourcesOf('protocol'), {
    ...run(400, 'scratch'),
    vocabSize: 320,
    config: { preset: 'llama', nLayer: 2, nHead: 4, nKvHead: 2, nEmbd: 32, nFeedForward: 96, blockSize: 64, dropout: 0, labelSmoothing: 0 },
  });
  await copyFile(first.model, join(fixtures, 'scratch.gguf'));
  const second = await runLora(await sourcesOf('graph'), {
    ...run(200, 'adapted'),
    base: first.model,
    blockSize: 64,
    lora: { rank: 2, alpha: 4, modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'], dropout: 0 },
    type: 'F32',
  });
  await copyFile(second.model, join(fixtures, 'adapted.gguf'));
  for (const file of ['adapter_model.safetensors', 'adapter_config.json']) await copyFile(join(scratch, 'adapted', file), join(fixtures, file));
  const recorded = { llamaCpp: `node-llama-cpp ${manifest.dependencies['node-llama-cpp']}`, models: {} };
  for (const name of ['scratch', 'adapted']) recorded.models[name] = await greedy(join(fixtures, `${name}.gguf`));
  if (python !== undefined) recorded.peft = await peft(first);
  await writeFile(join(fixtures, 'recorded.json'), `${JSON.stringify(recorded, null, 1)}\n`);
} finally {
  await rm(scratch, { recursive: true, force: true });
}

async function sourcesOf(name) {
  const folder = here(`../../packages/${name}/src/`);
  const files = (await readdir(folder)).filter((file) => /^[a-z-]+\.ts$/.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(folder + file, 'utf8')));
  return { train: texts, validation: texts };
}

function run(iterations, name) {
  return {
    batchSize: 16,
    accumulation: 1,
    optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 },
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmup: 20, iterations },
    clip: 1,
    seed: 1,
    threads: 1,
    iterations,
    validateEvery: iterations,
    validationBatches: 4,
    patience: 0,
    directory: join(scratch, name),
    onEvent: (event) => event.type === 'validated' && console.error(`${name}: ${event.loss.toFixed(3)} nats a token`),
  };
}

async function greedy(path) {
  const peer = await load(path, 1);
  const prompts = [];
  for (const text of PROMPTS) {
    const promptTokens = await peer.tokenise(text);
    const { outputs } = await peer.runOne(promptTokens, NEW_TOKENS, { temperature: 0, exact: true });
    prompts.push({ text, promptTokens, greedyTokens: outputs[0] });
  }
  await peer.close();
  return prompts;
}

/** log p of each token after those before it, by transformers on the base with the adapters that PEFT reads. */
async function peft(first) {
  const model = await openModel(join(fixtures, 'scratch.gguf'), { threads: 1 });
  const tokens = model.tokenizer.encode('export function gradient(graph: Graph): Tensor {').slice(0, 40);
  await model.close();
  const text = execFileSync(python, [here('./peft_score.py'), first.model, fixtures, JSON.stringify(tokens)], { encoding: 'utf8' });
  return { tokens, ...JSON.parse(text) };
}
