import { openSession, type Session, type Value } from '@lathe/graph';
import type { Checkpoint, Progress } from './checkpoint.ts';
import { Draws } from './draws.ts';
import { checkMemory, outOfMemory } from './memory.ts';
import { adamW, clipScale, type Gradient, normOf, type Optimiser, type Parameter, sgd } from './optimiser.ts';
import { learningRate } from './schedule.ts';
import type { Tokens } from './token-file.ts';
import { TrainError } from './train-error.ts';
import { fromScratch, type StepOptions, type Trainable } from './trainable.ts';
import type { TrainedConfig } from './trained-config.ts';
import type { Start, TrainingConfig } from './training-config.ts';
import type { TrainingGraph } from './training-graph.ts';

export interface Step {
  /** Numbered from 1. */
  readonly step: number;
  /** Mean over the step's tokens, nats a token. */
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  readonly tokens: number;
}

export interface TrainingOptions extends StepOptions {
  readonly config: TrainingConfig;
}

/** Keys that keep the streams of random numbers of one run apart. */
const STREAM = { start: 1, batch: 2, dropout: 3, validation: 4, sample: 5 } as const;
/** Most tokens a sample looks back on. */
const SAMPLE_WINDOW = 64;

/**
 * A training run, one step at a time. What a step draws (sequences, dropout) is fixed by the seed and its number, so a run
 * that goes on from a checkpoint repeats an unbroken one bit for bit on the same processor with the same thread count.
 */
export class Trainer {
  readonly #options: StepOptions;
  readonly #subject: Trainable;
  readonly #session: Session;
  readonly #validation: Session;
  readonly #masks: TrainingGraph['masks'];
  readonly #parameters: readonly Parameter[];
  readonly #optimiser: Optimiser;
  /** Where the gradients of a graph run go: a step's sum and, where it has several parts, one part. */
  readonly #gradients: readonly Readonly<Record<string, Value & Gradient>>[];
  #step: number;

  /** A whole model, from scratch or from a checkpoint. Throws `TrainError` where sizes or data do not fit. */
  static async start(options: TrainingOptions, from?: Checkpoint): Promise<Trainer> {
    return Trainer.on(fromScratch(options.config), options, from);
  }

  /** Trains what the subject says is trained. Throws `TrainError` where the data does not fit. */
  static async on(subject: Trainable, options: StepOptions, from?: Checkpoint): Promise<Trainer> {
    const { batchSize, threads, device } = options;
    checkData('training', options.train, subject.config);
    checkData('validation', options.validation, subject.config);
    checkMemory(subject, options);
    const parameters = subject.specs.map(({ name, shape, start, decayed }, i): Parameter => {
      const count = shape.reduce((a, b) => a * b, 1);
      const kept = from?.parameters.get(name);
      if (kept !== undefined) return { name, shape, decayed, values: kept };
      const draws = new Draws(options.seed, STREAM.start, i);
      const one = drawnFrom(start, draws);
      return { name, shape, decayed, values: Float32Array.from({ length: count }, one) };
    });
    const { graph, masks } = subject.graph({ batchSize, gradients: true, recompute: options.recompute ?? false });
    const runtime = {
      device,
      threads,
      spinning: options.spinning ?? false,
      flushDenormals: true,
      sparing: true,
      unfused: true,
    };
    const session = await openSession(graph, runtime);
    const validation = await openSession(subject.graph({ batchSize, gradients: false }).graph, runtime);
    return new Trainer(subject, options, session, validation, masks, parameters, from);
  }

