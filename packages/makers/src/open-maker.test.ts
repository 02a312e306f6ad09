import { expect, it } from 'vitest';
import { RequestLimiter } from './hosted/limiter.ts';
import { openMaker } from './open-maker.ts';

const options = { environment: {}, limiter: new RequestLimiter() };

it.each(['gpt-5', 'openai', 'openai:', 'openai: ', 'mistral:large', ':x', '', 'OpenAI:gpt-5'])(
  'refuses %j and names the forms',
  async (id) => {
    await expect(openMaker(id, options)).rejects.toMatchObject({
      code: 'LATHE_USAGE_MODEL',
      remedy: expect.stringMatching(/local:NAME.*openai:NAME.*anthropic:NAME.*google:NAME.*agent:NAME/),
    });
  },
);

it.each([
  ['openai:gpt-4o-mini', 'OPENAI_API_KEY'],
  ['anthropic:claude-sonnet-4-5', 'ANTHROPIC_API_KEY'],
  ['google:gemini-2.5-pro', 'GEMINI_API_KEY'],
])('opens %s with a key, and without one names the variable', async (id, variable) => {
  const maker = await openMaker(id, { ...options, environment: { [variable]: 'k' } });
  expect(maker.model).toBe(id);
  await maker.close();
  await expect(openMaker(id, options)).rejects.toMatchObject({
    code: 'LATHE_MODEL_KEY',
    message: expect.stringContaining(variable),
  });
});
