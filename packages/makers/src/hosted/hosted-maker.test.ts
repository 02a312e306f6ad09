import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Budget, isProblem, type Maker } from '@lathe/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { answer, ChatServer, chunk, json, type Reply, refuse } from './__fixtures__/chat-server.ts';
import { InstantClock } from './__fixtures__/clocks.ts';
import { ANSWER, collect, holeRequest, TestBudget, tree } from './__fixtures__/request.ts';
import { endpointOf } from './endpoint.ts';
import { openHostedMaker } from './hosted-maker.ts';
import { RequestLimiter } from './limiter.ts';

const KEY = 'sk-secret-0123456789abcdef';
/** A dollar a token, so that costs can be read off. */
const PRICES = {
  'openai:tiny': { inputUsdPerMillionTokens: 1e6, outputUsdPerMillionTokens: 1e6, contextTokens: 40_000 },
};

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const one of cleanUp.splice(0)) await one();
});

interface Setting {
  readonly limiter?: RequestLimiter;
  readonly silenceMs?: number;
  readonly maxOutputTokens?: number;
  readonly prices?: object;
  readonly key?: string;
}

async function open(reply: Reply, setting: Setting = {}): Promise<{ server: ChatServer; maker: Maker }> {
  const server = await ChatServer.start(reply);
  cleanUp.push(() => server.close());
  const { prices, key = KEY, limiter = new RequestLimiter({ clock: new InstantClock() }), ...rest } = setting;
  const environment = { OPENAI_BASE_URL: server.baseUrl, OPENAI_API_KEY: key };
  const endpoint = endpointOf('openai', 'tiny', environment);
  const pricesFile = prices === undefined ? {} : { pricesFile: await writePrices(prices) };
  return { server, maker: await openHostedMaker({ endpoint, limiter, ...rest, ...pricesFile }) };
}

async function writePrices(prices: object): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lathe-prices-'));
  cleanUp.push(() => rm(directory, { recursive: true }));
  const path = join(directory, 'prices.json');
  await writeFile(path, JSON.stringify(prices));
  return path;
}

/** A server without `n`. */
const singly: Reply = (request, response) =>
  request.body.n === undefined
    ? answer(request, response, () => ANSWER)
    : refuse(response, 400, { message: "'n' : number must be at most 1", param: 'n' });

const countOf = (values: readonly string[]) =>
  Object.fromEntries(values.map((value) => [value, values.filter((one) => one === value).length]));

describe('many answers in one request', () => {
  it('asks once for all candidates and shares tokens and cost out without a rest', async () => {
    const { server, maker } = await open(
      (request, response) => answer(request, response, (at) => ANSWER + ' '.repeat(at)),
      {
        prices: PRICES,
      },
    );
    const budget = new TestBudget();
    const { proposals, error } = await collect(maker.make(holeRequest({ n: 7, temperature: 0.5, budget })));
    expect(error).toBeNull();
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]!.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(server.requests[0]!.body).toMatchObject({
      model: 'tiny',
      n: 7,
      seed: 7,
      temperature: 0.5,
      max_tokens: 8192,
    });
    expect(proposals.map(({ index, outcome }) => [index, outcome])).toEqual(
      Array.from({ length: 7 }, (_, i) => [i, 'made']),
    );
    expect(new TextDecoder().decode(proposals[0]!.edits[0]!.content!)).toContain('return number * 2;');
    expect(proposals.reduce((sum, { tokens }) => sum + tokens.prompt, 0)).toBe(100);
    expect(proposals.reduce((sum, { tokens }) => sum + tokens.completion, 0)).toBe(20);
    expect(proposals.reduce((sum, { costUsd }) => sum + costUsd, 0)).toBeCloseTo(120);
    expect(budget.spentUsd).toBeCloseTo(120);
    expect(budget.reservedUsd).toBeCloseTo(0);
  });

  it('asks one by one where the server refuses n, and remembers it', async () => {
    const { server, maker } = await open(singly);
    const first = await collect(maker.make(holeRequest({ n: 4 })));
    expect(first.proposals.map(({ outcome }) => outcome)).toEqual(Array(4).fill('made'));
    const second = await collect(maker.make(holeRequest({ n: 3 })));
    expect(second.proposals).toHaveLength(3);
    expect(server.requests.map(({ body }) => body.n)).toEqual([4, ...Array(7).fill(undefined)]);
    expect(
      server.requests
        .slice(1, 5)
        .map(({ body }) => body.seed)
        .toSorted(),
    ).toEqual([10, 7, 8, 9]);
  });

  it('keeps the one answer of a server that ignores n, and asks for the rest one by one', async () => {
    const { server, maker } = await open((request, response) =>
      answer(request, response, () => ANSWER, { choices: 1 }),
    );
    const { proposals } = await collect(maker.make(holeRequest({ n: 5 })));
    expect(proposals.map(({ index, outcome }) => [index, outcome])).toEqual([0, 1, 2, 3, 4].map((i) => [i, 'made']));
    expect(server.requests.map(({ body }) => body.n)).toEqual([5, ...Array(4).fill(undefined)]);
  });

  it('goes on in the portions a server gives', async () => {
    const { server, maker } = await open((request, response) =>
      answer(request, response, () => ANSWER, { choices: Math.min(4, (request.body.n as number | undefined) ?? 1) }),
    );
    const { proposals } = await collect(maker.make(holeRequest({ n: 10 })));
    expect(proposals).toHaveLength(10);
    expect(server.requests.map(({ body }) => body.n).toSorted()).toEqual([10, 2, 4]);
  });

  it('asks one by one, as a stream, where the many do not come in time', async () => {
    const { maker } = await open(
      (request, response) => {
        if (request.body.n === undefined) answer(request, response, () => ANSWER);
      },
      { silenceMs: 1_500 },
    );
    const { proposals } = await collect(maker.make(holeRequest({ n: 3 })));
    expect(proposals.map(({ outcome }) => outcome)).toEqual(['made', 'made', 'made']);
  });
});