  private constructor(
    subject: Trainable,
    options: StepOptions,
    session: Session,
    validation: Session,
    masks: TrainingGraph['masks'],
    parameters: readonly Parameter[],
    from: Checkpoint | undefined,
  ) {
    this.#subject = subject;
    this.#options = options;
    this.#session = session;
    this.#validation = validation;
    this.#masks = masks;
    this.#parameters = parameters;
    const state = new Map(from?.optimiser ?? []);
    const { optimiser } = options;
    this.#optimiser =
      optimiser.kind === 'adamw'
        ? adamW(parameters, optimiser, state, options.threads)
        : sgd(parameters, optimiser, state);
    this.#gradients = Array.from({ length: Math.min(2, options.accumulation) }, () =>
      Object.fromEntries(
        parameters.map(({ name, shape, values }): [string, Value & Gradient] => [
          `d.${name}`,
          { dataType: 'float32', dims: shape, data: new Float32Array(values.length) },
        ]),
      ),
    );
    this.#step = from?.progress.step ?? 0;
  }

  /** Steps done. */
  get steps(): number {
    return this.#step;
  }

  get parameters(): readonly Parameter[] {
    return this.#parameters;
  }

  /** Throws `TrainError` where the loss is not a number any more; the parameters are then as before the step. */
  async step(): Promise<Step> {
    const { batchSize, accumulation, seed, clip } = this.#options;
    const number = this.#step + 1;
    const total = this.#gradients[0]!;
    const gradients = arraysOf(total);
    let squares = 0;
    let loss = 0;
    for (let part = 0; part < accumulation; part++) {
      const feeds = this.#batch(this.#options.train, new Draws(seed, STREAM.batch, number, part));
      this.#dropout(feeds, new Draws(seed, STREAM.dropout, number, part));
      const into = part === 0 ? total : this.#gradients[1]!;
      const results = await this.#session
        .run(feeds, ['loss', 'squares', ...Object.keys(into)], into)
        .catch((error: unknown) => {
          throw outOfMemory(error) ?? error;
        });
      loss += (results.loss!.data as Float32Array)[0]! / accumulation;
      squares = (results.squares!.data as Float32Array).reduce((sum, square) => sum + square, 0);
      if (part > 0) for (const [i, more] of arraysOf(into).entries()) addTo(gradients[i]!, more);
    }
    const gradientNorm = accumulation === 1 ? Math.sqrt(squares) : normOf(gradients) / accumulation;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
      throw new TrainError(
        'LATHE_TRAIN_DIVERGED',
        `step ${number}: expected a loss and gradients that are numbers, got ${loss} and norm ${gradientNorm}`,
        {
          remedy: 'Go on from the last checkpoint with a lower learning rate, a longer warm-up, or clipping (clip 1).',
        },
      );
    const rate = learningRate(this.#options.schedule, number);
    const scale = clipScale(gradientNorm, clip > 0 ? clip : Number.POSITIVE_INFINITY) / accumulation;
    await this.#optimiser.step(Object.values(total), scale, rate, number);
    this.#step = number;
    return {
      step: number,
      loss,
      learningRate: rate,
      gradientNorm,
      tokens: accumulation * batchSize * this.#subject.config.blockSize,
    };
  }

  /** Mean loss over `batches` random batches of the validation data, the same ones whenever it is asked. Nats a token. */
  async validate(batches: number): Promise<number> {
    return this.#loss(this.#options.validation, batches);
  }

  async #loss(data: Tokens, batches: number): Promise<number> {
    let sum = 0;
    for (let i = 0; i < batches; i++) {
      const results = await this.#validation.run(
        this.#batch(data, new Draws(this.#options.seed, STREAM.validation, i)),
        ['loss'],
      );
      sum += (results.loss!.data as Float32Array)[0]!;
    }
    return sum / batches;
  }

  /** Logits [batchSize · blockSize, vocabSize] of given tokens, without dropout. */
  async logits(tokens: readonly number[]): Promise<Float32Array> {
    const rows = this.#options.batchSize * this.#subject.config.blockSize;
    if (tokens.length !== rows) throw new RangeError(`expected ${rows} tokens, got ${tokens.length}`);
    const feeds = {
      ...this.#weights(),
      tokens: int64(tokens, [rows]),
      targets: int64(
        tokens.map(() => 0),
        [rows, 1],
      ),
    };
    return (await this.#validation.run(feeds, ['logits'])).logits!.data as Float32Array;
  }

  /**
   * Up to `count` tokens behind `start`, drawn from the model as it stands at temperature 0.8; a token of `ends` is the
   * last and left out. The same for the same seed and step, and without effect on what the run goes on with.
   */
  async sample(start: readonly number[], count: number, ends: readonly number[]): Promise<number[]> {
    const window = Math.min(SAMPLE_WINDOW, this.#subject.config.blockSize);
    const { threads, device, seed } = this.#options;
    const { graph } = this.#subject.graph({ batchSize: 1, gradients: false, blockSize: window });
    const session = await openSession(graph, { device, threads, spinning: false, flushDenormals: true, sparing: true });
    const draws = new Draws(seed, STREAM.sample, this.#step);
    const tokens = [...start];
    try {
      while (tokens.length < start.length + count) {
        const seen = tokens.slice(-window);
        // What stands behind the last token is not seen by it.
        const padded = [...seen, ...Array<number>(window - seen.length).fill(0)];
        const feeds = {
          ...this.#weights(),
          tokens: int64(padded, [window]),
          targets: int64(Array<number>(window).fill(0), [window, 1]),
        };
        const logits = (await session.run(feeds, ['logits'])).logits!.data as Float32Array;
        const V = logits.length / window;
        const next = drawToken(logits.subarray((seen.length - 1) * V, seen.length * V), draws.uniform());
        if (ends.includes(next)) break;
        tokens.push(next);
      }
    } finally {
      await session.close();
    }
    return tokens.slice(start.length);
  }

  checkpoint(progress: Omit<Progress, 'step'>): Checkpoint {
    return {
      config: this.#subject.config,
      progress: { ...progress, step: this.#step },
      parameters: new Map(this.#parameters.map(({ name, values }) => [name, values])),
      optimiser: this.#optimiser.state,
    };
  }

  async close(): Promise<void> {
    await this.#optimiser.close();
    await this.#session.close();
    await this.#validation.close();
  }

  #weights(): Record<string, Value> {
    const trained = this.#parameters.map(({ name, shape, values }): [string, Value] => [
      name,
      { dataType: 'float32', dims: shape, data: values },
    ]);
    return { ...this.#subject.frozen, ...Object.fromEntries(trained) };
  }

  /** Sequences from random places: tokens [B·T], and each one's successor [B·T, 1]. */
  #batch(data: Tokens, draws: Draws): Record<string, Value> {
    const { batchSize } = this.#options;
    const { blockSize } = this.#subject.config;
    const tokens: number[] = [];
    const targets: number[] = [];
    for (let b = 0; b < batchSize; b++) {
      const start = draws.below(data.length - blockSize);
      const window = data.subarray(start, start + blockSize + 1);
      for (let t = 0; t < blockSize; t++) {
        tokens.push(window[t]!);
        targets.push(window[t + 1]!);
      }
    }
    return { ...this.#weights(), tokens: int64(tokens, [tokens.length]), targets: int64(targets, [targets.length, 1]) };
  }

  #dropout(feeds: Record<string, Value>, draws: Draws): void {
    const { dropout } = this.#subject.config;
    const kept = 1 / (1 - dropout);
    const threshold = dropout * 2 ** 32;
    for (const { name, shape } of this.#masks) {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      draws.fillChoice(data, threshold, kept);
      feeds[name] = { dataType: 'float32', dims: shape, data };
    }
  }
}

const SAMPLE_TEMPERATURE = 0.8;

function drawToken(logits: Float32Array, uniform: number): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - largest) / SAMPLE_TEMPERATURE));
  let left = uniform * weights.reduce((a, b) => a + b, 0);
  const at = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return at < 0 ? logits.length - 1 : at;
}

