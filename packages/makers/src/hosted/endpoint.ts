import { LatheError } from '@lathe/protocol';

export type Provider = 'openai' | 'anthropic' | 'google';

/** Where a hosted model is asked. */
export interface Endpoint {
  readonly provider: Provider;
  /** As the user gave it: `openai:gpt-5-mini`. */
  readonly model: string;
  /** The provider's own name of the model. */
  readonly modelName: string;
  /** Without credentials, query and trailing slash: fit to be shown. */
  readonly baseUrl: URL;
  /** Variable the base URL can be set with. */
  readonly baseUrlVariable: string;
  readonly apiKey: string | null;
  /** Variable the key was taken from, or is expected in. */
  readonly keyVariable: string;
}

interface ProviderSettings {
  readonly defaultUrl: string;
  readonly baseUrlVariable: string;
  /** The first that is set holds the key. */
  readonly keyVariables: readonly [string, ...string[]];
  /** Path of the interface, for base URLs that are given without one. */
  readonly path: string | null;
}

const PROVIDERS: Readonly<Record<Provider, ProviderSettings>> = {
  openai: {
    defaultUrl: 'https://api.openai.com/v1',
    baseUrlVariable: 'OPENAI_BASE_URL',
    keyVariables: ['OPENAI_API_KEY'],
    path: null,
  },
  anthropic: {
    defaultUrl: 'https://api.anthropic.com/v1',
    baseUrlVariable: 'ANTHROPIC_BASE_URL',
    keyVariables: ['ANTHROPIC_API_KEY'],
    path: '/v1',
  },
  google: {
    defaultUrl: 'https://generativelanguage.googleapis.com/v1beta',
    baseUrlVariable: 'GOOGLE_GEMINI_BASE_URL',
    keyVariables: ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'],
    path: '/v1beta',
  },
};

/**
 * The endpoint of `openai:NAME`, `anthropic:NAME` or `google:NAME`. A key is needed for the providers themselves; a
 * server of one's own may do without.
 *
 * @throws LATHE_USAGE_BASE_URL, LATHE_MODEL_KEY
 */
export function endpointOf(
  provider: Provider,
  modelName: string,
  environment: Readonly<Record<string, string | undefined>>,
): Endpoint {
  const { defaultUrl, baseUrlVariable, keyVariables, path } = PROVIDERS[provider];
  const given = environment[baseUrlVariable]?.trim() || null;
  const baseUrl = shownUrl(given ?? defaultUrl, baseUrlVariable);
  if (baseUrl.pathname === '/' && path !== null) baseUrl.pathname = path;
  const keyVariable = keyVariables.find((name) => environment[name]?.trim()) ?? keyVariables[0];
  const apiKey = environment[keyVariable]?.trim() || null;
  if (apiKey === null && given === null) {
    throw new LatheError('LATHE_MODEL_KEY', `${provider}:${modelName} needs a key in ${keyVariables.join(' or ')}`, {
      remedy: `export ${keyVariable}=…${provider === 'openai' ? ', or set OPENAI_BASE_URL to a server that needs none' : ''}`,
    });
  }
  if (apiKey !== null && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new LatheError('LATHE_MODEL_KEY', `${keyVariable} holds characters that no key has`, {
      remedy: 'copy the key anew, without quotes, spaces or line breaks',
    });
  }
  const model = `${provider}:${modelName}`;
  return { provider, model, modelName, baseUrl, baseUrlVariable, apiKey, keyVariable };
}

function shownUrl(text: string, variable: string): URL {
  const remedy = `set ${variable} to something like ${variable === 'OPENAI_BASE_URL' ? 'http://localhost:8080/v1' : 'https://host/path'}`;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new LatheError('LATHE_USAGE_BASE_URL', `${variable} is no http or https address`, { remedy });
  if (url.username !== '' || url.password !== '' || url.search !== '')
    throw new LatheError('LATHE_USAGE_BASE_URL', `${variable} holds credentials or a query, which are not sent`, {
      remedy: 'give the key in its own variable',
    });
  url.hash = '';
  if (url.pathname.length > 1) url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** For messages: `https://api.openai.com/v1`. */
export function addressOf({ baseUrl }: Endpoint): string {
  return baseUrl.href.replace(/\/$/, '');
}
