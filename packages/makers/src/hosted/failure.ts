import { LatheError } from '@lathe/protocol';
import { APICallError } from 'ai';
import { addressOf, type Endpoint } from './endpoint.ts';
import { retryAfterMs } from './retry-after.ts';

/** Parts of a request that some servers do not take. */
export type Parameter = 'n' | 'seed' | 'temperature' | 'stop' | 'stream_options' | 'stream' | 'max_tokens';

/** What a failed request means for the run. */
export type Failure =
  /** Busy or out of reach: the same request may be sent again. `reached`: something answered. */
  | {
      readonly kind: 'again';
      readonly reason: string;
      readonly retryAfterMs: number | null;
      readonly reached: boolean;
      /** The model may have worked on it, and the provider may count that. */
      readonly mayBeBilled: boolean;
      /** The answer was not one of the interface's: it is unlikely to get better. */
      readonly isMalformed?: boolean;
    }
  /** The server does not take this parameter, or (`max_tokens`) not so much of it. */
  | {
      readonly kind: 'parameter';
      readonly parameter: Parameter;
      readonly isTooLarge: boolean;
      /** What it means where the request cannot go without. */
      readonly otherwise: Failure;
    }
  /** Holds for every candidate. */
  | { readonly kind: 'all'; readonly problem: LatheError }
  /** Holds for this request alone. */
  | { readonly kind: 'one'; readonly reason: string; readonly mayBeBilled: boolean };

