import { afterEach, describe, expect, it } from 'vitest';
import { answer, ChatServer, type Reply } from './__fixtures__/chat-server.ts';
import { ANSWER, collect, holeRequest } from './__fixtures__/request.ts';
import { endpointOf } from './endpoint.ts';
import { openHostedMaker } from './hosted-maker.ts';
import { RequestLimiter } from './limiter.ts';

let server: ChatServer;
afterEach(() => server.close());

async function maker(
  reply: Reply,
  options: { limiter?: RequestLimiter; silenceMs?: number; pricesFile?: string } = {},
) {
  server = await ChatServer.start(reply);
  const endpoint = endpointOf('openai', 'tiny', {
    OPENAI_BASE_URL: server.baseUrl,
    OPENAI_API_KEY: 'sk-secret-0123456789',
  });
  return openHostedMaker({ endpoint, limiter: new RequestLimiter(), ...options });
}

describe('a server that takes n', () => {
  it('is asked once for all candidates', async () => {
    const hosted = await maker((request, response) => answer(request, response, () => ANSWER));
    const { proposals, error } = await collect(hosted.make(holeRequest({ n: 10 })));
    expect(error).toBeNull();
    expect(server.requests.map(({ body }) => body.n)).toEqual([10]);
    expect(proposals.map(({ outcome }) => outcome)).toEqual(Array(10).fill('made'));
  });
});
