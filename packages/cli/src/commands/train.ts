import { constants } from 'node:fs';
import { access, mkdir, rmdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Device, requireDevice } from '@lathe/graph';
import { lossPage } from '@lathe/house';
import { resolveModel } from '@lathe/makers';
import { LatheError } from '@lathe/protocol';
import {
  ALL_MODULES,
  type Corpus,
  checkLoraBase,
  checkTrainingConfig,
  type FinishedRun,
  type Holding,
  LORA_DEFAULTS,
  type LoraModule,
  type LoraRunOptions,
  type Preset,
  type RunEvent,
  swiGluWidth,
  type TrainingJob,
  trainInProcess,
  type WritableType,
} from '@lathe/transformer';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { formatCount, formatDuration, plural } from '../format.ts';
import { watchInterrupt } from '../make/interrupt.ts';
import { openDisplay } from '../make/open-display.ts';
import { plainLine } from '../plain-text.ts';
import { type Terminal, writeJson } from '../terminal.ts';
import { writeWhole } from '../write-whole.ts';
import { refuseMissing, type TokenCounts, type TrainingData, trainingData } from './train-data.ts';

export interface TrainFlags {
  readonly out: string;
  /** Catalogue name or path of the base, with or without `local:` before it. */
  readonly from?: string;
  readonly lora?: boolean;
  readonly rank?: number;
  readonly alpha?: number;
  readonly modules?: readonly LoraModule[];
  readonly store?: string;
  readonly hold?: Holding;
  readonly preset?: Preset;
  readonly layers?: number;
  readonly heads?: number;
  readonly width?: number;
  readonly block?: number;
  readonly vocab?: number;
  readonly batch?: number;
  readonly accumulate?: number;
  readonly iterations?: number;
  readonly rate?: number;
  readonly dropout: number;
  readonly patience: number;
  readonly seed: number;
  readonly threads?: number;
  readonly spin?: boolean;
  readonly recompute?: boolean;
  readonly device?: Device;
  readonly language?: readonly string[];
  readonly excludeLicence?: readonly string[];
  readonly withoutFindings?: boolean;
  readonly json?: boolean;
}

const VALIDATIONS = 20;
const SAMPLE_TOKENS = 48;

/** What is taken where the command line does not say. */
const SCRATCH_RUN = { block: 128, batch: 16, iterations: 2000, rate: 1e-3 };
const LORA_RUN = { block: 256, batch: 2, iterations: 200, rate: 1e-3 };
const SCRATCH_SIZES = { preset: 'llama' as Preset, layers: 4, heads: 4, width: 128, vocab: 2048 };

export async function train(paths: readonly string[], flags: TrainFlags, terminal: Terminal): Promise<ExitStatus> {
  refuseMixed(flags);
  const directory = resolve(terminal.cwd, flags.out);
  const display = await openDisplay(terminal.err);
  let data: TrainingData | null = null;
  const said: { recorded: Promise<void> | null } = { recorded: null };
  const interrupt = watchInterrupt(() =>
    display.note(said.recorded === null ? 'stopping' : 'stopping after this step; what is learned is saved'),
  );
  try {
    await refuseOut(directory, flags.out);
    if (flags.device !== undefined) await requireDevice(flags.device);
    const job = await jobOf(flags, terminal);
    await refuseMissing(paths, terminal.cwd);
    data = await trainingData(paths, directory, flags, { cwd: terminal.cwd, signal: interrupt.signal, display });
    const { training, validation, record } = data;
    const iterations = flags.iterations ?? (flags.lora ? LORA_RUN : SCRATCH_RUN).iterations;
    const watch = new ProgressWatch(
      iterations,
      (text) => display.doing(text),
      (text) => display.note(text),
    );
    const run = await trainInProcess(job({ corpus: { train: training, validation }, directory }), {
      signal: interrupt.signal,
      onEvent: (event) => {
        watch.on(event);
        if (event.type !== 'started') return;
        said.recorded = record({ training: event.trainTokens, validation: event.validationTokens });
        // Thrown below, when the run has ended.
        said.recorded.catch(() => {});
      },
    });
    await said.recorded;
    await writeWhole(
      join(directory, 'loss.html'),
      await lossPage({ title: `Training of ${plainLine(flags.out)}`, ...run }),
    );
    display.close();
    if (flags.json === true)
      writeJson(terminal.out, { schemaVersion: 1, directory, ...run, card: { ...data.card, tokens: watch.tokens } });
    else terminal.out.write(`${endInWords(run, { ...flags, iterations }, terminal).join('\n')}\n`);
    return run.reason === 'cancelled' ? EXIT.cancelled : EXIT.done;
  } finally {
    interrupt.ignore();
    display.close();
    await said.recorded?.catch(() => {});
    await data?.close();
  }
}

