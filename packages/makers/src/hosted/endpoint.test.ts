import { describe, expect, it } from 'vitest';
import { addressOf, endpointOf, type Provider } from './endpoint.ts';

describe('endpointOf', () => {
  it.each([
    ['openai', 'https://api.openai.com/v1', 'OPENAI_API_KEY'],
    ['anthropic', 'https://api.anthropic.com/v1', 'ANTHROPIC_API_KEY'],
    ['google', 'https://generativelanguage.googleapis.com/v1beta', 'GOOGLE_GENERATIVE_AI_API_KEY'],
  ] as [Provider, string, string][])('goes to %s itself, with its key', (provider, address, variable) => {
    const endpoint = endpointOf(provider, 'm', { [variable]: 'k' });
    expect(addressOf(endpoint)).toBe(address);
    expect(endpoint).toMatchObject({ model: `${provider}:m`, modelName: 'm', apiKey: 'k', keyVariable: variable });
    expect(() => endpointOf(provider, 'm', {})).toThrow(
      expect.objectContaining({ code: 'LATHE_MODEL_KEY', message: expect.stringContaining(variable) }),
    );
  });

  it('takes Google’s key from either variable, the longer name first', () => {
    expect(endpointOf('google', 'm', { GEMINI_API_KEY: 'b' })).toMatchObject({
      apiKey: 'b',
      keyVariable: 'GEMINI_API_KEY',
    });
    expect(endpointOf('google', 'm', { GEMINI_API_KEY: 'b', GOOGLE_GENERATIVE_AI_API_KEY: 'a' }).apiKey).toBe('a');
  });

  it('needs no key for a server of one’s own', () => {
    const endpoint = endpointOf('openai', 'm', { OPENAI_BASE_URL: 'http://localhost:8080/v1/' });
    expect([addressOf(endpoint), endpoint.apiKey]).toEqual(['http://localhost:8080/v1', null]);
  });

  it.each(['ftp://host/v1', 'localhost:8080', '/v1', 'http://'])('refuses %s as an address', (text) => {
    expect(() => endpointOf('openai', 'm', { OPENAI_BASE_URL: text })).toThrow(
      expect.objectContaining({ code: 'LATHE_USAGE_BASE_URL' }),
    );
  });

  it.each(['two words', 'a\nb', 'schlüssel', '“k”'])(
    'refuses a key that cannot be sent, without showing it: %j',
    (key) => {
      expect(() => endpointOf('openai', 'm', { OPENAI_API_KEY: key })).toThrow(
        expect.objectContaining({
          code: 'LATHE_MODEL_KEY',
          message: 'OPENAI_API_KEY holds characters that no key has',
        }),
      );
    },
  );

  it('refuses credentials in the address without showing them', () => {
    try {
      endpointOf('openai', 'm', { OPENAI_BASE_URL: 'http://me:hush@host/v1?key=hush' });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'LATHE_USAGE_BASE_URL' });
      expect(String(error)).not.toContain('hush');
    }
  });
});
