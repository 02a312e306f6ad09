import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { Holding } from './lora/frozen-matrix.ts';
import { type MemoryNeed, memoryNeed } from './memory.ts';
import type { Tokens } from './token-file.ts';
import type { StepOptions, Trainable } from './trainable.ts';
import type { TrainedConfig } from './trained-config.ts';
import { Trainer } from './trainer.ts';

/** How long a run goes on and where it keeps what it has. */
export interface LoopOptions extends Omit<StepOptions, 'train' | 'validation'> {
  readonly iterations: number;
  /** Steps between two validations, each of which also saves. */
  readonly validateEvery: number;
  readonly validationBatches: number;
  /** Tokens sampled after every validation; 0: none. */
  readonly sampleTokens?: number;
  /** Ends the run where so many validations in a row brought nothing better; 0: never. */
  readonly patience: number;
  /** Folder for the checkpoints and what is made of them; an earlier run in it is continued. */
  readonly directory: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

/** What is read before the first step. */
export type Preparation = 'counting words' | 'tokenising';

export type RunEvent =
  | { readonly type: 'preparing'; readonly what: Preparation; readonly done: number; readonly of: number }
  /** How a base is held in memory while its adapters train, and the bytes that takes. */
  | { readonly type: 'held'; readonly holding: Holding; readonly bytes: number }
  | {
      readonly type: 'started';
      readonly parameters: number;
      readonly trainTokens: number;
      readonly validationTokens: number;
      readonly vocabSize: number;
      readonly resumedAt: number;
      readonly memory: MemoryNeed;
    }
  | {
      readonly type: 'step';
      readonly step: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly gradientNorm: number;
      readonly tokensPerSecond: number;
    }
  | { readonly type: 'sampled'; readonly step: number; readonly text: string }
  | { readonly type: 'validated'; readonly step: number; readonly loss: number; readonly best: boolean }
  | { readonly type: 'saved'; readonly path: string };

export interface LoopEnd {
  readonly reason: 'iterations' | 'patience' | 'cancelled';
  readonly steps: number;
  readonly bestValidationLoss: number | null;
  /** `[step, nats a token]` */
  readonly training: readonly (readonly [number, number])[];
  readonly validation: readonly (readonly [number, number])[];
}

export const LAST = 'last.safetensors';
export const BEST = 'best.safetensors';
/** Training losses kept in the record: the mean over this many steps each. */
const RECORDED_STEPS = 10;

export interface TokenisedCorpus {
  readonly train: Tokens;
  readonly validation: Tokens;
  /** Stands behind every document; samples begin and end with it. Null: none does, and there are no samples. */
  readonly endToken: number | null;
  decode(tokens: readonly number[]): string;
}

/**
 * Trains, or goes on where an earlier run in the same folder stopped. Writes `last.safetensors` at every validation and at
 * the end, `best.safetensors` whenever validation was best.
 */
export async function trainIn(subject: Trainable, data: TokenisedCorpus, options: LoopOptions): Promise<LoopEnd> {
  const { directory, signal, onEvent } = options;
  await mkdir(directory, { recursive: true });
  const earlier = await checkpointIn(directory, subject.config);
  const memory = memoryNeed(subject, { ...options, ...data });
  const trainer = await Trainer.on(subject, { ...options, ...data }, earlier);
  onEvent?.({
    type: 'started',
    parameters: trainer.parameters.reduce((sum, { values }) => sum + values.length, 0),
    trainTokens: data.train.length,
    validationTokens: data.validation.length,
    vocabSize: subject.config.vocabSize,
    resumedAt: trainer.steps,
    memory,
  });

  const training: [number, number][] = (earlier?.progress.training ?? []).map(([step, loss]) => [step, loss]);
  const validated: [number, number][] = (earlier?.progress.validation ?? []).map(([step, loss]) => [step, loss]);
  let best = earlier?.progress.bestValidationLoss ?? null;
  const save = async (name: string) => {
    const path = join(directory, name);
    await writeCheckpoint(path, trainer.checkpoint({ bestValidationLoss: best, training, validation: validated }));
    onEvent?.({ type: 'saved', path });
  };
  let reason: LoopEnd['reason'] = 'iterations';
  let recent: number[] = [];
  try {
    while (trainer.steps < options.iterations) {
      if (signal?.aborted) {
        reason = 'cancelled';
        break;
      }
      const started = performance.now();
      const { step, loss, learningRate, gradientNorm, tokens } = await trainer.step();
      recent.push(loss);
      if (step % RECORDED_STEPS === 0) {
        training.push([step, recent.reduce((a, b) => a + b, 0) / recent.length]);
        recent = [];
      }
      onEvent?.({
        type: 'step',
        step,
        loss,
        learningRate,
        gradientNorm,
        tokensPerSecond: (1000 * tokens) / (performance.now() - started),
      });
      if (step % options.validateEvery !== 0 && step !== options.iterations) continue;
      const now = await trainer.validate(options.validationBatches);
      validated.push([step, now]);
      const isBest = best === null || now < best;
      if (isBest) best = now;
      onEvent?.({ type: 'validated', step, loss: now, best: isBest });
      if (data.endToken !== null && options.sampleTokens) {
        const tokens = await trainer.sample([data.endToken], options.sampleTokens, [data.endToken]);
        onEvent?.({ type: 'sampled', step, text: data.decode(tokens) });
      }
      if (isBest) await save(BEST);
      await save(LAST);
      if (options.patience > 0 && sinceBest(validated) >= options.patience) {
        reason = 'patience';
        break;
      }
    }
    if (reason === 'cancelled') await save(LAST);
    return { reason, steps: trainer.steps, bestValidationLoss: best, training, validation: validated };
  } finally {
    await trainer.close();
  }
}

function sinceBest(validated: readonly (readonly [number, number])[]): number {
  const losses = validated.map(([, loss]) => loss);
  return losses.length - 1 - losses.indexOf(Math.min(...losses));
}

async function checkpointIn(directory: string, config: TrainedConfig): Promise<Checkpoint | undefined> {
  try {
    return await readCheckpoint(join(directory, LAST), config);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
