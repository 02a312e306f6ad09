/**
 * llama.cpp in a process of its own: a request is one line of JSON on stdin, its answer one on stdout. Spoken to by
 * llama-peer.js. Everything goes through node-llama-cpp's public API.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

/** Keys and values are not rounded to 16 bits: what is compared token by token must not hang on that. */
const EXACT = { experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32', flashAttention: false };

let llama;
let model;
let threads;

const requests = { load, tokenise, run, close };

for await (const line of createInterface({ input: process.stdin })) {
  const { name, ...request } = JSON.parse(line);
  let answer;
  try {
    answer = { result: (await requests[name](request)) ?? null };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  if (name === 'close') break;
}

async function load(request) {
  threads = request.threads;
  llama = await getLlama({
    gpu: false,
    build: 'never',
    maxThreads: threads,
    logLevel: LlamaLogLevel.error,
    logger: (_level, message) => process.stderr.write(message),
  });
  model = await llama.loadModel({ modelPath: request.path, gpuLayers: 0 });
  return { llamaCpp: llama.llamaCppRelease.release, trainContextSize: model.trainContextSize };
}

function tokenise({ text }) {
  return model.tokenize(text);
}

/**
 * n continuations of one prompt, `nNew` tokens each, decoded together: one sequence each in one context, so that every
 * batch holds a token of all. `sharePrompt`: the prompt is evaluated once and its state copied to the others through a file,
 * the only way the public API has; else every sequence evaluates it, as a plain use of the API does.
 */
async function run({ promptTokens, nNew, n, temperature, seed, sharePrompt, exact }) {
  const start = performance.now();
  const context = await model.createContext({
    sequences: n,
    contextSize: promptTokens.length + nNew + 8,
    batchSize: Math.max(512, n),
    threads,
    ...(exact ? EXACT : {}),
  });
  const sequences = Array.from({ length: n }, () => context.getSequence());
  // The last token is left to the generation itself, which needs one to begin with.
  const prefix = promptTokens.slice(0, -1);
  const last = promptTokens.slice(-1);
  if (sharePrompt) {
    await sequences[0].evaluateWithoutGeneratingNewTokens(prefix);
    await copyState(sequences[0], sequences.slice(1));
  } else {
    await Promise.all(sequences.map((sequence) => sequence.evaluateWithoutGeneratingNewTokens(prefix)));
  }
  const promptMs = performance.now() - start;

  const outputs = await Promise.all(
    sequences.map(async (sequence, i) => {
      const tokens = [];
      // An end token is taken like any other: every run must make the same number of tokens.
      const options = { temperature, topK: 0, topP: 1, seed: seed + i, yieldEogToken: true };
      for await (const token of sequence.evaluate(last, options)) {
        tokens.push(token);
        if (tokens.length === nNew) break;
      }
      return tokens;
    }),
  );
  const totalMs = performance.now() - start;
  await context.dispose();
  return { promptMs, decodeMs: totalMs - promptMs, totalMs, peakMemoryBytes: process.resourceUsage().maxRSS * 1024, outputs };
}

async function copyState(from, to) {
  const folder = await mkdtemp(join(tmpdir(), 'lathe-peer-'));
  try {
    const path = join(folder, 'prompt.state');
    await from.saveStateToFile(path);
    for (const sequence of to) await sequence.loadStateFromFile(path, { acceptRisk: true });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function close() {
  await model?.dispose();
  await llama?.dispose();
}
