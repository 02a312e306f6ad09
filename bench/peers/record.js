/**
 * Records what llama.cpp (through node-llama-cpp) makes of a model file, as fixtures for the tests:
 *
 *   node record.js MODEL.gguf [tokenizer] [stored] [f32]
 *
 * All three parts unless some are named:
 * - greedy continuations, the top choice after every prompt token and the highest logits after the last one, of the file as
 *   it is (llama.cpp rounds activations to 8 bits there) and of the same weights written out as f32;
 * - token ids of the tokenizer corpus, for the file's own pre-tokenizer and for the others, on the same vocabulary.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import manifest from './package.json' with { type: 'json' };
import { dequantise } from '../../packages/transformer/src/weights/dequantise.ts';
import { openGguf } from '../../packages/transformer/src/weights/gguf.ts';
import { writeGguf } from '../../packages/transformer/src/weights/gguf-writer.ts';
import { CORPUS } from './corpus.js';
import { PROMPTS } from './prompts.js';

const NEW_TOKENS = 64;
const TOP_LOGITS = 10;
const OTHER_PRE_TOKENIZERS = ['default', 'gpt-2', 'qwen2', 'llama-bpe'];
const transformer = fileURLToPath(new URL('../../packages/transformer/src', import.meta.url));

const PARTS = ['tokenizer', 'stored', 'f32'];
const [modelPath, ...named] = process.argv.slice(2);
const parts = named.length === 0 ? PARTS : named;
if (modelPath === undefined || !parts.every((part) => PARTS.includes(part))) {
  console.error('usage: node record.js MODEL.gguf [tokenizer] [stored] [f32]');
  process.exit(2);
}

const scratch = await mkdtemp(join(tmpdir(), 'lathe-record-'));
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 1, logLevel: LlamaLogLevel.error });
const source = await openGguf(modelPath);
const origin = { model: basename(modelPath), sha256: await sha256(modelPath), llamaCpp: `node-llama-cpp ${manifest.dependencies['node-llama-cpp']} (llama.cpp ${llama.llamaCppRelease.release})` };

try {
  if (parts.includes('tokenizer')) await recordTokenizer();
  if (parts.includes('stored')) await recordStored();
  if (parts.includes('f32')) await recordF32();
  await source.close();
} finally {
  await rm(scratch, { recursive: true, force: true });
  await llama.dispose();
}

async function recordTokenizer() {
  const own = await tokenise(modelPath);
  const differences = {};
  for (const pre of OTHER_PRE_TOKENIZERS) {
    const path = join(scratch, `${pre}.gguf`);
    const metadata = new Map([...source.metadata, ['tokenizer.ggml.pre', pre], ['tokenizer.ggml.add_bos_token', false]]);
    await writeGguf(path, { metadata, valueTypes: source.valueTypes, tensors: [] });
    differences[pre] = differing((await tokenise(path)).ids, own.ids);
  }
  await record('tokenizer/__fixtures__/llama-cpp-smollm2.json', {
    ...origin,
    endTokens: own.endTokens,
    texts: CORPUS,
    ids: own.ids,
    // Text number and ids, where they are not those above.
    idsWithSpecial: differing(own.idsWithSpecial, own.ids),
    ...Object.fromEntries(OTHER_PRE_TOKENIZERS.map((pre) => [`ids ${pre}`, differences[pre]])),
  });
}

async function recordStored() {
  await record('__fixtures__/llama-cpp/smollm2-135m.json', { ...origin, weights: 'as stored', ...(await generate(modelPath)) });
}

async function recordF32() {
  const wide = join(scratch, 'f32.gguf');
  await writeGguf(wide, {
    metadata: new Map([...source.metadata, ['general.file_type', 0]]),
    valueTypes: source.valueTypes,
    tensors: [...source.tensors.values()].map((tensor) => ({
      ...tensor,
      type: 'F32',
      bytes: async () => new Uint8Array(dequantise(tensor.type, await source.read(tensor.name)).buffer),
    })),
  });
  await record('__fixtures__/llama-cpp/smollm2-135m-f32.json', {
    ...origin,
    weights: 'dequantised to f32, f32 keys and values',
    ...(await generate(wide, { experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' })),
  });
}

async function tokenise(path) {
  const model = await llama.loadModel({ modelPath: path, vocabOnly: true, gpuLayers: 0 });
  const result = {
    ids: CORPUS.map((text) => model.tokenize(text)),
    idsWithSpecial: CORPUS.map((text) => model.tokenize(text, true)),
    endTokens: [...model.iterateAllTokens()].filter((token) => model.isEogToken(token)),
  };
  await model.dispose();
  return result;
}

function differing(ids, from) {
  return ids.flatMap((each, i) => (JSON.stringify(each) === JSON.stringify(from[i]) ? [] : [[i, each]]));
}

async function generate(path, contextOptions = {}) {
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
  const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads: 1, flashAttention: false, ...contextOptions });
  const sequence = context.getSequence();
  const prompts = [];
  for (const text of PROMPTS) {
    const start = performance.now();
    const promptTokens = model.tokenize(text);
    await sequence.clearHistory();
    const top = { generateNext: { token: true, options: { temperature: 0 } } };
    const last = { generateNext: { token: true, logits: { filter: { tokens: [], includeTop: TOP_LOGITS } }, options: { temperature: 0 } } };
    const outputs = await sequence.controlledEvaluate(promptTokens.map((token, i) => [token, i === promptTokens.length - 1 ? last : top]));
    const logits = [...outputs.at(-1).next.logits].sort((a, b) => b[1] - a[1]).slice(0, TOP_LOGITS);

    const greedyTokens = [];
    const greedyProbabilities = [];
    await sequence.clearHistory();
    for await (const { token, confidence } of sequence.evaluateWithMetadata(promptTokens, { confidence: true }, { temperature: 0, yieldEogToken: true })) {
      greedyTokens.push(token);
      greedyProbabilities.push(Number(confidence.toPrecision(5)));
      if (greedyTokens.length === NEW_TOKENS || model.isEogToken(token)) break;
    }
    prompts.push({
      text,
      promptTokens,
      topTokens: outputs.map((output) => output.next.token),
      lastLogits: logits.map(([token, logit]) => [token, Number(logit.toPrecision(8))]),
      greedyTokens,
      greedyProbabilities,
      greedyText: model.detokenize(greedyTokens, true),
    });
    console.error(`${basename(path)} ${prompts.length}/${PROMPTS.length}: ${promptTokens.length} tokens, ${Math.round(performance.now() - start)} ms`);
  }
  await context.dispose();
  await model.dispose();
  return { prompts };
}

async function sha256(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** One line an entry keeps the files small and their differences readable. */
async function record(name, value) {
  const path = join(transformer, name);
  await mkdir(join(path, '..'), { recursive: true });
  const line = (entry) => (Array.isArray(entry) ? `[\n${entry.map((each) => JSON.stringify(each)).join(',\n')}\n]` : JSON.stringify(entry));
  const fields = Object.entries(value).map(([key, entry]) => `${JSON.stringify(key)}: ${line(entry)}`);
  await writeFile(path, `{\n${fields.join(',\n')}\n}\n`);
  console.error(`wrote ${path}`);
}
