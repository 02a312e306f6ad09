import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Device } from '@lathe/graph';
import type { FunctionBodyEnd } from './body-end.ts';
import { type Config, readConfig } from './config.ts';
import type { Grammar } from './constraint/constraint.ts';
import type { Timings } from './generate.ts';
import { ModelError } from './model-error.ts';
import type { Precision } from './precision.ts';
import type { GeneratedRow, RowRequest, TokenNews } from './row.ts';
import { loadTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts';
import { type GgufFile, openGguf } from './weights/gguf.ts';
import type { ModelCache, TransferredProblem, WorkerReply, WorkerRequest, WorkerSetup } from './worker-protocol.ts';

export interface OpenOptions {
  /** `cpu` by default. On `webgpu` the precision is `exact` unless told, and nothing is kept on disk. */
  readonly device?: Device | undefined;
  /** What suits the machine by default: see `defaultPrecision`. */
  readonly precision?: Precision;
  /** Threads of the model, its own included; all cores by default. */
  readonly threads?: number;
  /** Idle threads wait actively between two operations: faster where the cores are otherwise idle. Default false. */
  readonly spinning?: boolean;
  /** Most tokens of prompt and answer together; the model's own window, at most 8192, by default. */
  readonly contextSize?: number;
  /** Keep the converted model and prompts that were read on disk. Nothing is kept by default. */
  readonly cache?: ModelCache | null;
  /** Memory for the keys and values of prompts that were read, so that they need not be read again; none by default. */
  readonly promptMemoryBytes?: number;
}

/** What one row asks for; what is left out comes from the request. */
export interface RowOptions {
  /** With the seed it fixes the row's random numbers. */
  readonly index: number;
  readonly seed?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly maxTokens?: number;
  readonly stop?: readonly string[];
  /** Go on past the model's own end token: for measurements that need a fixed length. Default false. */
  readonly ignoreEnd?: boolean;
  /** What the text may be; anything by default. Log-probabilities that are reported stay the model's own. */
  readonly grammar?: Grammar | null;
  /** Ends a row with the function it fills; its finish is `stop`. */
  readonly stopWhen?: FunctionBodyEnd | null;
}

export interface GenerateRequest extends Omit<RowOptions, 'index'> {
  /** At least one token. */
  readonly prompt: readonly number[];
  /** How many rows, with indices 0, 1, …; 1 by default. */
  readonly n?: number;
  /** Rows one by one, instead of `n`. Indices are unique. */
  readonly rows?: readonly RowOptions[];
  /**
   * 0 (default): rows are independent. Above it they are drawn together, and every draw of a text takes this share of its
   * probability away: 1 is without replacement, no two rows have the same text. Row i is the i-th draw, whatever other
   * rows are asked for; all rows have one seed and one sampling, of a temperature above 0, and topP is 1 unless told.
   * There may be fewer rows than asked for: the distribution holds no more different texts.
   */
  readonly distinct?: number;
  /**
   * At most four rows guess what comes next by looking it up in the prompt and in their own text, where that has paid so
   * far. The distribution is the same, and so are the texts but for choices that rounding decides; in int8 that is about one token in a
   * hundred, so that a row may differ from the same one of many. Default false. Without effect on rows drawn together.
   */
  readonly speculate?: boolean;
  readonly signal?: AbortSignal;
  /** Called as tokens come, rows mixed. */
  readonly onToken?: (news: TokenNews) => void;
  /** Where rows are drawn together a row's tokens come all at once when it is final; this tells how far the rows are. */
  readonly onProgress?: (tokens: number) => void;
}

export interface Generation {
  /** In the order asked for. A row cut short by the signal is `cancelled` and keeps what it has. */
  readonly rows: readonly GeneratedRow[];
  /** Rows whose text an earlier row has. */
  readonly duplicates: number;
  readonly promptTokens: number;
  readonly timings: Timings;
}

/** A language model in a thread of its own. */
export interface Model {
  readonly config: Config;
  readonly tokenizer: Tokenizer;
  readonly precision: Precision;
  readonly contextSize: number;
  /** Milliseconds from start of the thread to a model that is ready. */
  readonly loadMs: number;
  /** Why the converted model could not be kept on disk, in words; null where it was, or none was to be. */
  readonly cacheTrouble: string | null;
  generate(request: GenerateRequest): Promise<Generation>;
  /** log p(tokens[i + 1] | tokens[0 … i]) in nats, one less than there are tokens. */
  score(tokens: readonly number[], options?: { signal?: AbortSignal }): Promise<Float32Array>;
  /** Ends the thread; safe to call twice. Requests under way fail. */
  close(): Promise<void>;
}

const MAX_DEFAULT_CONTEXT = 8192;
const DEFAULTS = {
  seed: 0,
  temperature: 0.8,
  topP: 0.95,
  topK: 0,
  maxTokens: 256,
  stop: [] as readonly string[],
  ignoreEnd: false,
  grammar: null as Grammar | null,
  stopWhen: null as FunctionBodyEnd | null,
};

/**
 * Opens a GGUF model. The file is read by the model's thread and closed again; where a `GgufFile` is given it stays the
 * caller's. Throws `ModelError`, `GgufError` or `TokenizerError` where the file is not a model that can be run.
 */
export async function openModel(source: string | GgufFile, options: OpenOptions = {}): Promise<Model> {
  const file = typeof source === 'string' ? await openGguf(source) : source;
  let config: Config;
  let tokenizer: Tokenizer;
  let setup: WorkerSetup;
  let thread: ModelThread;
  try {
    config = readConfig(file);
    setup = {
      path: file.path,
      device: options.device ?? 'cpu',
      precision: options.precision ?? null,
      threads: options.threads ?? availableParallelism(),
      spinning: options.spinning ?? false,
      contextSize: Math.min(options.contextSize ?? MAX_DEFAULT_CONTEXT, config.blockSize),
      cache: options.cache ?? null,
      promptMemoryBytes: options.promptMemoryBytes ?? 0,
    };
    const starting = ModelThread.start(setup);
    // The vocabulary is read here while the thread reads the weights.
    const read = await Promise.allSettled([loadTokenizerSoon(file), starting]);
    if (read[0].status === 'rejected') {
      if (read[1].status === 'fulfilled') await read[1].value.close();
      throw read[0].reason;
    }
    if (read[1].status === 'rejected') throw read[1].reason;
    tokenizer = read[0].value;
    thread = read[1].value;
  } finally {
    if (typeof source === 'string') await file.close();
  }

  const checkTokens = (tokens: readonly number[], most: number) => {
    if (tokens.length === 0 || tokens.length > most)
      throw new ModelError('LATHE_MODEL_CONTEXT', `expected 1 to ${most} tokens, got ${tokens.length}`, {
        remedy: 'Shorten the prompt, or use a model with a larger window.',
      });
    const wrong = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= config.vocabSize);
    if (wrong !== undefined)
      throw new ModelError('LATHE_MODEL_REQUEST', `token: expected 0 to ${config.vocabSize - 1}, got ${wrong}`);
  };

  return {
    config,
    tokenizer,
    precision: thread.precision,
    contextSize: setup.contextSize,
    loadMs: thread.loadMs,
    cacheTrouble: thread.trouble,
    async generate(request) {
      checkTokens(request.prompt, setup.contextSize - 1);
      const rows = rowRequests(request, setup.contextSize - request.prompt.length);
      const distinct = request.distinct ?? 0;
      const reply = await thread.ask(
        (id, cancelled) => ({
          type: 'generate',
          id,
          prompt: request.prompt,
          rows,
          distinct,
          speculate: request.speculate ?? false,
          cancelled,
        }),
        request.signal,
        (news) => {
          if (news.type === 'progress') request.onProgress?.(news.tokens);
          else for (const one of news.news) request.onToken?.(one);
        },
      );
      if (reply.type !== 'generated') throw new Error(`internal: expected generated, got ${reply.type}`);
      const duplicates = reply.rows.length - new Set(reply.rows.map(({ text }) => text)).size;
      return { rows: reply.rows, duplicates, promptTokens: request.prompt.length, timings: reply.timings };
    },
    async score(tokens, { signal } = {}) {
      checkTokens(tokens, setup.contextSize);
      const reply = await thread.ask(
        (id, cancelled) => ({ type: 'score', id, tokens, cancelled }),
        signal,
        () => {},
      );
      signal?.throwIfAborted();
      if (reply.type !== 'scored') throw new Error(`internal: expected scored, got ${reply.type}`);
      return reply.logProbabilities;
    },
    close: () => thread.close(),
  };
}

