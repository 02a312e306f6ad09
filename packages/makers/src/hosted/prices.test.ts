import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpointOf } from './endpoint.ts';
import { factsOf } from './prices.ts';

const MILLION = 1_000_000;
const openai = endpointOf('openai', 'gpt-4o-mini', { OPENAI_API_KEY: 'k' });
const own = endpointOf('openai', 'gpt-4o-mini', { OPENAI_BASE_URL: 'http://localhost:1/v1' });
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lathe-prices-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function file(content: string): Promise<string> {
  const path = join(directory, 'prices.json');
  await writeFile(path, content);
  return path;
}

describe('published prices', () => {
  it('know gpt-4o-mini: 0.15 and 0.60 dollars a million tokens, 0.075 where cached', async () => {
    const { priceUsd, contextTokens } = await factsOf(openai, undefined);
    const usage = { promptTokens: MILLION, cachedTokens: MILLION / 2, completionTokens: MILLION };
    expect(priceUsd!(usage)).toBeCloseTo(0.075 + 0.0375 + 0.6, 9);
    expect(contextTokens).toBe(128_000);
  });

  it('are never those of a model of the same name on a server of one’s own', async () => {
    expect(await factsOf(own, undefined)).toMatchObject({ priceUsd: null, contextTokens: null });
  });

  it('are null for a model they do not list', async () => {
    const endpoint = endpointOf('openai', 'not-a-model', { OPENAI_API_KEY: 'k' });
    expect((await factsOf(endpoint, undefined)).priceUsd).toBeNull();
  });

  it('rise with every kind of token, so that a bound on tokens bounds the cost', async () => {
    for (const [provider, name, variable] of [
      ['openai', 'gpt-5-mini', 'OPENAI_API_KEY'],
      ['anthropic', 'claude-sonnet-4-5', 'ANTHROPIC_API_KEY'],
      ['google', 'gemini-2.5-pro', 'GEMINI_API_KEY'],
    ] as const) {
      const { priceUsd } = await factsOf(endpointOf(provider, name, { [variable]: 'k' }), undefined);
      let last = 0;
      for (const tokens of [1_000, 100_000, 199_999, 200_001, 400_000]) {
        const usd = priceUsd!({ promptTokens: tokens, cachedTokens: 0, completionTokens: tokens });
        expect(usd).toBeGreaterThan(last);
        expect(priceUsd!({ promptTokens: tokens, cachedTokens: tokens / 2, completionTokens: tokens })).toBeLessThan(
          usd,
        );
        last = usd;
      }
    }
  });
});

describe('prices of one’s own', () => {
  it('come first', async () => {
    const path = await file(
      '{"openai:gpt-4o-mini": {"inputUsdPerMillionTokens": 2, "outputUsdPerMillionTokens": 3, "contextTokens": 9000}}',
    );
    const facts = await factsOf(own, path);
    expect(facts.priceUsd!({ promptTokens: MILLION, cachedTokens: MILLION, completionTokens: MILLION })).toBe(5);
    expect(facts.contextTokens).toBe(9_000);
    expect(facts.priceSource).toContain(path);
  });

  it('leave the other models as published', async () => {
    const path = await file('{"openai:other": {"inputUsdPerMillionTokens": 2, "outputUsdPerMillionTokens": 3}}');
    expect((await factsOf(openai, path)).priceSource).toBe('published prices of OpenAI');
  });

  it.each([
    ['no JSON', '{'],
    ['no table', '[]'],
    ['a negative price', '{"openai:m": {"inputUsdPerMillionTokens": -1, "outputUsdPerMillionTokens": 1}}'],
    ['an unknown field', '{"openai:m": {"inputUsdPerMillionTokens": 1, "outputUsdPerMillionTokens": 1, "price": 1}}'],
    ['half a price', '{"openai:m": {"inputUsdPerMillionTokens": 1}}'],
  ])('are refused where the file holds %s', async (_, content) => {
    await expect(factsOf(own, await file(content))).rejects.toMatchObject({ code: 'LATHE_USAGE_PRICES' });
  });

  it('are refused where there is no file', async () => {
    await expect(factsOf(own, join(directory, 'none.json'))).rejects.toMatchObject({ code: 'LATHE_USAGE_PRICES' });
  });
});
