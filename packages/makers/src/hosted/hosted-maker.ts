import { LatheError, type MakeRequest, type Maker, type MakerNews } from '@lathe/protocol';
import { prepareTask } from '../prepare.ts';
import { Abilities } from './abilities.ts';
import type { HostedModel } from './ask.ts';
import type { Endpoint } from './endpoint.ts';
import type { RequestLimiter } from './limiter.ts';
import { HostedMaking } from './making.ts';
import { openModel } from './model.ts';
import { factsOf, type ModelFacts } from './prices.ts';
import { estimateTokens } from './tokens.ts';

/** Window of a model nobody has told anything about: small enough for most servers of one's own. */
const UNKNOWN_CONTEXT_TOKENS = 32_768;
const DEFAULT_OUTPUT_TOKENS = 8_192;

export interface HostedMakerOptions {
  readonly endpoint: Endpoint;
  readonly limiter: RequestLimiter;
  /** JSON file with prices and windows of one's own. */
  readonly pricesFile?: string;
  /** Longest answer that is asked for. */
  readonly maxOutputTokens?: number;
  /** A server that sends nothing for so long is given up. */
  readonly silenceMs?: number;
}

/**
 * A model behind an HTTP interface. Requests of all makers of a run go through one limiter; money is reserved for the
 * longest possible answer before a request is sent and settled by what it used.
 */
export async function openHostedMaker(options: HostedMakerOptions): Promise<Maker> {
  const facts = await factsOf(options.endpoint, options.pricesFile);
  const room = facts.contextTokens ?? UNKNOWN_CONTEXT_TOKENS;
  const wanted = options.maxOutputTokens ?? DEFAULT_OUTPUT_TOKENS;
  const abilities = new Abilities(options.endpoint, Math.min(wanted, Math.max(256, Math.floor(room / 4))));
  return new HostedMaker(options, facts, abilities, await openModel(options.endpoint, abilities));
}

class HostedMaker implements Maker {
  readonly model: string;
  readonly #options: HostedMakerOptions;
  readonly #facts: ModelFacts;
  readonly #abilities: Abilities;
  readonly #hosted: HostedModel;

  constructor(options: HostedMakerOptions, facts: ModelFacts, abilities: Abilities, hosted: HostedModel) {
    this.model = options.endpoint.model;
    this.#options = options;
    this.#facts = facts;
    this.#abilities = abilities;
    this.#hosted = hosted;
  }

  async *make(request: MakeRequest): AsyncGenerator<MakerNews> {
    const { endpoint, limiter, silenceMs = 290_000 } = this.#options;
    const facts = this.#facts;
    if (facts.priceUsd === null && request.budget.availableUsd !== Number.POSITIVE_INFINITY) {
      throw new LatheError(
        'LATHE_USAGE_PRICE_UNKNOWN',
        `a cost cap needs the price of ${this.model}, and none is known`,
        {
          remedy: `give it in a JSON file that LATHE_PRICES names: {"${this.model}": {"inputUsdPerMillionTokens": …, "outputUsdPerMillionTokens": …}}`,
        },
      );
    }
    const contextTokens = (facts.contextTokens ?? UNKNOWN_CONTEXT_TOKENS) - this.#abilities.maxOutputTokens;
    const prepared = await prepareTask(request.task, request.base, { contextTokens, countTokens: estimateTokens });
    if (prepared.contextTooLong !== undefined) {
      const { tokens } = prepared.contextTooLong;
      throw new LatheError(
        'LATHE_CONTEXT_TOO_LONG',
        `the task takes about ${tokens} tokens, and ${this.model} has room for ${contextTokens} beside its answer`,
        {
          remedy:
            facts.contextTokens === null
              ? `its window is not known and taken as ${UNKNOWN_CONTEXT_TOKENS}: set "contextTokens" for ${this.model} in the file LATHE_PRICES names`
              : 'name fewer or smaller files, or use a model with a larger window',
        },
      );
    }
    yield* new HostedMaking(request, {
      prepared,
      endpoint,
      hosted: this.#hosted,
      abilities: this.#abilities,
      limiter,
      silenceMs,
      priceUsd: facts.priceUsd,
    }).news();
  }

  async close(): Promise<void> {}
}