/** Not before the thread has been started. */
async function loadTokenizerSoon(file: GgufFile): Promise<Tokenizer> {
  await setImmediate();
  return loadTokenizer(file);
}

function rowRequests(request: GenerateRequest, room: number): RowRequest[] {
  const asked = request.rows ?? Array.from({ length: request.n ?? 1 }, (_, index) => ({ index }));
  const fail = (what: string, expected: string, got: unknown): never => {
    throw new ModelError('LATHE_MODEL_REQUEST', `${what}: expected ${expected}, got ${String(got)}`);
  };
  if (asked.length === 0) fail('rows', 'at least one', 'none');
  if (new Set(asked.map(({ index }) => index)).size !== asked.length) fail('rows', 'unique indices', 'one twice');
  const distinct = request.distinct ?? 0;
  if (!(distinct >= 0 && distinct <= 1)) fail('distinct', '0 to 1', distinct);
  const requests = asked.map((row) => {
    const { index, seed, temperature, topP, topK, maxTokens, stop, ignoreEnd, grammar, stopWhen } = {
      ...DEFAULTS,
      ...(distinct > 0 ? { topP: 1 } : {}),
      ...defined(request),
      ...defined(row),
      index: row.index,
    };
    if (!Number.isInteger(index) || index < 0) fail('index', 'an integer from 0', index);
    if (!Number.isSafeInteger(seed)) fail('seed', 'an integer', seed);
    if (!(temperature >= 0 && temperature <= 100)) fail('temperature', '0 to 100', temperature);
    if (!(topP > 0 && topP <= 1)) fail('topP', 'above 0 and at most 1', topP);
    if (!Number.isInteger(topK) || topK < 0) fail('topK', 'an integer from 0', topK);
    if (!Number.isInteger(maxTokens) || maxTokens < 1) fail('maxTokens', 'an integer from 1', maxTokens);
    if (grammar !== null && ignoreEnd) fail('ignoreEnd of a row with a grammar', 'false', true);
    return {
      index,
      seed,
      temperature,
      topP,
      topK,
      maxTokens: Math.min(maxTokens, room),
      stop: stop.filter((text) => text !== ''),
      ignoreEnd,
      grammar,
      stopWhen,
    };
  });
  if (distinct > 0) {
    const kinds = new Set(requests.map(({ index: _, ...rest }) => JSON.stringify(rest)));
    if (kinds.size > 1) fail('rows drawn together', 'the same seed and sampling for all', `${kinds.size} kinds`);
    if (requests[0]!.temperature === 0) fail('temperature of rows drawn together', 'above 0', 0);
  }
  return requests;
}