describe('one answer', () => {
  it('is streamed, with news of its tokens', async () => {
    const { server, maker } = await open(singly);
    const { news, proposals } = await collect(maker.make(holeRequest({ n: 1 })));
    expect(server.requests[0]!.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
    const counts = news.flatMap((one) => (one.type === 'tokens' ? [one.completion] : []));
    expect(counts).toEqual(Array.from({ length: Math.ceil(ANSWER.length / 8) }, (_, at) => at + 1));
    expect(proposals[0]).toMatchObject({ outcome: 'made', answer: ANSWER, tokens: { prompt: 100, completion: 20 } });
  });

  it('is invalid, and says that it was cut off, where it ends at the longest length', async () => {
    const { maker } = await open((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chunk({ content: 'I would like to' }));
      response.end(chunk({}, 'length'));
    });
    const { proposals } = await collect(maker.make(holeRequest({ n: 1 })));
    expect(proposals[0]!.outcome).toBe('invalid');
    expect(proposals[0]!.reason).toMatch(/cut off at 8192 tokens$/);
  });

  it('is invalid where the provider filtered it', async () => {
    const { maker } = await open((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(chunk({}, 'content_filter'));
    });
    const { proposals } = await collect(maker.make(holeRequest({ n: 1 })));
    expect(proposals[0]).toMatchObject({
      outcome: 'invalid',
      reason: 'the provider withheld the answer (content filter)',
    });
  });
});

