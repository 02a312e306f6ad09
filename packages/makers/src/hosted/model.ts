import type { Abilities } from './abilities.ts';
import type { HostedModel } from './ask.ts';
import { addressOf, type Endpoint } from './endpoint.ts';

/** The AI SDK's model of an endpoint. The key goes from here into request headers and nowhere else. */
export async function openModel(endpoint: Endpoint, abilities: Abilities): Promise<HostedModel> {
  const { provider, modelName, apiKey } = endpoint;
  const baseURL = addressOf(endpoint);
  switch (provider) {
    case 'openai': {
      const { OpenAICompatibleChatLanguageModel } = await import('@ai-sdk/openai-compatible');
      const language = new OpenAICompatibleChatLanguageModel(modelName, {
        provider: 'openai.chat',
        url: ({ path }) => `${baseURL}${path}`,
        headers: apiKey === null ? {} : { Authorization: `Bearer ${apiKey}` },
        includeUsage: true,
        transformRequestBody: (body) => adapted(body, abilities),
      });
      return { language, optionsName: 'openai', convert: (body) => language.convertResponse({ body }) };
    }
    case 'anthropic': {
      const { createAnthropic } = await import('@ai-sdk/anthropic');
      // Without a key the SDK would look for one in the process's own environment.
      const language = createAnthropic({ baseURL, apiKey: apiKey ?? 'none' })(modelName);
      return { language, optionsName: 'anthropic', convert: null };
    }
    case 'google': {
      const { createGoogle } = await import('@ai-sdk/google');
      const language = createGoogle({ baseURL, apiKey: apiKey ?? 'none' })(modelName);
      return { language, optionsName: 'google', convert: null };
    }
  }
}

function adapted(body: Record<string, unknown>, abilities: Abilities): Record<string, unknown> {
  const { max_tokens: maxTokens, stream_options: streamOptions, ...rest } = body;
  return {
    ...rest,
    [abilities.maxTokensName]: maxTokens,
    ...(streamOptions !== undefined && abilities.streamUsage ? { stream_options: streamOptions } : {}),
  };
}