function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

type Opened = Extract<WorkerReply, { type: 'opened' }>;
type News = Extract<WorkerReply, { type: 'news' | 'progress' }>;
type Answer = Exclude<WorkerReply, { type: 'opened' | 'news' | 'progress' | 'failed' }>;

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly onNews: (news: News) => void;
  readonly cancel: () => void;
}

/** The main thread's end of the model's thread. */
class ModelThread {
  readonly loadMs: number;
  readonly precision: Precision;
  readonly trouble: string | null;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #ended: Promise<void>;
  #closing: Promise<void> | null = null;

  static async start(setup: WorkerSetup): Promise<ModelThread> {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: setup });
    const opened = await new Promise<Opened>((resolve, reject) => {
      const settle = (act: () => void) => {
        worker.off('error', onError).off('exit', onExit).off('message', onMessage);
        act();
      };
      const onError = (cause: unknown) => settle(() => reject(lost('could not start', cause)));
      const onExit = (code: number) => settle(() => reject(lost(`ended with ${code} while loading`)));
      const onMessage = (reply: WorkerReply) =>
        settle(() => {
          if (reply.type === 'opened') resolve(reply);
          else if (reply.type === 'failed') reject(received(reply.problem));
        });
      worker.on('error', onError).on('exit', onExit).on('message', onMessage);
    });
    return new ModelThread(worker, opened);
  }

  constructor(worker: Worker, { loadMs, precision, trouble }: Opened) {
    this.#worker = worker;
    this.loadMs = loadMs;
    this.precision = precision;
    this.trouble = trouble;
    worker.on('message', (reply: WorkerReply) => this.#receive(reply));
    let failure: Error | null = null;
    worker.on('error', (cause) => {
      failure = lost('failed', cause);
    });
    this.#ended = new Promise((resolve) =>
      worker.on('exit', () => {
        for (const { reject } of this.#pending.values()) reject(failure ?? lost('was closed'));
        this.#pending.clear();
        resolve();
      }),
    );
    // A process may end while its model is idle.
    worker.unref();
  }

  ask(
    request: (id: number, cancelled: SharedArrayBuffer) => WorkerRequest,
    signal: AbortSignal | undefined,
    onNews: Pending['onNews'],
  ): Promise<Answer> {
    if (this.#closing !== null) return Promise.reject(lost('was closed'));
    const id = this.#nextId++;
    const cancelled = new SharedArrayBuffer(4);
    const cancel = () => Atomics.store(new Int32Array(cancelled), 0, 1);
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onNews, cancel });
      this.#worker.ref();
      this.#worker.postMessage(request(id, cancelled));
    });
    return answer.finally(() => {
      signal?.removeEventListener('abort', cancel);
      if (this.#pending.size === 0) this.#worker.unref();
    });
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const { cancel, reject } of this.#pending.values()) {
        cancel();
        reject(lost('was closed'));
      }
      this.#pending.clear();
      // The thread ends by itself after the step under way: ended from outside in the middle of a native call, it would
      // take the whole process down with it.
      this.#worker.ref();
      this.#worker.postMessage({ type: 'close', id: this.#nextId++ } satisfies WorkerRequest);
      await this.#ended;
    })();
    return this.#closing;
  }

  #receive(reply: WorkerReply): void {
    if (reply.type === 'opened' || (reply.type === 'failed' && reply.id === null)) return;
    const pending = this.#pending.get(reply.id!);
    if (pending === undefined) return;
    if (reply.type === 'news' || reply.type === 'progress') {
      pending.onNews(reply);
      return;
    }
    this.#pending.delete(reply.id!);
    if (reply.type === 'failed') pending.reject(received(reply.problem));
    else pending.resolve(reply);
  }
}

function lost(what: string, cause?: unknown): ModelError {
  const detail = cause instanceof Error ? `: ${cause.message}` : '';
  return new ModelError('LATHE_MODEL_WORKER', `the model's thread ${what}${detail}`, { cause });
}

function received({ name, message, code, remedy }: TransferredProblem): Error {
  return Object.assign(new Error(message), { name, code, remedy });
}
