/**
 * Messages to the prompt a chat model was trained on, through the Jinja template in its file (`tokenizer.chat_template`).
 * The template is code from outside: it runs in a process of its own with a limit on time, heap and result, and the interpreter
 * gives it nothing but the messages. (A worker thread will not do: one large allocation past its heap limit ends the whole
 * process.) The messages are from outside too: a control token's text inside one stays plain text.
 */
import { type ExecFileException, execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { GgufFile } from '../weights/gguf.ts';
import { optionalString } from '../weights/metadata.ts';
import type { Tokenizer } from './tokenizer.ts';
import { TokenizerError } from './tokenizer-error.ts';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ChatOptions {
  /** End with the opening of the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean;
}

export interface RenderRequest {
  readonly template: string;
  /** One rendering each. */
  readonly variables: readonly Record<string, unknown>[];
  readonly maximumLength: number;
}

export type RenderReply = { readonly texts: readonly string[] } | { readonly error: string };

const MAX_TEMPLATE_LENGTH = 256 * 1024;
const RENDER_TIMEOUT_MS = 5_000;
const RENDER_HEAP_MIB = 128;

/** The prompt as text, for showing; to generate use `encodeChat`. Throws `TokenizerError` with `LATHE_CHAT_TEMPLATE`. */
export async function renderChat(
  file: Pick<GgufFile, 'path' | 'metadata'>,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): Promise<string> {
  const [text] = await render(file, [messages], options);
  return text!;
}

/** The prompt as token ids. Control tokens come from the template alone, never from a message's content. */
export async function encodeChat(
  file: Pick<GgufFile, 'path' | 'metadata'>,
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): Promise<number[]> {
  const risky = messages.filter((message) => containsControl(tokenizer, message.content));
  if (risky.length === 0) {
    const [text] = await render(file, [messages], options);
    return tokenizer.encode(text!, { parseSpecial: true });
  }
  // Where the template puts each such content is seen from a second rendering with a marker in its place.
  const markers = new Map(risky.map((message) => [message, `content-${randomUUID()}`]));
  const marked = messages.map((message) => ({ ...message, content: markers.get(message) ?? message.content }));
  const [text, outline] = await render(file, [messages, marked], options);
  const literal = locate(
    outline!,
    [...markers].map(([message, marker]) => [marker, message.content] as const),
    text!,
  );
  if (literal === null)
    throw templateError(
      file.path,
      'a message contains the text of a control token and the template changes the message, so the two cannot be told apart',
    );
  return tokenizer.encode(text!, { parseSpecial: true, literal });
}

function containsControl(tokenizer: Tokenizer, content: string): boolean {
  return tokenizer.encode(content, { parseSpecial: true }).some((id) => tokenizer.isControl(id));
}

/**
 * Ranges in `text` where the contents stand: `outline` is the same rendering with markers instead. Contents may have been
 * trimmed. Null where the two renderings differ in anything else.
 */
function locate(
  outline: string,
  contents: readonly (readonly [marker: string, content: string])[],
  text: string,
): [number, number][] | null {
  const places = contents
    .flatMap(([marker, content]) => occurrences(outline, marker).map((at) => ({ at, marker, content })))
    .sort((a, b) => a.at - b.at);
  for (const shape of [(content: string) => content, (content: string) => content.trim()]) {
    const ranges: [number, number][] = [];
    let built = '';
    let from = 0;
    for (const { at, marker, content } of places) {
      built += outline.slice(from, at);
      ranges.push([built.length, built.length + shape(content).length]);
      built += shape(content);
      from = at + marker.length;
    }
    if (built + outline.slice(from) === text) return ranges;
  }
  return null;
}

function occurrences(text: string, part: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) found.push(at);
  return found;
}

async function render(
  file: Pick<GgufFile, 'path' | 'metadata'>,
  conversations: readonly (readonly ChatMessage[])[],
  { addGenerationPrompt = true }: ChatOptions,
): Promise<readonly string[]> {
  const template = optionalString(file, 'tokenizer.chat_template');
  if (template === null)
    throw templateError(file.path, 'the file has no tokenizer.chat_template: it is not a chat model');
  if (template.length > MAX_TEMPLATE_LENGTH)
    throw templateError(
      file.path,
      `expected at most ${MAX_TEMPLATE_LENGTH} characters of template, got ${template.length}`,
    );

  const given = conversations.flat().reduce((sum, message) => sum + message.content.length, 0);
  const reply = await renderInProcess({
    template,
    variables: conversations.map((messages) => ({
      messages,
      add_generation_prompt: addGenerationPrompt,
      bos_token: specialText(file, 'bos'),
      eos_token: specialText(file, 'eos'),
    })),
    maximumLength: 4 * (given + template.length) + 65_536,
  });
  if ('error' in reply) throw templateError(file.path, reply.error);
  return reply.texts;
}

function specialText(file: Pick<GgufFile, 'metadata'>, name: 'bos' | 'eos'): string {
  const id = file.metadata.get(`tokenizer.ggml.${name}_token_id`);
  const words = file.metadata.get('tokenizer.ggml.tokens');
  const word = typeof id === 'number' && Array.isArray(words) ? words[id] : undefined;
  return typeof word === 'string' ? word : '';
}

async function renderInProcess(request: RenderRequest): Promise<RenderReply> {
  const program = fileURLToPath(new URL('./chat-template-process.ts', import.meta.url));
  const rendering = promisify(execFile)(process.execPath, [`--max-old-space-size=${RENDER_HEAP_MIB}`, program], {
    env: {},
    timeout: RENDER_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 8 * request.maximumLength * request.variables.length + 65_536,
  });
  // A process that ends early closes its stdin; its exit status is what counts.
  rendering.child.stdin?.on('error', () => {});
  rendering.child.stdin?.end(JSON.stringify(request));
  try {
    return JSON.parse((await rendering).stdout);
  } catch (error) {
    return { error: ending(error as ExecFileException) };
  }
}

function ending({ killed, signal, code, message }: ExecFileException): string {
  if (killed && signal === 'SIGKILL') return `it did not end within ${RENDER_TIMEOUT_MS} ms`;
  if (signal === 'SIGABRT') return `it needed more than ${RENDER_HEAP_MIB} MiB of memory`;
  return `the renderer ended with ${signal ?? code ?? message}`;
}

function templateError(path: string, reason: string): TokenizerError {
  return new TokenizerError(
    'LATHE_CHAT_TEMPLATE',
    `${path}: chat template: ${reason}`,
    'Use the instruct file of the model, or a model from `lathe models list`.',
  );
}