const BUSY = new Set([408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529]);
/** The connection was never made, so no model has worked. */
const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const CERTIFICATE = /^(CERT_|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;

/** Reads an error of the AI SDK. `sent`: the parameters the request carried. Never shows a key. */
export function failureOf(error: unknown, endpoint: Endpoint, sent: ReadonlySet<Parameter>, nowMs: number): Failure {
  if (error instanceof LatheError) return { kind: 'all', problem: error };
  if (!APICallError.isInstance(error)) return brokenAnswer(error, endpoint);
  if (error.statusCode === undefined) return networkFailure(error, endpoint);
  if (error.statusCode < 400) return brokenAnswer(error, endpoint);

  const status = error.statusCode;
  const { code, parameter, text } = details(error);
  const words = `${code} ${text}`;
  const reason = `${status} ${shown(text || error.message, endpoint)}`.trim();
  if (/insufficient_quota|billing_not_active|credit balance|billing hard limit/i.test(words) || status === 402)
    return all('LATHE_MODEL_QUOTA', `${endpoint.model}: the account has no credit left (${reason})`, {
      remedy: `add credit to the account of ${endpoint.keyVariable}, or use another model`,
    });
  if (status === 401 || status === 403 || /api[_ ]key (not valid|invalid)|API_KEY_INVALID/i.test(words))
    return refusedKey(endpoint, status);
  if (
    status === 404 ||
    /model_not_found|model.{0,40}(not found|does not exist)|no such model|unknown model/i.test(words)
  )
    return unknownModel(endpoint, reason);
  if (BUSY.has(status) || /overloaded/i.test(code)) {
    const waitMs = retryAfterMs(error.responseHeaders, nowMs);
    return { kind: 'again', reason, retryAfterMs: waitMs, reached: true, mayBeBilled: false };
  }
  const one: Failure = { kind: 'one', reason, mayBeBilled: false };
  if (status !== 400 && status !== 413 && status !== 422) return one;
  const refused = refusedParameter(parameter, text, sent);
  const otherwise = isTooLong(words) || status === 413 ? contextTooLong(endpoint, reason) : one;
  if (refused === null || (otherwise !== one && refused !== 'max_tokens')) return otherwise;
  const isTooLarge = refused === 'max_tokens' && !/unsupported|not supported|unknown|unrecognized/i.test(words);
  return { kind: 'parameter', parameter: refused, isTooLarge, otherwise };
}

function networkFailure(error: APICallError, endpoint: Endpoint): Failure {
  const code = networkCode(error);
  if (code !== null && CERTIFICATE.test(code))
    return all('LATHE_MODEL_UNREACHABLE', `${addressOf(endpoint)} has no certificate this machine trusts (${code})`, {
      remedy: 'correct the address, or name the authority in NODE_EXTRA_CA_CERTS',
      cause: error,
    });
  // Without a code of the operating system the client itself refused to connect, to a forbidden port for one.
  const reached = code !== null && !NEVER_CONNECTED.has(code);
  const why = code ?? (error.cause instanceof Error ? error.cause.message : error.message);
  return {
    kind: 'again',
    reason: `no answer from ${addressOf(endpoint)} (${shown(why, endpoint)})`,
    retryAfterMs: null,
    reached,
    mayBeBilled: reached,
  };
}

/** An answer that broke off, or is not what the interface promises. */
function brokenAnswer(error: unknown, endpoint: Endpoint): Failure {
  const code = networkCode(error);
  const text = error instanceof Error ? error.message : messageOf(error);
  const isMalformed = APICallError.isInstance(error) && code === null;
  const what = isMalformed ? 'the answer is not a chat completion' : 'the answer broke off';
  return {
    kind: 'again',
    reason: `${what}: ${code ?? shown(text, endpoint)}`,
    retryAfterMs: null,
    reached: true,
    mayBeBilled: true,
    isMalformed,
  };
}

/** The error for an endpoint that never answered. */
export function unreachable(endpoint: Endpoint, reason: string): LatheError {
  return new LatheError('LATHE_MODEL_UNREACHABLE', `${endpoint.model} cannot be asked: ${reason}`, {
    remedy: `check that a server runs at ${addressOf(endpoint)}; ${endpoint.baseUrlVariable} sets the address`,
  });
}

function refusedKey(endpoint: Endpoint, status: number): Failure {
  // What the server says here is left out: some quote the key.
  const what =
    endpoint.apiKey === null
      ? `wants a key, and ${endpoint.keyVariable} is not set`
      : `refused the key in ${endpoint.keyVariable}, or the key may not use ${endpoint.modelName}`;
  return all('LATHE_MODEL_KEY', `${addressOf(endpoint)} ${what} (${status})`, {
    remedy: `put a valid key for ${addressOf(endpoint)} into ${endpoint.keyVariable}`,
  });
}

function unknownModel(endpoint: Endpoint, reason: string): Failure {
  return all(
    'LATHE_NOT_FOUND_MODEL',
    `${addressOf(endpoint)} knows no model ${JSON.stringify(endpoint.modelName)} (${reason})`,
    {
      remedy:
        endpoint.provider === 'openai'
          ? `curl -H "Authorization: Bearer $${endpoint.keyVariable}" ${addressOf(endpoint)}/models lists its models; where that fails too, ${endpoint.baseUrlVariable} lacks a path such as /v1`
          : `see the provider's list of models; ${endpoint.baseUrlVariable} sets the address`,
    },
  );
}

function contextTooLong(endpoint: Endpoint, reason: string): Failure {
  return all('LATHE_CONTEXT_TOO_LONG', `the task does not fit into the window of ${endpoint.model} (${reason})`, {
    remedy: `name fewer or smaller files, use a model with a larger window, or set "contextTokens" for ${endpoint.model} in LATHE_PRICES`,
  });
}

function all(code: string, message: string, options: { remedy: string; cause?: unknown }): Failure {
  return { kind: 'all', problem: new LatheError(code, message, options) };
}

function isTooLong(words: string): boolean {
  return /context[_ ](length|window|size)|maximum context|exceed_context|too many (input )?tokens|(prompt|input|request) (is )?too (long|large)|exceeds? .{0,60}tokens?/i.test(
    words,
  );
}

const NAMES: Readonly<Record<Parameter, readonly string[]>> = {
  max_tokens: ['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'maxOutputTokens'],
  n: ['n', 'best_of'],
  seed: ['seed'],
  temperature: ['temperature'],
  stop: ['stop', 'stop_sequences', 'stopSequences'],
  stream_options: ['stream_options', 'include_usage'],
  stream: ['stream', 'streaming'],
};

/**
 * The parameter an error 400 complains about; an answer that is too long counts as `max_tokens`;
 * and `n`, which the fewest servers take, where it names none.
 */
function refusedParameter(named: string, text: string, sent: ReadonlySet<Parameter>): Parameter | null {
  for (const parameter of sent) if (NAMES[parameter].includes(named)) return parameter;
  for (const parameter of sent)
    if (NAMES[parameter].some((name) => new RegExp(`(?<![\\w.-])${name}(?![\\w-])`).test(text))) return parameter;
  if (/in the completion/i.test(text)) return 'max_tokens';
  return sent.has('n') ? 'n' : null;
}

interface Details {
  readonly code: string;
  readonly parameter: string;
  readonly text: string;
}

/** Code, parameter and message of an error body, in the shapes servers use. */
function details(error: APICallError): Details {
  let body: unknown;
  try {
    body = JSON.parse(error.responseBody ?? '');
  } catch {
    return { code: '', parameter: '', text: error.message };
  }
  const outer = asRecord(body);
  const inner = asRecord(outer.error);
  const code = [inner.code, inner.type, inner.status, outer.code, outer.type].filter((one) => typeof one === 'string');
  const text = [inner.message, outer.message, outer.detail, outer.error].find((one) => one !== undefined) ?? body;
  return {
    code: code.join(' '),
    parameter: typeof inner.param === 'string' ? inner.param : '',
    text: typeof text === 'string' ? text : JSON.stringify(text),
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function messageOf(value: unknown): string {
  const { message } = asRecord(value);
  return typeof message === 'string' ? message : JSON.stringify(value);
}

/** First `code` along the causes that is the operating system's or the HTTP client's. */
function networkCode(error: unknown): string | null {
  const seen = new Set<unknown>();
  for (let one = error; one instanceof Error && !seen.has(one); one = one.cause) {
    seen.add(one);
    if ('code' in one && typeof one.code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(one.code)) return one.code;
  }
  return null;
}

/** A server's words on one line, cut short, without anything that looks like a key. */
export function shown(text: string, { apiKey }: Endpoint): string {
  const line = (apiKey === null ? text : text.replaceAll(apiKey, '…')).replaceAll(/\s+/g, ' ').trim();
  const clean = line.replaceAll(/\b(sk|key|AIza)[-_A-Za-z0-9]*[-_A-Za-z0-9*]{12,}/g, '…');
  return clean.length > 300 ? `${clean.slice(0, 300)}…` : clean;
}
