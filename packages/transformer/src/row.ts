import { bodyEnd, type FunctionBodyEnd } from './body-end.ts';
import type { Constraint, Grammar } from './constraint/constraint.ts';
import type { Sampling } from './sampling.ts';
import { TextStream } from './text-stream.ts';

export interface RowRequest extends Sampling {
  readonly index: number;
  readonly seed: number;
  readonly maxTokens: number;
  readonly stop: readonly string[];
  /** The model's own end token is a token like others: for measurements that need a fixed length. */
  readonly ignoreEnd: boolean;
  /** What the text may be; null where it may be anything. */
  readonly grammar: Grammar | null;
  /** Ends the row besides its stop strings; what it ends with stays part of the text. */
  readonly stopWhen: FunctionBodyEnd | null;
}

/** Why a row ended: `end`, the model's own end token; `stop`, a stop string; `length`, maxTokens or the model's window. */
export type FinishReason = 'end' | 'stop' | 'length' | 'cancelled';

export interface GeneratedRow {
  readonly index: number;
  readonly seed: number;
  /** Every token chosen, an end token excepted. */
  readonly tokens: readonly number[];
  /** Without end token and stop string. */
  readonly text: string;
  /** log p of each chosen token under the model at temperature 1 (nats), an end token's at the end. */
  readonly logProbabilities: readonly number[];
  readonly finish: FinishReason;
  /** How it was drawn, where rows are drawn together (`distinct` above 0). */
  readonly draw?: Draw;
}

/** One of several rows drawn together, in the order of their indices. */
export interface Draw {
  /** log of the sequence's probability under the distribution that is sampled: temperature, top-k and top-p included. */
  readonly logProbability: number;
  /**
   * log of the row's weight: the sum of weight · f(text) over the rows is an unbiased estimate of E[f] under that
   * distribution. Null where draws are not without replacement (`distinct` below 1), or were cancelled.
   */
  readonly logWeight: number | null;
}

/** One new token of one row. `text` is what became showable: possibly nothing, possibly several tokens' worth. */
export interface TokenNews {
  readonly index: number;
  readonly token: number;
  readonly logProbability: number;
  readonly text: string;
  /** Null while the row goes on. */
  readonly finish: FinishReason | null;
}

export interface Vocabulary {
  readonly size: number;
  bytesOf(token: number): Uint8Array;
  isControl(token: number): boolean;
  isEnd(token: number): boolean;
  /** A row's share in a grammar that was compiled for this vocabulary; absent where there are none. */
  readonly constraint?: (grammar: Grammar) => Constraint;
}

/** A row under way. */
export interface Row {
  readonly request: RowRequest;
  readonly tokens: number[];
  readonly logProbabilities: number[];
  readonly stream: TextStream;
  readonly constraint: Constraint | null;
  text: string;
  finish: FinishReason | null;
}

export function newRow(request: RowRequest, vocabulary: Vocabulary): Row {
  const { grammar } = request;
  if (grammar !== null && vocabulary.constraint === undefined) throw new Error('internal: no grammar was compiled');
  return {
    request,
    tokens: [],
    logProbabilities: [],
    stream: new TextStream(request.stop),
    constraint: grammar === null ? null : vocabulary.constraint!(grammar),
    text: '',
    finish: null,
  };
}

/** Puts a token behind the row and ends the row where that is due. */
export function accept(row: Row, token: number, logProbability: number, vocabulary: Vocabulary): TokenNews {
  const { request } = row;
  row.logProbabilities.push(logProbability);
  let text = '';
  if (vocabulary.isEnd(token) && !request.ignoreEnd) {
    text = end(row, 'end');
  } else {
    row.tokens.push(token);
    const shown = row.stream.push(vocabulary.isControl(token) ? new Uint8Array(0) : vocabulary.bytesOf(token));
    const before = row.text.length;
    row.text += shown.text;
    const close = shown.text === '' || request.stopWhen === null ? null : bodyEnd(request.stopWhen, row.text);
    // What was shown cannot be taken back.
    if (close !== null) row.text = row.text.slice(0, Math.max(close, before));
    text = row.text.slice(before);
    if (shown.stopped || close !== null) row.finish = 'stop';
    else if (row.tokens.length >= request.maxTokens) text += end(row, 'length');
  }
  return { index: request.index, token, logProbability, text, finish: row.finish };
}

/** Ends the row and gives the text that was still held back. A stop string completed by the held text still counts. */
export function end(row: Row, reason: FinishReason): string {
  const { text, stopped } = row.stream.finish();
  row.text += text;
  row.finish = stopped ? 'stop' : reason;
  return text;
}

export function generated({ request, tokens, text, logProbabilities, finish }: Row): GeneratedRow {
  if (finish === null) throw new Error('internal: the row has not ended');
  return { index: request.index, seed: request.seed, tokens, text, logProbabilities, finish };
}

/** What logits are multiplied with before the tempered sum; a greedy row needs none. */
export function inverseTemperature({ temperature }: Sampling): number {
  return temperature === 0 ? 1 : 1 / temperature;
}
