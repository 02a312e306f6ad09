/**
 * The thread a model lives in: weights, graph, keys and values stay here; tokens and news go out. Requests are served one
 * after the other.
 */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { PrefixCache } from './cache/prefix-cache.ts';
import { readConfig } from './config.ts';
import { Grammars } from './constraint/grammar.ts';
import { generateDistinct } from './distinct.ts';
import type { NextToken, Prefix } from './evaluator.ts';
import { type Decoded, generate, type Steering } from './generate.ts';
import { loadEvaluator } from './load-evaluator.ts';
import { defaultPrecision } from './precision.ts';
import { inverseTemperature, type Vocabulary } from './row.ts';
import { draftCost, generateSpeculatively, MOST_SPECULATING_ROWS } from './speculate.ts';
import { loadTokenizer } from './tokenizer/tokenizer.ts';
import { openGguf } from './weights/gguf.ts';
import type { TransferredProblem, WorkerReply, WorkerRequest, WorkerSetup } from './worker-protocol.ts';

const CHUNK_TOKENS = 128;

const port = parentPort!;
const post = (reply: WorkerReply) => port.postMessage(reply);

const opened = open(workerData as WorkerSetup).catch((error: unknown) => {
  post({ type: 'failed', id: null, problem: transferred(error) });
  port.close();
  return null;
});

let queue: Promise<void> = Promise.resolve();
port.on('message', (request: WorkerRequest) => {
  queue = queue.then(async () => {
    const model = await opened;
    if (model === null) return;
    try {
      await model(request);
    } catch (error) {
      post({ type: 'failed', id: request.id, problem: transferred(error) });
    }
  });
});

async function open(setup: WorkerSetup): Promise<(request: WorkerRequest) => Promise<void>> {
  const started = performance.now();
  const file = await openGguf(setup.path);
  const tokenizer = loadTokenizer(file);
  const ends = new Set(tokenizer.eosIds);
  const vocabulary: Vocabulary = {
    size: readConfig(file).vocabSize,
    bytesOf: (token) => tokenizer.bytesOf(token),
    isControl: (token) => tokenizer.isControl(token),
    isEnd: (token) => ends.has(token),
  };
  const grammars = new Grammars(vocabulary);
  const constrained: Vocabulary = { ...vocabulary, constraint: (grammar) => grammars.constraint(grammar) };

  const precision = setup.precision ?? (setup.device === 'webgpu' ? 'exact' : await defaultPrecision());
  const cache = setup.device === 'cpu' ? setup.cache : null;
  const converted = cache && { folder: join(cache.folder, 'converted'), maxBytes: cache.convertedBytes };
  const { config, evaluator, key, trouble } = await loadEvaluator(file, { ...setup, precision, converted });
  await file.close();
  const prefixes = new PrefixCache(config, {
    blockTokens: CHUNK_TOKENS,
    memoryBytes: setup.promptMemoryBytes,
    disk:
      cache && key !== null && cache.prefixBytes > 0
        ? { folder: join(cache.folder, 'prefixes'), maxBytes: cache.prefixBytes, modelKey: key }
        : null,
  });
  post({ type: 'opened', loadMs: performance.now() - started, precision, trouble });

  /** Reads the prompt in blocks; the logits after its last token once for each distinct inverse temperature. */
  const read = async (tokens: readonly number[], inverse: readonly number[], isCancelled: () => boolean) => {
    let prefix: Prefix = (await prefixes.find(tokens)) ?? evaluator.emptyPrefix();
    const known = prefix.length;
    let last: NextToken[] = [];
    for (let start = known; start < tokens.length && !isCancelled(); start += CHUNK_TOKENS) {
      const chunk = tokens.slice(start, start + CHUNK_TOKENS);
      ({ prefix, last } = await evaluator.extend(prefix, chunk, start + CHUNK_TOKENS >= tokens.length ? inverse : [1]));
    }
    return { prefix, last, known };
  };

  return async (request) => {
    if (request.type === 'close') {
      await evaluator.close();
      post({ type: 'closed', id: request.id });
      port.close();
      return;
    }
    const { id } = request;
    const flag = new Int32Array(request.cancelled);
    const isCancelled = () => Atomics.load(flag, 0) !== 0;
    if (request.type === 'score') {
      let prefix = evaluator.emptyPrefix();
      const logProbabilities: number[] = [];
      for (let start = 0; start < request.tokens.length - 1 && !isCancelled(); start += CHUNK_TOKENS) {
        const end = Math.min(start + CHUNK_TOKENS, request.tokens.length - 1);
        const scored = await evaluator.score(
          prefix,
          request.tokens.slice(start, end),
          request.tokens.slice(start + 1, end + 1),
        );
        logProbabilities.push(...scored.logProbabilities);
        prefix = scored.prefix;
      }
      post({ type: 'scored', id, logProbabilities: Float32Array.from(logProbabilities) });
      return;
    }

    for (const { grammar } of request.rows) if (grammar !== null) await grammars.compile(grammar);
    const inverse = [...new Set(request.rows.map(inverseTemperature))];
    const readStarted = performance.now();
    const { prefix, last, known } = await read(request.prompt, inverse, isCancelled);
    const decodeStarted = performance.now();
    const readPrompt = { tokens: request.prompt, prefix, last: new Map(inverse.map((value, i) => [value, last[i]!])) };
    const steering: Steering = { isCancelled, onStep: (news) => post({ type: 'news', id, news }) };
    const { distinct } = request;
    const decoding: Promise<Decoded> =
      distinct === 0 && request.speculate && request.rows.length <= MOST_SPECULATING_ROWS
        ? generateSpeculatively(evaluator, constrained, readPrompt, request.rows, {
            ...steering,
            cost: draftCost(precision),
          })
        : distinct === 0
          ? generate(evaluator, constrained, readPrompt, request.rows, steering)
          : generateDistinct(evaluator, constrained, readPrompt, request.rows, {
              ...steering,
              distinct,
              onProgress: (tokens) => post({ type: 'progress', id, tokens }),
            });
    const { rows, steps, rowSteps, drafts } = await decoding.finally(() => grammars.release());
    const decodeMs = performance.now() - decodeStarted;
    const chosen = rows.reduce((sum, row) => sum + row.logProbabilities.length, 0);
    post({
      type: 'generated',
      id,
      rows,
      timings: {
        promptTokensRead: prefix.length - known,
        prefillMs: decodeStarted - readStarted,
        decodeMs,
        steps,
        rowSteps,
        drafts: drafts ?? { drafted: 0, accepted: 0 },
        tokensPerSecond: decodeMs > 0 ? (1000 * chosen) / decodeMs : 0,
      },
    });
    // Behind the answer: nobody waits for it but the next request.
    await prefixes.keep(request.prompt, prefix);
  };
}

function transferred(error: unknown): TransferredProblem {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const { code, remedy } = error as { code?: unknown; remedy?: unknown };
  return {
    name,
    message,
    code: typeof code === 'string' ? code : null,
    remedy: typeof remedy === 'string' ? remedy : null,
  };
}
