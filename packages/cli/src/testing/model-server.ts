import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ModelServer extends AsyncDisposable {
  /** For OPENAI_BASE_URL. */
  readonly url: string;
  /** Bodies of the requests so far. */
  readonly requests: readonly Record<string, unknown>[];
}

/** What is answered to one request: texts to take in turn, an HTTP status, or nothing until the client gives up. */
export type Reply = string | { readonly status: number; readonly message: string } | 'hang';

/**
 * A server that speaks the chat completions part of the OpenAI API, on a port of its own. The nth choice ever asked of
 * a model gets the nth reply; after the last they start again. A list alone is for every model.
 */
export async function startModelServer(
  replies: readonly Reply[] | Readonly<Record<string, readonly Reply[]>>,
): Promise<ModelServer> {
  const requests: Record<string, unknown>[] = [];
  const asked = new Map<string, number>();
  const next = (model: string): Reply => {
    const own = isForAll(replies) ? replies : replies[model]!;
    const place = asked.get(model) ?? 0;
    asked.set(model, place + 1);
    return own[place % own.length]!;
  };
  const server = createServer(async (request, response) => {
    const body = await readJson(request);
    requests.push(body);
    const count = typeof body.n === 'number' ? body.n : 1;
    const chosen = Array.from({ length: count }, () => next(String(body.model)));
    const refusal = chosen.find((reply) => typeof reply === 'object');
    if (chosen.includes('hang')) return;
    if (refusal !== undefined) return sendJson(response, refusal.status, { error: { message: refusal.message } });
    const texts = chosen.filter((reply) => typeof reply === 'string');
    if (body.stream === true) sendStream(response, texts);
    else sendJson(response, 200, completion(texts));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const base = { id: 'x', created: 0, model: 'scripted' };

function completion(texts: readonly string[]): object {
  return {
    ...base,
    object: 'chat.completion',
    choices: texts.map((content, index) => ({
      index,
      message: { role: 'assistant', content },
      finish_reason: 'stop',
    })),
    usage: { prompt_tokens: 100, completion_tokens: 20 * texts.length, total_tokens: 100 + 20 * texts.length },
  };
}

function sendStream(response: ServerResponse, texts: readonly string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (data: object) =>
    response.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', ...data })}\n\n`);
  texts.forEach((content, index) => {
    send({ choices: [{ index, delta: { role: 'assistant', content }, finish_reason: null }] });
    send({ choices: [{ index, delta: {}, finish_reason: 'stop' }] });
  });
  send({ choices: [], usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 } });
  response.end('data: [DONE]\n\n');
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
}

function isForAll(replies: readonly Reply[] | Readonly<Record<string, readonly Reply[]>>): replies is readonly Reply[] {
  return Array.isArray(replies);
}
