import { readFile } from 'node:fs/promises';
import { LatheError } from '@lathe/protocol';
import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';

/** What a request used. `cachedTokens` are part of `promptTokens`. */
export interface Usage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** What is known of a model before it is asked. */
export interface ModelFacts {
  /** Dollars for a usage, or null where nobody has told the price. */
  readonly priceUsd: ((usage: Usage) => number) | null;
  /** Where the price comes from, in words. */
  readonly priceSource: string;
  /** Tokens of prompt and answer together; null where not known. */
  readonly contextTokens: number | null;
}

const OwnFacts = z.strictObject({
  inputUsdPerMillionTokens: z.number().min(0),
  outputUsdPerMillionTokens: z.number().min(0),
  cachedInputUsdPerMillionTokens: z.number().min(0).optional(),
  contextTokens: z.int().positive().optional(),
});
const OwnPrices = z.record(z.string(), OwnFacts);

/**
 * Price and window of a model: from the JSON file that LATHE_PRICES names, else from the table of the package
 * `genai-prices` (Pydantic), which carries each provider's published prices, tiers and dates. Its table is found by
 * the address requests go to, so a server of one's own never gets the price of a provider's model of the same name.
 */
export async function factsOf(endpoint: Endpoint, pricesFile: string | undefined): Promise<ModelFacts> {
  const own = pricesFile === undefined ? undefined : (await readOwnPrices(pricesFile))[endpoint.model];
  const listed = await listedFacts(endpoint);
  if (own === undefined) return listed;
  const cached = own.cachedInputUsdPerMillionTokens ?? own.inputUsdPerMillionTokens;
  return {
    priceUsd: ({ promptTokens, cachedTokens, completionTokens }) =>
      ((promptTokens - cachedTokens) * own.inputUsdPerMillionTokens +
        cachedTokens * cached +
        completionTokens * own.outputUsdPerMillionTokens) /
      1e6,
    priceSource: `LATHE_PRICES (${pricesFile})`,
    contextTokens: own.contextTokens ?? listed.contextTokens,
  };
}

async function listedFacts({ baseUrl, modelName }: Endpoint): Promise<ModelFacts> {
  const { calcPrice, findProvider } = await import('@pydantic/genai-prices');
  const none: ModelFacts = { priceUsd: null, priceSource: 'no price is known', contextTokens: null };
  const provider = findProvider({ providerApiUrl: baseUrl.href });
  if (provider === undefined) return none;
  const options = { provider };
  const sample = calcPrice({ input_tokens: 1, output_tokens: 1 }, modelName, options);
  if (sample === null) return none;
  return {
    priceUsd: ({ promptTokens, cachedTokens, completionTokens }) => {
      const usage = {
        input_tokens: promptTokens,
        cache_read_tokens: Math.min(cachedTokens, promptTokens),
        output_tokens: completionTokens,
      };
      const result = calcPrice(usage, modelName, options);
      if (result === null) throw new Error(`internal: the price of ${modelName} is gone`);
      return result.total_price;
    },
    priceSource: `published prices of ${provider.name}`,
    contextTokens: sample.model.context_window ?? null,
  };
}

async function readOwnPrices(path: string): Promise<z.infer<typeof OwnPrices>> {
  const remedy = `write it like {"openai:NAME": {"inputUsdPerMillionTokens": 0.5, "outputUsdPerMillionTokens": 1.5}}`;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new LatheError('LATHE_USAGE_PRICES', `cannot read ${path}, which LATHE_PRICES names`, {
      remedy: 'correct or unset LATHE_PRICES',
      cause: error,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LatheError('LATHE_USAGE_PRICES', `${path} is not JSON`, { remedy, cause: error });
  }
  const prices = OwnPrices.safeParse(value);
  if (prices.success) return prices.data;
  throw new LatheError('LATHE_USAGE_PRICES', `${path}: ${z.prettifyError(prices.error).replaceAll('\n', ' ')}`, {
    remedy,
  });
}