/** Throws `TrainError` where the sizes do not fit each other, before any file is read. */
async function jobOf(
  flags: TrainFlags,
  terminal: Terminal,
): Promise<(data: { corpus: Corpus; directory: string }) => TrainingJob> {
  if (flags.lora) {
    const options = await loraOptions(flags, terminal);
    return ({ corpus, directory }) => ({ kind: 'lora', corpus, options: { ...options, directory } });
  }
  const options = scratchOptions(flags);
  checkTrainingConfig({ ...options.config, vocabSize: options.vocabSize });
  return ({ corpus, directory }) => ({ kind: 'scratch', corpus, options: { ...options, directory } });
}

/** Choosing files may take minutes: where the folder cannot be made is said before. */
async function refuseOut(directory: string, out: string): Promise<void> {
  const fail = (message: string, cause?: unknown): never => {
    throw new LatheError('LATHE_TRAIN_OUT', message, { cause, remedy: 'Name a folder that is there or can be made.' });
  };
  const missing: string[] = [];
  let there = directory;
  for (; (await stat(there).catch(() => null)) === null; there = dirname(there)) missing.unshift(there);
  if (!(await stat(there)).isDirectory()) fail(`--out ${plainLine(out)}: expected a folder, ${there} is a file`);
  const made: string[] = [];
  try {
    // One by one: where the system has no place for a folder, as /proc, Node's recursive mkdir never comes back.
    for (const folder of missing) {
      await mkdir(folder);
      made.unshift(folder);
    }
    await access(directory, constants.W_OK);
  } catch (cause) {
    fail(`--out ${plainLine(out)}: the folder cannot be written (${(cause as NodeJS.ErrnoException).code})`, cause);
  } finally {
    for (const folder of made) await rmdir(folder);
  }
}

/** Options of one way to train say nothing about the other. Throws `LATHE_USAGE_TRAIN`. */
function refuseMixed(flags: TrainFlags): void {
  const given = (names: readonly (keyof TrainFlags)[]) => names.filter((name) => flags[name] !== undefined);
  const fail = (message: string, remedy: string): never => {
    throw new LatheError('LATHE_USAGE_TRAIN', message, { remedy });
  };
  if (flags.lora && flags.from === undefined)
    fail('--lora needs a base to adapt', 'Name one: --from local:smollm2-135m, or the path of a .gguf file.');
  if (!flags.lora && flags.from !== undefined)
    fail('--from needs --lora: a base is adapted, not trained whole', 'Add --lora, or leave --from out.');
  const strange = given(
    flags.lora ? ['preset', 'layers', 'heads', 'width', 'vocab'] : ['rank', 'alpha', 'modules', 'store', 'hold'],
  );
  if (strange.length > 0)
    fail(
      `${strange.map((name) => `--${name}`).join(', ')} ${flags.lora ? 'does not go with --lora: the base has its sizes' : 'needs --lora'}`,
      `Leave out ${strange.map((name) => `--${name}`).join(', ')}.`,
    );
}

type RunShape = Omit<LoraRunOptions, 'base' | 'lora' | 'type' | 'directory' | 'signal' | 'onEvent'>;

function runShape(flags: TrainFlags, defaults: typeof SCRATCH_RUN, weightDecay: number): RunShape {
  const iterations = flags.iterations ?? defaults.iterations;
  const rate = flags.rate ?? defaults.rate;
  return {
    blockSize: flags.block ?? defaults.block,
    batchSize: flags.batch ?? defaults.batch,
    accumulation: flags.accumulate ?? 1,
    optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay },
    schedule: {
      kind: 'cosine',
      peak: rate,
      floor: rate / 10,
      warmup: Math.min(100, Math.ceil(iterations / 10)),
      iterations,
    },
    clip: 1,
    seed: flags.seed,
    threads: flags.threads ?? availableParallelism(),
    device: flags.device,
    spinning: flags.spin ?? false,
    recompute: flags.recompute ?? false,
    sampleTokens: SAMPLE_TOKENS,
    iterations,
    validateEvery: Math.max(1, Math.round(iterations / VALIDATIONS)),
    validationBatches: 20,
    patience: flags.patience,
  };
}

function scratchOptions(flags: TrainFlags) {
  const { preset, layers, heads, width, vocab } = { ...SCRATCH_SIZES, ...defined(flags) };
  const { blockSize, ...shape } = runShape(flags, SCRATCH_RUN, 0.1);
  const config = {
    preset,
    nLayer: layers,
    nHead: heads,
    nKvHead: heads,
    nEmbd: width,
    nFeedForward: preset === 'llama' ? swiGluWidth(width) : 4 * width,
    blockSize,
    dropout: flags.dropout,
    labelSmoothing: preset === 'llama' ? 0 : 0.1,
  };
  return { ...shape, config, vocabSize: vocab };
}

