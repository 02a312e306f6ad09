import { LatheError, type MakeRequest, type Maker, type MakerNews, type Proposal } from '@lathe/protocol';
import type { Device, Generation, Model, ModelCache, TokenNews } from '@lathe/transformer';
import { prepareTask } from '../prepare.ts';
import type { PreparedTask, PromptStyle } from '../prepared-task.ts';
import { acquire, type Opened, release } from './shared-models.ts';
import { DRAWN_TEMPERATURE, defaultTemperature } from './temperatures.ts';

export interface LocalMakerOptions {
  /** Model id as the user gave it: `local:smollm2-135m`. */
  readonly model: string;
  /** Its GGUF file. */
  readonly modelPath: string;
  /** Where it computes; the processor unless told. */
  readonly device?: Device | undefined;
  /** Threads that compute; all cores unless told. */
  readonly threads?: number;
  /** Where the converted model and prompts are kept between processes; nowhere unless told. */
  readonly cache?: ModelCache | null;
  /** Longest answer, in tokens; 320 for a hole and 2048 for an instruction unless told. */
  readonly maxAnswerTokens?: number;
}

const HOLE_ANSWER_TOKENS = 320;
const INSTRUCTION_ANSWER_TOKENS = 2048;
/** Below this a model follows code better than requests: it is given a file to go on with. */
const CHATTING_MODEL_PARAMETERS = 250e6;
/** Below this a model cannot be relied on to copy the lines it wants replaced: it writes files in full. */
const EDITING_MODEL_PARAMETERS = 5e9;
/** With few candidates a step leaves the processor room to read guesses along. */
const SPECULATING_CANDIDATES = 4;
/** News of tokens are shown to people: more often than this is only work. */
const TOKEN_NEWS_MS = 100;

/**
 * The transformer of Lathe's own. All candidates of a request are written together in one batch after one reading of the
 * prompt. The model is opened by the first request and stays open until `close`.
 *
 * A candidate depends on model, prompt, temperature, seed and index; never on the others. Drawn to differ (`distinct`) it
 * is the draw of its place among the model's candidates, whichever of them are asked for. Failures of the model file
 * (`LATHE_GGUF_…`, `LATHE_MODEL_…`) and a prompt that does not fit (`LATHE_CONTEXT_TOO_LONG`) are thrown by `make`.
 */
export function createLocalMaker(options: LocalMakerOptions): Maker {
  let opening: Promise<Opened> | null = null;
  return {
    model: options.model,
    async *make(request) {
      const indices = [...request.indices];
      if (indices.length === 0) return;
      yield { type: 'phase', indices, phase: 'loading', detail: options.modelPath };
      opening ??= acquire(options).catch((error) => {
        opening = null;
        throw error;
      });
      yield* write(await opening, options, request);
    },
    async close() {
      const opened = await opening?.catch(() => null);
      opening = null;
      if (opened) await release(options);
    },
  };
}

