import type { Endpoint } from './endpoint.ts';
import type { Parameter } from './failure.ts';

/** The least that is asked for where a server takes less and less: below it no answer is worth having. */
const LEAST_OUTPUT_TOKENS = 256;

/** What an endpoint takes, as far as a run has learnt: optimistic at first, and every refusal is remembered. */
export class Abilities {
  /** Most answers of one request. */
  n: number;
  seed = true;
  temperature = true;
  stop = true;
  stream = true;
  streamUsage = true;
  maxTokensName: 'max_tokens' | 'max_completion_tokens';
  maxOutputTokens: number;
  #renamed = false;

  constructor({ provider, baseUrl }: Endpoint, maxOutputTokens: number) {
    this.n = provider === 'openai' ? 32 : 1;
    // OpenAI's newer models refuse the old name, most other servers know only that.
    this.maxTokensName = baseUrl.hostname === 'api.openai.com' ? 'max_completion_tokens' : 'max_tokens';
    this.maxOutputTokens = maxOutputTokens;
  }

  /** Goes without what was refused. False where there is nothing left to go without. */
  withdraw(parameter: Parameter, isTooLarge: boolean): boolean {
    switch (parameter) {
      case 'n':
        this.n = 1;
        return true;
      case 'stream_options':
        this.streamUsage = false;
        return true;
      case 'max_tokens':
        return isTooLarge ? this.#lower() : this.#rename();
      default:
        this[parameter] = false;
        return true;
    }
  }

  #lower(): boolean {
    if (this.maxOutputTokens / 2 < LEAST_OUTPUT_TOKENS) return false;
    this.maxOutputTokens = Math.floor(this.maxOutputTokens / 2);
    return true;
  }

  #rename(): boolean {
    if (this.#renamed) return false;
    this.#renamed = true;
    this.maxTokensName = this.maxTokensName === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
    return true;
  }
}