function arraysOf(values: Readonly<Record<string, Value>>): Float32Array[] {
  return Object.values(values).map(({ data }) => data as Float32Array);
}

function addTo(sum: Float32Array, more: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + more[i]!;
}

function drawnFrom(start: Start, draws: Draws): () => number {
  if ('value' in start) return () => start.value;
  if ('uniform' in start) return () => start.uniform * (2 * draws.uniform() - 1);
  return () => start.normal * draws.normal();
}

/** Tokens looked at together. */
const CHECKED_TOKENS = 2 ** 16;

/** Throws `TrainError` where there are too few tokens, or one that the vocabulary does not have. */
export function checkData(which: string, data: Tokens, { blockSize, vocabSize }: TrainedConfig): void {
  if (data.length < blockSize + 1)
    throw new TrainError(
      'LATHE_TRAIN_DATA',
      `${which} data: expected more than ${blockSize} tokens, got ${data.length}`,
      {
        remedy: 'Give more text, or a smaller block size.',
      },
    );
  for (let start = 0; start < data.length; start += CHECKED_TOKENS) {
    const window = data.subarray(start, start + CHECKED_TOKENS);
    for (let i = 0; i < window.length; i++)
      if (window[i]! >= vocabSize)
        throw new TrainError(
          'LATHE_TRAIN_DATA',
          `${which} data, token ${start + i}: expected below ${vocabSize}, got ${window[i]}`,
          {
            remedy: 'The data was tokenised with another vocabulary: tokenise it anew.',
          },
        );
  }
}

function int64(values: readonly number[], dims: readonly number[]): Value {
  return { dataType: 'int64', dims, data: BigInt64Array.from(values, BigInt) };
}