async function* write(opened: Opened, options: LocalMakerOptions, request: MakeRequest): AsyncGenerator<MakerNews> {
  const { model } = opened;
  const { signal } = request;
  signal.throwIfAborted();
  const wanted =
    options.maxAnswerTokens ?? (request.task.kind === 'hole' ? HOLE_ANSWER_TOKENS : INSTRUCTION_ANSWER_TOKENS);
  const maxTokens = Math.min(wanted, Math.floor(model.contextSize / 2));
  const prepared = await prepareTask(request.task, request.base, {
    contextTokens: model.contextSize - maxTokens,
    countTokens: (text) => model.tokenizer.encode(text).length,
    wholeFiles: parametersOf(model) < EDITING_MODEL_PARAMETERS,
    withGrammar: request.grammar !== false,
  });
  const style = styleOf(prepared, model);
  const prompt = await promptOf(prepared, style, opened);
  const tooLong =
    prepared.contextTooLong?.tokens ?? (prompt.length + maxTokens > model.contextSize ? prompt.length : null);
  if (tooLong !== null) throw contextTooLong(tooLong, maxTokens, model.contextSize, options.model);

  const indices = [...request.indices];
  const left = prepared.leftOut.length === 0 ? '' : `, without ${prepared.leftOut.join(', ')}`;
  const unkept = model.cacheTrouble === null ? '' : `; ${model.cacheTrouble}`;
  yield { type: 'phase', indices, phase: 'reading', detail: `${prompt.length} tokens${left}${unkept}` };
  const stop = new AbortController();
  const distinct = request.distinct ?? 0;
  const { temperature } = request;
  // Drawn together, a candidate is the draw of its place among all of this model's, also where some exist already.
  const share = request.share ?? indices;
  const places = distinct > 0 ? indices.map((index) => share.indexOf(index)) : indices;
  const batch = new Batch(indices, prompt.length, { prepared, style, maxTokens, seed: request.seed, places });
  const generating = model
    .generate({
      prompt,
      seed: request.seed,
      maxTokens,
      stop: style === 'chat' ? prepared.stop : prepared.continuationStop,
      stopWhen: (style === 'chat' ? null : prepared.continuationEnd) ?? null,
      grammar: (style === 'chat' ? prepared.grammar : null) ?? null,
      distinct,
      // By the run's number of candidates, not by how many of them are still to be made: resumed it goes on as it began.
      speculate: request.speculate !== false && share.length <= SPECULATING_CANDIDATES,
      rows: places.map((index) => ({
        index,
        temperature: temperature ?? (distinct > 0 ? DRAWN_TEMPERATURE : defaultTemperature(index)),
      })),
      signal: AbortSignal.any([signal, stop.signal]),
      onToken: (news) => batch.take(news),
      onProgress: (tokens) => batch.progress(tokens),
    })
    .then(
      (generation) => batch.end(generation),
      (error: unknown) => batch.fail(error),
    );
  try {
    yield* batch.news;
    signal.throwIfAborted();
  } finally {
    stop.abort(new Error('nobody waits for the candidates any more'));
    await generating;
  }
}

/** See `PromptStyle`. */
function styleOf(prepared: PreparedTask, model: Model): PromptStyle {
  if (prepared.completionPrompt !== undefined && parametersOf(model) < CHATTING_MODEL_PARAMETERS) return 'completion';
  return prepared.prefill === undefined ? 'chat' : 'prefilled';
}

/** Parameters of the blocks, without the embedding. */
function parametersOf({ config }: Model): number {
  const { nLayer, nEmbd, nFeedForward, nHead, nKvHead, headSize } = config;
  return nLayer * (2 * nEmbd * headSize * (nHead + nKvHead) + 3 * nEmbd * nFeedForward);
}

async function promptOf(prepared: PreparedTask, style: PromptStyle, { model, file }: Opened): Promise<number[]> {
  const { encodeChat } = await import('@lathe/transformer');
  if (style === 'completion') return model.tokenizer.encode(prepared.completionPrompt!, { addSpecial: true });
  const turn = await encodeChat(file, model.tokenizer, prepared.messages);
  return style === 'prefilled' ? [...turn, ...model.tokenizer.encode(prepared.prefill!)] : turn;
}

function contextTooLong(tokens: number, answer: number, window: number, model: string): LatheError {
  return new LatheError(
    'LATHE_CONTEXT_TOO_LONG',
    `the task takes ${tokens} tokens; ${model} has a window of ${window}, of which ${answer} are kept for its answer`,
    { remedy: 'name fewer or smaller files, or use a model with a larger window: lathe models list' },
  );
}

interface Asked {
  readonly prepared: PreparedTask;
  readonly style: PromptStyle;
  readonly maxTokens: number;
  readonly seed: number;
  /** The model's row of each candidate, in the same order. */
  readonly places: readonly number[];
}

interface Row {
  /** The candidate's. */
  readonly index: number;
  readonly promptTokens: number;
  text: string;
  tokens: number;
  logProbability: number;
  logProbabilities: number;
  toldAt: number;
  isProposed: boolean;
}

/** The rows of one request as they grow; `news` ends when every row has its proposal. */
class Batch {
  readonly news: ReadableStream<MakerNews>;
  readonly #asked: Asked;
  /** By the model's row. */
  readonly #rows: Map<number, Row>;
  readonly #started = performance.now();
  readonly #making: Promise<void>[] = [];
  #tell: ReadableStreamDefaultController<MakerNews> | null = null;
  #isWriting = false;