async function loraOptions(flags: TrainFlags, { env }: Terminal) {
  const rank = flags.rank ?? LORA_DEFAULTS.rank;
  const lora = { rank, alpha: flags.alpha ?? 2 * rank, modules: flags.modules ?? ALL_MODULES, dropout: flags.dropout };
  const base = await resolveModel(flags.from!.replace(/^local:/, ''), { env });
  const type = (flags.store?.toUpperCase() ?? 'F16') as WritableType;
  const shape = runShape(flags, LORA_RUN, 0);
  await checkLoraBase(base, lora, shape.blockSize);
  return { ...shape, validationBatches: 4, base, lora, type, holding: flags.hold };
}

function defined<T extends object>(flags: T): T {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as T;
}

function memoryInWords({ neededBytes, freeBytes }: { neededBytes: number; freeBytes: number }): string {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const needs = `needs about ${gigabytes(neededBytes)} of memory`;
  return neededBytes <= freeBytes
    ? needs
    : `${needs}, and ${gigabytes(freeBytes)} is free: a smaller --batch with --accumulate, or --recompute, needs less`;
}

class ProgressWatch {
  readonly #iterations: number;
  readonly #doing: (text: string) => void;
  readonly #note: (text: string) => void;
  #startedMs = performance.now();
  #startedAt = 0;
  /** In the vocabulary the model learns with; null until the text is read. */
  tokens: TokenCounts | null = null;

  constructor(iterations: number, doing: (text: string) => void, note: (text: string) => void) {
    this.#iterations = iterations;
    this.#doing = doing;
    this.#note = note;
  }

  on(event: RunEvent): void {
    if (event.type === 'started') {
      this.#startedMs = performance.now();
      this.#startedAt = event.resumedAt;
      this.tokens = { training: event.trainTokens, validation: event.validationTokens };
      const where = event.resumedAt > 0 ? `, going on at step ${formatCount(event.resumedAt)}` : '';
      this.#note(
        `${formatCount(event.parameters)} parameters, ${formatCount(event.vocabSize)} tokens in the vocabulary, ${formatCount(event.trainTokens)} to train on${where}`,
      );
      this.#note(memoryInWords(event.memory));
    } else if (event.type === 'preparing') {
      this.#doing(`${event.what}: ${formatCount(event.done)} of ${plural(event.of, 'file')}`);
    } else if (event.type === 'held') {
      const how = event.holding === 'f32' ? 'as f32' : 'in the blocks of its file, unpacked where they are used';
      this.#note(`the base is held ${how}: ${(event.bytes / 1e9).toFixed(2)} GB`);
    } else if (event.type === 'sampled') {
      this.#note(`  it writes: ${plainLine(event.text)}`);
    } else if (event.type === 'step') {
      const done = event.step - this.#startedAt;
      const leftMs = ((performance.now() - this.#startedMs) / done) * (this.#iterations - event.step);
      this.#doing(
        `step ${formatCount(event.step)} of ${formatCount(this.#iterations)}   loss ${event.loss.toFixed(3)}   ${formatCount(event.tokensPerSecond)} tokens/s   ${formatDuration(leftMs)} left`,
      );
    } else if (event.type === 'validated') {
      this.#note(
        `step ${formatCount(event.step)}: validation ${event.loss.toFixed(4)} nats a token${event.best ? ', the best so far' : ''}`,
      );
    }
  }
}

function endInWords(
  run: FinishedRun,
  { out: directory, lora, iterations }: TrainFlags & { iterations: number },
  { out: { colors } }: Terminal,
): string[] {
  const why = {
    iterations: `${plural(run.steps, 'step')} done`,
    patience: `stopped at step ${formatCount(run.steps)}: validation gets no better`,
    cancelled: `stopped at step ${formatCount(run.steps)} of ${formatCount(iterations)}; the same command goes on from there`,
  }[run.reason];
  return [
    `${colors.bold(why)}${run.bestValidationLoss === null ? '' : `, best validation loss ${run.bestValidationLoss.toFixed(4)} nats a token`}`,
    `  ${join(directory, 'loss.html')}  the curves`,
    ...(run.model === null
      ? []
      : [
          `  lathe score --model ${directory} FILE...  how a file reads to it`,
          `  lathe make --model local:${asPath(directory)} …  let it make candidates`,
          ...(lora ? [`  ${join(directory, 'adapter_model.safetensors')}  the adapters, as PEFT stores them`] : []),
        ]),
  ];
}

/** A path that cannot be taken for a name of the catalogue. */
function asPath(directory: string): string {
  return directory.includes('/') ? directory : `./${directory}`;
}
