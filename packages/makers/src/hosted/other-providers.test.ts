import { isProblem } from '@lathe/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { ChatServer, json, type Reply } from './__fixtures__/chat-server.ts';
import { InstantClock } from './__fixtures__/clocks.ts';
import { ANSWER, collect, holeRequest } from './__fixtures__/request.ts';
import { endpointOf, type Provider } from './endpoint.ts';
import { openHostedMaker } from './hosted-maker.ts';
import { RequestLimiter } from './limiter.ts';

const KEY = 'test-key-0123456789abcdef';
let server: ChatServer;
afterEach(() => server.close());

async function open(provider: Provider, reply: Reply) {
  server = await ChatServer.start(reply);
  const environment = {
    ANTHROPIC_BASE_URL: server.origin,
    ANTHROPIC_API_KEY: KEY,
    GOOGLE_GEMINI_BASE_URL: server.origin,
    GEMINI_API_KEY: KEY,
  };
  const limiter = new RequestLimiter({ clock: new InstantClock() });
  return openHostedMaker({ endpoint: endpointOf(provider, 'tiny', environment), limiter });
}

/** A stream in the form of Anthropic's Messages interface. */
const messages: Reply = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const event = (data: { type: string } & Record<string, unknown>) =>
    response.write(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);
  event({
    type: 'message_start',
    message: {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'tiny',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 100, output_tokens: 1 },
    },
  });
  event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
  event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: ANSWER } });
  event({ type: 'content_block_stop', index: 0 });
  event({
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: 20 },
  });
  event({ type: 'message_stop' });
  response.end();
};

describe('anthropic', () => {
  it('asks for each candidate with the key in its header and reads text and tokens', async () => {
    const maker = await open('anthropic', messages);
    const { proposals, error } = await collect(maker.make(holeRequest({ n: 3, temperature: 0.5 })));
    expect(error).toBeNull();
    expect(proposals.map(({ outcome, tokens }) => [outcome, tokens])).toEqual(
      Array(3).fill(['made', { prompt: 100, completion: 20 }]),
    );
    expect(server.requests.map(({ url }) => url)).toEqual(Array(3).fill('/v1/messages'));
    expect(server.requests[0]!.headers['x-api-key']).toBe(KEY);
    expect(server.requests[0]!.body).toMatchObject({ model: 'tiny', temperature: 0.5, stream: true, max_tokens: 8192 });
  });

  it('backs off where it is overloaded', async () => {
    const maker = await open('anthropic', (request, response) =>
      request.count < 2
        ? json(response, 529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })
        : messages(request, response),
    );
    const { proposals } = await collect(maker.make(holeRequest({ n: 2 })));
    expect(proposals.map(({ outcome }) => outcome)).toEqual(['made', 'made']);
    expect(server.requests).toHaveLength(4);
  });

  it('says which variable holds the refused key', async () => {
    const maker = await open('anthropic', (_, response) =>
      json(response, 401, { type: 'error', error: { type: 'authentication_error', message: `invalid ${KEY}` } }),
    );
    const { error } = await collect(maker.make(holeRequest()));
    if (!isProblem(error)) throw new Error(`no problem: ${String(error)}`);
    expect(error.code).toBe('LATHE_MODEL_KEY');
    expect(error.message).toContain('ANTHROPIC_API_KEY');
    expect(error.message + error.remedy).not.toContain(KEY);
  });

  it.each([
    ['an unknown model', 404, { type: 'not_found_error', message: 'model: tiny' }, 'LATHE_NOT_FOUND_MODEL'],
    [
      'a prompt too long',
      400,
      { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens > 200000 maximum' },
      'LATHE_CONTEXT_TOO_LONG',
    ],
    [
      'no credit',
      400,
      { type: 'invalid_request_error', message: 'Your credit balance is too low to access the API.' },
      'LATHE_MODEL_QUOTA',
    ],
  ])('tells %s', async (_, status, error, code) => {
    const maker = await open('anthropic', (_request, response) => json(response, status, { type: 'error', error }));
    expect(await collect(maker.make(holeRequest()))).toMatchObject({ proposals: [], error: { code } });
  });
});

describe('google', () => {
  it('asks for each candidate with its own seed and reads text and tokens', async () => {
    const maker = await open('google', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const part = (text: string, more: object) =>
        `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, ...more }], usageMetadata: { promptTokenCount: 100, candidatesTokenCount: 20, totalTokenCount: 120 } })}\n\n`;
      response.write(part(ANSWER.slice(0, 10), {}));
      response.end(part(ANSWER.slice(10), { finishReason: 'STOP' }));
    });
    const { proposals, error } = await collect(maker.make(holeRequest({ n: 2 })));
    expect(error).toBeNull();
    expect(proposals).toMatchObject(
      Array(2).fill({ outcome: 'made', answer: ANSWER, tokens: { prompt: 100, completion: 20 } }),
    );
    expect(server.requests[0]!.url).toMatch(/^\/v1beta\/models\/tiny:streamGenerateContent/);
    expect(server.requests[0]!.headers['x-goog-api-key']).toBe(KEY);
    const configs = server.requests.map(
      ({ body }) => body.generationConfig as { seed: number; maxOutputTokens: number },
    );
    expect(configs.map(({ seed }) => seed).toSorted()).toEqual([7, 8]);
    expect(configs[0]!.maxOutputTokens).toBe(8192);
  });

  it('says which variables hold the refused key', async () => {
    const maker = await open('google', (_, response) =>
      json(response, 400, {
        error: {
          code: 400,
          message: 'API key not valid. Please pass a valid API key.',
          status: 'INVALID_ARGUMENT',
          details: [{ reason: 'API_KEY_INVALID' }],
        },
      }),
    );
    const { error } = await collect(maker.make(holeRequest()));
    expect(error).toMatchObject({ code: 'LATHE_MODEL_KEY', message: expect.stringContaining('GEMINI_API_KEY') });
  });
});
