import type { OpenAICompatibleChatLanguageModel } from '@ai-sdk/openai-compatible';
import { generateText, type LanguageModel, type LanguageModelUsage, streamText } from 'ai';
import type { ChatMessage } from '../prepared-task.ts';
import type { Usage } from './prices.ts';

// The SDK would write its warnings (a model without seeds, for one) between the lines of Lathe's own output.
globalThis.AI_SDK_LOG_WARNINGS = false;

/** What is asked, the same for every candidate. */
export interface Question {
  readonly messages: readonly ChatMessage[];
  readonly stop: readonly string[];
}

export interface Sampling {
  readonly temperature: number | undefined;
  readonly seed: number | undefined;
  readonly maxOutputTokens: number;
}

export interface Choice {
  readonly text: string;
  /** `length`: cut off at `maxOutputTokens`. */
  readonly ending: 'stop' | 'length' | 'content-filter' | 'other';
}

export interface Answer {
  readonly choices: readonly Choice[];
  /** Of all choices together; null where the server does not tell. */
  readonly usage: Usage | null;
}

/** A model that can be asked; `choices` reads all of an answer's choices, where its interface has several. */
export interface HostedModel {
  readonly language: Exclude<LanguageModel, string>;
  /** Name under which the SDK passes options on to this provider. */
  readonly optionsName: string;
  /** Null where the interface knows no `n`. */
  readonly convert: ((body: unknown) => ReturnType<OpenAICompatibleChatLanguageModel['convertResponse']>) | null;
}

interface Call {
  readonly model: HostedModel;
  readonly question: Question;
  readonly sampling: Sampling;
  readonly signal: AbortSignal;
}

/** Asks for several answers in one request. There may come fewer. */
export async function askForMany({ model, question, sampling, signal }: Call, n: number): Promise<Answer> {
  const result = await generateText({
    ...settings(model, question, sampling, signal),
    providerOptions: { [model.optionsName]: { n } },
    include: { responseBody: true },
  });
  const body = result.response.body;
  const choices: Choice[] = [];
  for (const choice of choicesOf(body)) {
    // The SDK reads the first choice only: each is given to it as the first.
    const { content, finishReason } = await model.convert!({ ...(body as object), choices: [choice] });
    const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
    choices.push({ text, ending: endingOf(finishReason.unified) });
  }
  return { choices, usage: usageOf(result.usage) };
}

/** Asks for one answer in one piece. */
export async function askForOne({ model, question, sampling, signal }: Call): Promise<Answer> {
  const result = await generateText(settings(model, question, sampling, signal));
  return {
    choices: [{ text: result.text, ending: endingOf(result.finishReason) }],
    usage: usageOf(result.usage),
  };
}

/** Asks for one answer and tells how many pieces (about tokens) of it have come. */
export async function streamOne(
  { model, question, sampling, signal }: Call,
  onPieces: (count: number) => void,
): Promise<Answer> {
  const { stream } = streamText({
    ...settings(model, question, sampling, signal),
    // Errors are read from the stream; without this the SDK prints them.
    onError: () => {},
  });
  let text = '';
  let pieces = 0;
  let ending: Choice['ending'] = 'other';
  let usage: Usage | null = null;
  for await (const part of stream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'abort') throw signal.reason ?? new Error('the SDK ended the request');
    if (part.type === 'text-delta') text += part.text;
    if (part.type === 'text-delta' || part.type === 'reasoning-delta') onPieces(++pieces);
    if (part.type === 'finish') {
      ending = endingOf(part.finishReason);
      usage = usageOf(part.totalUsage);
    }
  }
  return { choices: [{ text, ending }], usage };
}

function settings(
  model: HostedModel,
  { messages, stop }: Question,
  { temperature, seed, maxOutputTokens }: Sampling,
  abortSignal: AbortSignal,
) {
  const system = messages.filter(({ role }) => role === 'system').map(({ content }) => content);
  return {
    model: model.language,
    ...(system.length === 0 ? {} : { instructions: system.join('\n\n') }),
    messages: messages.flatMap(({ role, content }) => (role === 'system' ? [] : [{ role, content }])),
    ...(temperature === undefined ? {} : { temperature }),
    ...(seed === undefined ? {} : { seed }),
    ...(stop.length === 0 ? {} : { stopSequences: [...stop] }),
    maxOutputTokens,
    // Repeating is the limiter's business, for all requests together.
    maxRetries: 0,
    abortSignal,
    telemetry: { isEnabled: false },
  };
}

function choicesOf(body: unknown): readonly unknown[] {
  const choices = (body as { choices?: unknown } | undefined)?.choices;
  return Array.isArray(choices) ? choices : [];
}

function endingOf(reason: string): Choice['ending'] {
  return reason === 'stop' || reason === 'length' || reason === 'content-filter' ? reason : 'other';
}

function usageOf({ inputTokens, outputTokens, inputTokenDetails }: LanguageModelUsage): Usage | null {
  // A prompt is never empty: 0 stands for a server that does not count.
  if (!inputTokens || outputTokens === undefined) return null;
  return {
    promptTokens: inputTokens,
    cachedTokens: inputTokenDetails.cacheReadTokens ?? 0,
    completionTokens: outputTokens,
  };
}
