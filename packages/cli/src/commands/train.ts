import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { CURATE_DEFAULTS, curate, type DataCard, FILTERS, lossPage } from '@lathe/house';
import { LatheError } from '@lathe/protocol';
import { type FinishedRun, type Preset, type RunEvent, runTraining, swiGluWidth } from '@lathe/transformer';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { formatCount, formatDuration, plural } from '../format.ts';
import { watchInterrupt } from '../make/interrupt.ts';
import { openDisplay } from '../make/open-display.ts';
import { plainLine } from '../plain-text.ts';
import { type Terminal, writeJson } from '../terminal.ts';

export interface TrainFlags {
  readonly out: string;
  readonly preset: Preset;
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly block: number;
  readonly vocab: number;
  readonly batch: number;
  readonly iterations: number;
  readonly rate: number;
  readonly dropout: number;
  readonly patience: number;
  readonly seed: number;
  readonly threads?: number;
  readonly language?: readonly string[];
  readonly json?: boolean;
}

const VALIDATIONS = 20;

export async function train(paths: readonly string[], flags: TrainFlags, terminal: Terminal): Promise<ExitStatus> {
  const directory = resolve(terminal.cwd, flags.out);
  const display = await openDisplay(terminal.err);
  const interrupt = watchInterrupt(() => display.note('stopping after this step; what is learned is saved'));
  try {
    display.doing('choosing files to learn from');
    const {
      train: training,
      validation,
      card,
    } = await curate(
      paths.map((path) => resolve(terminal.cwd, path)),
      { ...CURATE_DEFAULTS, ...(flags.language && { languages: flags.language }) },
    );
    for (const line of cardInWords(card)) display.note(line);
    if (training.length === 0 || validation.length === 0)
      throw new LatheError(
        'LATHE_TRAIN_DATA',
        `expected files to learn from and files to validate on, got ${training.length} and ${validation.length}`,
        {
          remedy: 'Name more folders or repositories: a tenth of the files, the latest, is kept for validation.',
        },
      );
    const watch = new ProgressWatch(
      flags.iterations,
      (text) => display.doing(text),
      (text) => display.note(text),
    );
    const run = await runTraining(
      { train: training.map(({ text }) => text), validation: validation.map(({ text }) => text) },
      {
        config: {
          preset: flags.preset,
          nLayer: flags.layers,
          nHead: flags.heads,
          nKvHead: flags.heads,
          nEmbd: flags.width,
          nFeedForward: flags.preset === 'llama' ? swiGluWidth(flags.width) : 4 * flags.width,
          blockSize: flags.block,
          dropout: flags.dropout,
          labelSmoothing: flags.preset === 'llama' ? 0 : 0.1,
        },
        vocabSize: flags.vocab,
        batchSize: flags.batch,
        accumulation: 1,
        optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
        schedule: {
          kind: 'cosine',
          peak: flags.rate,
          floor: flags.rate / 10,
          warmup: Math.min(100, Math.ceil(flags.iterations / 10)),
          iterations: flags.iterations,
        },
        clip: 1,
        seed: flags.seed,
        threads: flags.threads ?? availableParallelism(),
        iterations: flags.iterations,
        validateEvery: Math.max(1, Math.round(flags.iterations / VALIDATIONS)),
        validationBatches: 20,
        patience: flags.patience,
        directory,
        signal: interrupt.signal,
        onEvent: (event) => watch.on(event),
      },
    );
    await writeFile(join(directory, 'data-card.json'), `${JSON.stringify(card, null, 2)}\n`);
    await writeFile(join(directory, 'loss.html'), lossPage({ title: `Training of ${plainLine(flags.out)}`, ...run }));
    display.close();
    if (flags.json === true) writeJson(terminal.out, { schemaVersion: 1, directory, ...run, card });
    else terminal.out.write(`${endInWords(run, flags, terminal).join('\n')}\n`);
    return run.reason === 'cancelled' ? EXIT.cancelled : EXIT.done;
  } finally {
    interrupt.ignore();
    display.close();
  }
}

function cardInWords(card: DataCard): string[] {
  const out = FILTERS.filter((filter) => card.leftOut[filter] > 0).map(
    (filter) => `${formatCount(card.leftOut[filter])} ${filter}`,
  );
  return [
    `${plural(card.kept, 'file')} of ${formatCount(card.found)} to learn from: ${formatCount(card.train.files)} for training, the latest ${formatCount(card.validation.files)} for validation`,
    ...(out.length > 0 ? [`left out: ${out.join(', ')}`] : []),
  ];
}

class ProgressWatch {
  readonly #iterations: number;
  readonly #doing: (text: string) => void;
  readonly #note: (text: string) => void;
  #startedMs = performance.now();
  #startedAt = 0;

  constructor(iterations: number, doing: (text: string) => void, note: (text: string) => void) {
    this.#iterations = iterations;
    this.#doing = doing;
    this.#note = note;
  }

  on(event: RunEvent): void {
    if (event.type === 'started') {
      this.#startedMs = performance.now();
      this.#startedAt = event.resumedAt;
      const where = event.resumedAt > 0 ? `, going on at step ${formatCount(event.resumedAt)}` : '';
      this.#note(
        `${formatCount(event.parameters)} parameters, ${formatCount(event.vocabSize)} tokens in the vocabulary, ${formatCount(event.trainTokens)} to train on${where}`,
      );
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
  { out: directory, iterations }: TrainFlags,
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
          `  lathe score --model ${run.model} FILE...  how a file reads to it`,
          `  lathe make --model local:${run.model} …  let it make candidates`,
        ]),
  ];
}