  constructor(indices: readonly number[], promptTokens: number, asked: Asked) {
    this.#asked = asked;
    this.news = new ReadableStream({
      start: (controller) => {
        this.#tell = controller;
      },
      cancel: () => {
        this.#tell = null;
      },
    });
    // The prompt is read once for all of them: their shares sum to its length.
    const share = (place: number): number => Math.floor((promptTokens + place) / indices.length);
    this.#rows = new Map(
      indices.map((index, place) => [
        asked.places[place]!,
        {
          index,
          promptTokens: share(place),
          text: '',
          tokens: 0,
          logProbability: 0,
          logProbabilities: 0,
          toldAt: 0,
          isProposed: false,
        },
      ]),
    );
  }

  take(news: TokenNews): void {
    const row = this.#rows.get(news.index)!;
    this.#writing();
    row.text += news.text;
    row.tokens += 1;
    row.logProbability += news.logProbability;
    row.logProbabilities += 1;
    const now = performance.now();
    if (now - row.toldAt >= TOKEN_NEWS_MS || news.finish !== null) {
      row.toldAt = now;
      this.#tell?.enqueue({ type: 'tokens', index: row.index, completion: row.tokens });
    }
    if (news.finish !== null && news.finish !== 'cancelled') {
      row.isProposed = true;
      this.#making.push(this.#propose(row, news.finish));
    }
  }

  /** Where candidates are drawn together their texts are not known before they are final; how long they are is. */
  progress(tokens: number): void {
    this.#writing();
    const now = performance.now();
    for (const row of this.#rows.values()) {
      if (row.isProposed || now - row.toldAt < TOKEN_NEWS_MS) continue;
      row.toldAt = now;
      this.#tell?.enqueue({ type: 'tokens', index: row.index, completion: tokens });
    }
  }

  async end({ rows }: Generation): Promise<void> {
    await Promise.all(this.#making);
    if (rows.every(({ finish }) => finish !== 'cancelled')) this.#sayWhatIsMissing(rows.length);
    this.#tell?.close();
  }

  /** Drawn without replacement there may be fewer answers than candidates. */
  #sayWhatIsMissing(answers: number): void {
    for (const row of this.#rows.values()) {
      if (row.isProposed) continue;
      const reason = `the model has no other answer at this temperature: ${answers} differ`;
      this.#tell?.enqueue({
        type: 'proposal',
        proposal: this.#proposal(row, { outcome: 'invalid', reason, edits: [] }),
      });
    }
  }

  #writing(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    const indices = [...this.#rows.values()].map(({ index }) => index);
    this.#tell?.enqueue({ type: 'phase', indices, phase: 'writing' });
  }

  fail(error: unknown): void {
    this.#tell?.error(error);
  }

  async #propose(row: Row, finish: string): Promise<void> {
    const durationMs = performance.now() - this.#started;
    const made = await this.#editsOf(row.text, finish);
    this.#tell?.enqueue({ type: 'proposal', proposal: { ...this.#proposal(row, made), durationMs } });
  }

  #proposal(row: Row, made: Pick<Proposal, 'outcome' | 'reason' | 'edits'>): Proposal {
    return {
      index: row.index,
      ...made,
      answer: row.text,
      seed: this.#asked.seed,
      tokens: { prompt: row.promptTokens, completion: row.tokens },
      costUsd: 0,
      durationMs: performance.now() - this.#started,
      meanLogProbability: row.logProbabilities === 0 ? null : row.logProbability / row.logProbabilities,
    };
  }

  async #editsOf(text: string, finish: string): Promise<Pick<Proposal, 'outcome' | 'reason' | 'edits'>> {
    const { prepared, style, maxTokens } = this.#asked;
    try {
      const made = await prepared.toEdits(text, style, finish === 'length');
      if ('edits' in made) return { outcome: 'made', reason: null, edits: made.edits };
      const cut = finish === 'length' ? ` (it was cut off at ${maxTokens} tokens)` : '';
      return { outcome: 'invalid', reason: `${made.invalid}${cut}`, edits: [] };
    } catch (error) {
      // One answer that cannot be read must not take the other nine with it.
      const reason = `the answer could not be read: ${error instanceof Error ? error.message : String(error)}`;
      return { outcome: 'error', reason, edits: [] };
    }
  }
}
