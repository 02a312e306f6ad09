import type { FileEdit, Task, Tree } from '@lathe/protocol';
import type { FunctionBodyEnd, Grammar } from '@lathe/transformer';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/**
 * How a model is asked. `chat`: `messages`, and the whole answer comes back. `prefilled`: `messages`, and the
 * assistant's turn already begins with `prefill`; the model continues it. `completion`: `completionPrompt` as plain
 * text without any chat template; the model continues it.
 */
export type PromptStyle = 'chat' | 'prefilled' | 'completion';

/** What became of an answer: edits to lay over the base, or why there are none. */
export type Edits = { readonly edits: readonly FileEdit[] } | { readonly invalid: string };

export interface PrepareOptions {
  /** Tokens the prompt may take: the model's window less what the answer needs. */
  readonly contextTokens: number;
  /** Tokens of a text under the model's tokenizer, or an estimate that errs on the high side. */
  readonly countTokens: (text: string) => number;
  /**
   * Instructions: ask for changed files in full instead of SEARCH and REPLACE blocks, which models of a few billion
   * parameters fill with text the file does not have. Default false.
   */
  readonly wholeFiles?: boolean;
  /**
   * Instructions: the model can be held to a grammar. Then it is asked for SEARCH and REPLACE blocks even where
   * `wholeFiles` says otherwise, unless the task names one short file, or the files are too long for a grammar of their
   * lines. Default false.
   */
  readonly withGrammar?: boolean;
}

/** A task as a model is asked it, and the way back from the model's answer to edits. */
export interface PreparedTask {
  readonly messages: readonly ChatMessage[];
  /** Strings that end a `chat` answer; what comes after them is never part of it. */
  readonly stop: readonly string[];
  /**
   * Beginning of the assistant's turn. A hole: an open code fence, documentation and signature. An instruction that names
   * one file to be answered in full: its path and an open fence.
   */
  readonly prefill?: string;
  /** Holes only. Plain text that ends where the body begins. */
  readonly completionPrompt?: string;
  /** Strings that end a `prefilled` or a `completion` answer. */
  readonly continuationStop: readonly string[];
  /** Holes with a block or a suite: ends a `prefilled` or a `completion` answer with the function. */
  readonly continuationEnd?: FunctionBodyEnd;
  /** Instructions, where a grammar was asked for: what a `chat` answer may be. */
  readonly grammar?: Grammar;
  /** What the repository has and the prompt leaves out for want of room, in words; empty where nothing was. */
  readonly leftOut: readonly string[];
  /** Present where not even the indispensable part fits: tokens it takes. Asking the model makes no sense then. */
  readonly contextTooLong?: { readonly tokens: number; readonly contextTokens: number };
  /**
   * Edits of an answer. Never throws for what a model wrote. `style` is the one it was asked in, `chat` unless told;
   * `isCutOff` says that the model was stopped by a limit on tokens, so that what looks whole may not be.
   */
  toEdits(answer: string, style?: PromptStyle, isCutOff?: boolean): Promise<Edits>;
}

export interface PrepareRequest {
  readonly task: Task;
  readonly base: Tree;
  readonly options: PrepareOptions;
}
