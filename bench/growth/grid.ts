import { parameterCount, swiGluWidth, type TrainingConfig } from '@lathe/transformer';

/** One training run. */
export interface Point {
  readonly nLayer: number;
  readonly nEmbd: number;
  readonly blockSize: number;
  /** Tokens trained on, each step's counted. */
  readonly tokens: number;
  readonly seed: number;
  /** Highest learning rate. */
  readonly rate: number;
}

export type Axis = 'parameters' | 'layers' | 'context' | 'tokens';

/** Tokens a step, whatever the length of a sequence. */
export const STEP_TOKENS = 1024;
const HEAD_SIZE = 16;
/** What every axis goes through. */
const BASE = { nLayer: 4, nEmbd: 64, blockSize: 64, tokens: 2 ** 20 };

const WIDTHS = [16, 32, 48, 64, 96, 128];
const LAYERS = [1, 2, 3, 4, 6, 8];
const CONTEXTS = [8, 16, 32, 64, 128, 256];
const TOKENS = [16, 17, 18, 19, 20, 21].map((power) => 2 ** power);

/** Widths at which the learning rate is looked for, with a quarter of the tokens. */
export const RATED_WIDTHS = [16, 64, 128];
export const FIRST_RATES = [2e-3, 4e-3];

/** The four axes; `rateOf` gives the learning rate of a width. A point on several axes is one run. */
export function axes(seed: number, rateOf: (nEmbd: number) => number): Readonly<Record<Axis, readonly Point[]>> {
  const point = (change: Partial<typeof BASE>): Point => {
    const sizes = { ...BASE, ...change };
    return { ...sizes, seed, rate: rateOf(sizes.nEmbd) };
  };
  return {
    parameters: WIDTHS.map((nEmbd) => point({ nEmbd })),
    layers: LAYERS.map((nLayer) => point({ nLayer })),
    context: CONTEXTS.map((blockSize) => point({ blockSize })),
    tokens: TOKENS.map((tokens) => point({ tokens })),
  };
}

/** A run of the search for a learning rate. */
export function rateProbe(nEmbd: number, rate: number): Point {
  return { ...BASE, nEmbd, tokens: BASE.tokens / 4, seed: 1, rate };
}

/** Where a point lies on an axis. Parameters are counted without the embedding, which is the output as well. Kaplan et al. 2020 §1.3 */
export function coordinate(axis: Axis, point: Point): number {
  switch (axis) {
    case 'parameters':
      return parameterCount(configOf(point, 1)) - point.nEmbd;
    case 'layers':
      return point.nLayer;
    case 'context':
      return point.blockSize;
    case 'tokens':
      return point.tokens;
  }
}

/** Grows with the arithmetic of a run. Kaplan et al. 2020 §2.1: 6 · parameters · tokens */
export function costOf(point: Point): number {
  return 6 * coordinate('parameters', point) * point.tokens;
}

/** Heads of 16, SwiGLU as wide as `lathe train` has it. */
export function configOf({ nLayer, nEmbd, blockSize }: Point, vocabSize: number): TrainingConfig {
  return {
    preset: 'llama',
    nLayer,
    nHead: nEmbd / HEAD_SIZE,
    nKvHead: nEmbd / HEAD_SIZE,
    nEmbd,
    nFeedForward: swiGluWidth(nEmbd),
    vocabSize,
    blockSize,
    dropout: 0,
    labelSmoothing: 0,
  };
}

/** Name of a point's files. */
export function nameOf({ nLayer, nEmbd, blockSize, tokens, seed, rate }: Point): string {
  return `l${nLayer}-w${nEmbd}-c${blockSize}-t${tokens}-r${rate.toExponential(2)}-s${seed}`;
}
