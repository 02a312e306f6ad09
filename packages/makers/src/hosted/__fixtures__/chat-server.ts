import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ChatRequest {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
  /** How many requests came before this one. */
  readonly count: number;
}

export type Reply = (request: ChatRequest, response: ServerResponse) => void | Promise<void>;

/** A real HTTP server that answers as a test tells it to. */
export class ChatServer {
  readonly requests: ChatRequest[] = [];
  /** Requests under way now and at most. */
  underWay = 0;
  mostUnderWay = 0;
  readonly #server: Server;

  private constructor(reply: Reply) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const one = {
          url: request.url ?? '',
          headers: request.headers,
          body: text === '' ? {} : JSON.parse(text),
          count: this.requests.length,
        };
        this.requests.push(one);
        this.underWay += 1;
        this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
        response.once('close', () => {
          this.underWay -= 1;
        });
        void reply(one, response);
      });
    });
  }

  static async start(reply: Reply): Promise<ChatServer> {
    const server = new ChatServer(reply);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get baseUrl(): string {
    return `${this.origin}/v1`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const USAGE = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };

/** A complete answer in the form asked for: a stream, or one document with `n` choices (`choices` overrules it). */
export function answer(
  { body }: ChatRequest,
  response: ServerResponse,
  text: (at: number) => string,
  options: { choices?: number; usage?: object | null } = {},
): void {
  const usage = options.usage === undefined ? USAGE : options.usage;
  if (body.stream === true) return stream(response, text(0), usage);
  const n = options.choices ?? (typeof body.n === 'number' ? body.n : 1);
  json(response, 200, {
    id: 'x',
    object: 'chat.completion',
    created: 1,
    model: body.model,
    choices: Array.from({ length: n }, (_, index) => ({
      index,
      message: { role: 'assistant', content: text(index) },
      finish_reason: 'stop',
    })),
    ...(usage === null ? {} : { usage }),
  });
}

export function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function refuse(
  response: ServerResponse,
  status: number,
  error: { message: string; code?: string; param?: string; type?: string },
  headers: Record<string, string> = {},
): void {
  json(response, status, { error }, headers);
}

export function chunk(delta: object, finish: string | null = null): string {
  return `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
}

export function stream(response: ServerResponse, text: string, usage: object | null): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(chunk({ role: 'assistant', content: '' }));
  for (let at = 0; at < text.length; at += 8) response.write(chunk({ content: text.slice(at, at + 8) }));
  response.write(chunk({}, 'stop'));
  if (usage !== null) response.write(`data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage })}\n\n`);
  response.end('data: [DONE]\n\n');
}