describe('parameters a server does not take', () => {
  it.each([
    [
      'temperature',
      { message: "Unsupported value: 'temperature' does not support 0.5 with this model.", param: 'temperature' },
    ],
    ['seed', { message: 'Unrecognized request argument supplied: seed' }],
    ['stream_options', { message: 'stream_options: Extra inputs are not permitted' }],
    [
      'max_tokens',
      {
        message:
          "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      },
    ],
  ])('goes without %s', async (name, error) => {
    const { server, maker } = await open((request, response) =>
      request.body[name] === undefined ? answer(request, response, () => ANSWER) : refuse(response, 400, error),
    );
    const { proposals, news } = await collect(maker.make(holeRequest({ n: 1, temperature: 0.5 })));
    expect(proposals[0]!.outcome).toBe('made');
    expect(server.requests).toHaveLength(2);
    expect(news).toContainEqual(
      expect.objectContaining({ detail: `openai:tiny takes other settings than ${name}: asked anew` }),
    );
    if (name === 'max_tokens') expect(server.requests[1]!.body.max_completion_tokens).toBe(8192);
  });

  it('asks for shorter answers where the server gives none so long', async () => {
    const { server, maker } = await open((request, response) =>
      (request.body.max_tokens as number) <= 2048
        ? answer(request, response, () => ANSWER)
        : refuse(response, 400, {
            message: "max_tokens is too large: 8192. This model's maximum context length is 4096 tokens.",
          }),
    );
    const { proposals } = await collect(maker.make(holeRequest({ n: 2 })));
    expect(proposals.map(({ outcome }) => outcome)).toEqual(['made', 'made']);
    expect(server.requests.map(({ body }) => body.max_tokens)).toEqual([8192, 4096, 2048]);
  });
});

describe('a busy server', () => {
  it('lets ten candidates through a storm of 429, fewer at a time, never before it asked', async () => {
    const waves = [10, 5, 2, 1];
    const arrivalsMs: number[][] = [];
    let refused = 0;
    let held: (() => void)[] = [];
    let waiting = 0;
    let mostAfterStorm = 0;
    // Time passes when every refusal has been heard, so that what is simulated is the order of things, not their speed.
    const clock = new InstantClock(() => waiting === refused);
    const { server, maker } = await open(
      (request, response) => {
        if (request.body.n !== undefined) return refuse(response, 400, { message: 'no n', param: 'n' });
        const size = waves[arrivalsMs.length];
        if (size === undefined) {
          mostAfterStorm = Math.max(mostAfterStorm, server.underWay);
          return answer(request, response, () => ANSWER);
        }
        const error = { message: 'slow down', code: 'rate_limit_exceeded' };
        held.push(() => refuse(response, 429, error, { 'retry-after': '20' }));
        if (held.length < size) return;
        arrivalsMs.push(held.map(() => clock.nowMs()));
        refused += held.length;
        for (const one of held) one();
        held = [];
      },
      { limiter: new RequestLimiter({ clock, random: () => 0.5 }) },
    );
    const outcomes: string[] = [];
    for await (const news of maker.make(holeRequest({ n: 10 }))) {
      if (news.type === 'proposal') outcomes.push(news.proposal.outcome);
      if (news.type === 'phase' && /^429 slow down; again in \d+ s$/.test(news.detail ?? '')) waiting += 1;
    }
    expect(outcomes).toEqual(Array(10).fill('made'));
    expect(arrivalsMs.map((wave) => wave.length)).toEqual(waves);
    // Retry-After asks for 20 s; the jitter on top is half of 1, 2, 4 and 8 s.
    expect(arrivalsMs.map(([atMs]) => atMs)).toEqual([0, 20_500, 41_500, 63_500]);
    expect(mostAfterStorm).toBeLessThan(10);
  });

  it('makes one candidate an error and the others go on, where only it is refused', async () => {
    const { maker } = await open((request, response) => {
      if (request.body.n !== undefined) return refuse(response, 400, { message: 'no n', param: 'n' });
      if (request.body.seed === 9) return refuse(response, 500, { message: 'the server had an error' });
      answer(request, response, () => ANSWER);
    });
    const { proposals, error } = await collect(maker.make(holeRequest({ n: 5 })));
    expect(error).toBeNull();
    expect(countOf(proposals.map(({ outcome }) => outcome))).toEqual({ made: 4, error: 1 });
    expect(proposals[2]).toMatchObject({ outcome: 'error', reason: '500 the server had an error (8 attempts)' });
  });

  it('does not repeat what was refused for good, nor the key where the server shows it', async () => {
    const { server, maker } = await open(
      (_, response) => refuse(response, 400, { message: 'your prompt is rude, hidden!key-of-mine-1234' }),
      { key: 'hidden!key-of-mine-1234' },
    );
    const { proposals } = await collect(maker.make(holeRequest({ n: 1 })));
    expect(proposals[0]).toMatchObject({ outcome: 'error', reason: '400 your prompt is rude, …' });
    expect(server.requests).toHaveLength(1);
  });
});

describe('a broken server', () => {
  it.each([
    [
      'garbage for JSON',
      (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('<html>hello'),
    ],
    ['JSON of another kind', (_, response) => json(response, 200, { result: 'hello' })],
    [
      'half a stream',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(chunk({ content: '```js\nexport func' }), () => response.socket?.destroy());
      },
    ],
    [
      'a stream without an end',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(chunk({ content: '```js\nexport func' }));
      },
    ],
    [
      'a stream of garbage',
      (_, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: {oops\n\n'),
    ],
  ] as [string, Reply][])('that answers with %s gets three tries; the candidate is an error', async (_, broken) => {
    const { server, maker } = await open((request, response) => {
      if (request.body.n !== undefined) return refuse(response, 400, { message: 'no n', param: 'n' });
      if (request.body.seed === 7) return broken(request, response);
      answer(request, response, () => ANSWER);
    });
    const { proposals, error } = await collect(maker.make(holeRequest({ n: 3 })));
    expect(error).toBeNull();
    expect(proposals.map(({ outcome }) => outcome)).toEqual(['error', 'made', 'made']);
    expect(proposals[0]!.reason).toMatch(/^the answer (broke off|is not a chat completion): .+\(3 times\)$/);
    expect(server.requests.filter(({ body }) => body.seed === 7 && body.n === undefined)).toHaveLength(3);
  });

  it('that falls silent makes the candidate timed-out', async () => {
    const { maker } = await open(
      (request, response) => {
        if (request.body.n !== undefined) return refuse(response, 400, { message: 'no n', param: 'n' });
        if (request.body.seed === 8)
          return void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(chunk({ content: 'hm' }));
        answer(request, response, () => ANSWER);
      },
      { silenceMs: 1_500 },
    );
    const { proposals } = await collect(maker.make(holeRequest({ n: 2 })));
    expect(proposals.map(({ outcome }) => outcome)).toEqual(['made', 'timed-out']);
  });
});

describe('a slow server', () => {
  it('is waited for as long as something comes', async () => {
    const { maker } = await open(
      async (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (let at = 0; at < ANSWER.length; at += 12) {
          response.write(chunk({ content: ANSWER.slice(at, at + 12) }));
          await sleep(250);
        }
        response.end(chunk({}, 'stop'));
      },
      { silenceMs: 1_200 },
    );
    const { proposals } = await collect(maker.make(holeRequest({ n: 1 })));
    expect(proposals[0]).toMatchObject({ outcome: 'made' });
    expect(proposals[0]!.durationMs).toBeGreaterThan(1_200);
  });
});

describe('what concerns every candidate is thrown once', () => {
  async function problemOf(reply: Reply, setting: Setting = {}) {
    const { server, maker } = await open(reply, setting);
    const { error, proposals, news } = await collect(maker.make(holeRequest({ n: 10 })));
    expect(proposals).toEqual([]);
    if (!isProblem(error)) throw new Error(`no problem: ${String(error)}`);
    const everything = JSON.stringify([error.message, error.remedy, news]);
    expect(everything).not.toContain(KEY);
    return { error, server };
  }

  it('a wrong key: which variable, and nothing of the key', async () => {
    const { error, server } = await problemOf((_, response) =>
      refuse(response, 401, { message: `Incorrect API key provided: ${KEY}.`, code: 'invalid_api_key' }),
    );
    expect(error.code).toBe('LATHE_MODEL_KEY');
    expect(error.message).toBe(
      `${server.baseUrl} refused the key in OPENAI_API_KEY, or the key may not use tiny (401)`,
    );
  });

  it('an unknown model: which, where, and how to list the known ones', async () => {
    const { error, server } = await problemOf((_, response) =>
      refuse(response, 404, { message: 'The model `tiny` does not exist', code: 'model_not_found' }),
    );
    expect(error.code).toBe('LATHE_NOT_FOUND_MODEL');
    expect(error.message).toContain(`${server.baseUrl} knows no model "tiny"`);
    expect(error.remedy).toContain(`${server.baseUrl}/models`);
  });

  it('a prompt the model has no room for', async () => {
    const { error } = await problemOf((_, response) =>
      refuse(response, 400, {
        message: "This model's maximum context length is 128 tokens. However, your messages resulted in 300 tokens.",
        code: 'context_length_exceeded',
        param: 'messages',
      }),
    );
    expect(error.code).toBe('LATHE_CONTEXT_TOO_LONG');
  });

  it('an account without credit, which no waiting mends', async () => {
    const { error, server } = await problemOf((_, response) =>
      refuse(response, 429, { message: 'You exceeded your current quota', code: 'insufficient_quota' }),
    );
    expect(error.code).toBe('LATHE_MODEL_QUOTA');
    expect(server.requests).toHaveLength(1);
  });

  it('an address where nothing answers', async () => {
    const server = await ChatServer.start(() => {});
    const { baseUrl } = server;
    await server.close();
    const endpoint = endpointOf('openai', 'tiny', { OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: KEY });
    const maker = await openHostedMaker({ endpoint, limiter: new RequestLimiter({ clock: new InstantClock() }) });
    const { error, proposals } = await collect(maker.make(holeRequest({ n: 10 })));
    expect(proposals).toEqual([]);
    expect(error).toMatchObject({
      code: 'LATHE_MODEL_UNREACHABLE',
      message: `openai:tiny cannot be asked: no answer from ${baseUrl} (ECONNREFUSED)`,
      remedy: expect.stringContaining('OPENAI_BASE_URL'),
    });
  });

  it('an address no client connects to', async () => {
    const endpoint = endpointOf('openai', 'tiny', { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' });
    const maker = await openHostedMaker({ endpoint, limiter: new RequestLimiter({ clock: new InstantClock() }) });
    expect(await collect(maker.make(holeRequest({ n: 2 })))).toMatchObject({
      proposals: [],
      error: { code: 'LATHE_MODEL_UNREACHABLE', message: expect.stringContaining('bad port') },
    });
  });

  it('a prompt that does not fit, however short the answer', async () => {
    const { error, server } = await problemOf((_, response) =>
      refuse(response, 400, {
        message:
          "This model's maximum context length is 128 tokens. However, you requested 900 tokens (300 in the messages, 600 in the completion).",
      }),
    );
    expect(error.code).toBe('LATHE_CONTEXT_TOO_LONG');
    expect(server.requests.map(({ body }) => body.max_tokens)).toEqual([8192, 4096, 2048, 1024, 512, 256]);
  });

  it('a task that does not fit, before anything is sent', async () => {
    const prices = { 'openai:tiny': { ...PRICES['openai:tiny'], contextTokens: 600 } };
    const { server, maker } = await open(singly, { prices });
    const long = `/** ${'Twice the number. '.repeat(200)} */\nexport function double(number) {\n}\n`;
    const { error } = await collect(maker.make(holeRequest({ base: tree({ 'double.js': long }) })));
    expect(error).toMatchObject({ code: 'LATHE_CONTEXT_TOO_LONG' });
    expect(server.requests).toEqual([]);
  });

  it('and ends the requests under way', async () => {
    let aborted = 0;
    const { maker } = await open((request, response) => {
      if (request.body.n !== undefined) return refuse(response, 400, { message: 'no n', param: 'n' });
      if (request.body.seed !== 7) return void response.once('close', () => aborted++);
      setTimeout(() => refuse(response, 401, { message: 'no' }), 50);
    });
    const { error } = await collect(maker.make(holeRequest({ n: 4 })));
    expect(error).toMatchObject({ code: 'LATHE_MODEL_KEY' });
    await expect.poll(() => aborted).toBe(3);
  });
});

describe('money', () => {
  // Prompt: 300 to 500 bytes; answer: at most 500 tokens; real use: 120 tokens; a dollar each.
  const setting = { prices: PRICES, maxOutputTokens: 500 };

  it('is never overshot by ten requests at once, and what they do not use is used again', async () => {
    const { server, maker } = await open(singly, setting);
    const budget = new TestBudget(4_000);
    const { proposals } = await collect(maker.make(holeRequest({ n: 10, budget })));
    expect(proposals.map(({ outcome }) => outcome)).toEqual(Array(10).fill('made'));
    expect(budget.mostUsd).toBeLessThanOrEqual(4_000);
    expect(budget.spentUsd).toBeCloseTo(1_200);
    // A refusal would make the run one that ended for want of money.
    expect(budget.refusals).toBe(0);
    expect(server.mostUnderWay).toBeLessThan(10);
  });

  it('that is short makes the rest errors with the reason, and what was made stays', async () => {
    const { server, maker } = await open(singly, setting);
    const budget = new TestBudget(1_500);
    const { proposals, error } = await collect(maker.make(holeRequest({ n: 10, budget })));
    expect(error).toBeNull();
    const outcomes = countOf(proposals.map(({ outcome }) => outcome));
    expect(outcomes.made).toBeGreaterThan(0);
    expect(outcomes.error).toBeGreaterThan(0);
    expect(
      proposals.filter(({ outcome }) => outcome === 'error').every(({ reason }) => reason!.startsWith('budget')),
    ).toBe(true);
    expect(budget.mostUsd).toBeLessThanOrEqual(1_500);
    expect(server.requests.filter(({ body }) => body.n === undefined)).toHaveLength(outcomes.made!);
  });

  it('that does not pay for all answers at once pays for as many as it can', async () => {
    const { server, maker } = await open((request, response) => answer(request, response, () => ANSWER), setting);
    const budget = new TestBudget(4_000);
    const { proposals } = await collect(maker.make(holeRequest({ n: 10, budget })));
    expect(proposals.map(({ outcome }) => outcome)).toEqual(Array(10).fill('made'));
    expect(server.requests.map(({ body }) => body.n)).toEqual([7, 3]);
    expect(budget.mostUsd).toBeLessThanOrEqual(4_000);
  });

  it('counts as spent in full where an answer broke off, and is on the record', async () => {
    const { maker } = await open((request, response) => {
      if (request.count > 0) return answer(request, response, () => ANSWER);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chunk({ content: 'hm' }), () => response.socket?.destroy());
    }, setting);
    const budget = new TestBudget(10_000);
    const { proposals } = await collect(maker.make(holeRequest({ n: 1, budget })));
    expect(proposals[0]!.outcome).toBe('made');
    expect(budget.spentUsd).toBeGreaterThan(500 + 120);
    expect(proposals[0]!.costUsd).toBeCloseTo(budget.spentUsd);
  });

  it('is not spent on refusals', async () => {
    const { maker } = await open((_, response) => refuse(response, 503, { message: 'overloaded' }), setting);
    const budget = new TestBudget(10_000);
    const { proposals } = await collect(maker.make(holeRequest({ n: 2, budget })));
    expect(proposals.map(({ outcome, costUsd }) => [outcome, costUsd])).toEqual([
      ['error', 0],
      ['error', 0],
    ]);
    expect([budget.spentUsd, budget.reservedUsd]).toEqual([0, 0]);
  });

  it('counts the longest answer where the server counts no tokens', async () => {
    const { maker } = await open(
      (request, response) => answer(request, response, () => ANSWER, { usage: null }),
      setting,
    );
    const budget: Budget & { spentUsd: number } = new TestBudget(10_000);
    const { proposals } = await collect(maker.make(holeRequest({ n: 1, budget })));
    expect(budget.spentUsd).toBeGreaterThan(500);
    expect(proposals[0]!.tokens.completion).toBeGreaterThan(0);
  });

  it('cannot be capped where no price is known: nothing is sent', async () => {
    const { server, maker } = await open(singly);
    const { error } = await collect(maker.make(holeRequest({ budget: new TestBudget(1) })));
    expect(error).toMatchObject({ code: 'LATHE_USAGE_PRICE_UNKNOWN', remedy: expect.stringContaining('LATHE_PRICES') });
    expect(server.requests).toEqual([]);
  });

  it('counts as 0 without a cap and without a price, and says so', async () => {
    const { maker } = await open(singly);
    const { news, proposals } = await collect(maker.make(holeRequest({ n: 1 })));
    expect(news[0]).toMatchObject({ type: 'phase', detail: 'no price is known for openai:tiny: cost counts as 0' });
    expect(proposals[0]!.costUsd).toBe(0);
  });
});

describe('being stopped', () => {
  it('ends the requests, and throws the reason', async () => {
    const abort = new AbortController();
    let closed = 0;
    const { server, maker } = await open((request, response) => {
      response.once('close', () => closed++);
      if (request.count === 0) refuse(response, 400, { message: 'no n', param: 'n' });
      else if (request.count === 3) abort.abort(new Error('enough'));
    });
    const { error } = await collect(maker.make(holeRequest({ n: 3, signal: abort.signal })));
    expect(error).toMatchObject({ message: 'enough' });
    await expect.poll(() => closed).toBe(4);
    expect(server.requests).toHaveLength(4);
  });

  it('ends the requests when nobody reads the news any more', async () => {
    let closed = 0;
    const { maker } = await open((request, response) => {
      response.once('close', () => closed++);
      if (request.count === 0) return refuse(response, 400, { message: 'no n', param: 'n' });
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chunk({ content: 'hm' }));
    });
    for await (const one of maker.make(holeRequest({ n: 2 }))) if (one.type === 'tokens') break;
    await expect.poll(() => closed).toBe(3);
  });
});
