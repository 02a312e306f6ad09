import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RequestLimiter } from './hosted/limiter.ts';
import { defaultModelId, openMaker } from './open-maker.ts';

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

it('opens a file of one’s own, and says what is not there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lathe-open-'));
  try {
    const file = join(directory, 'own.gguf');
    await writeFile(file, 'read when the first candidate is made');
    const maker = await openMaker(`local:${file}`, options);
    expect(maker.model).toBe(`local:${file}`);
    await maker.close();
    await expect(openMaker(`local:${directory}/none.gguf`, options)).rejects.toMatchObject({
      code: 'LATHE_NOT_FOUND_MODEL_FILE',
    });
    await expect(openMaker('local:no-such-model', options)).rejects.toMatchObject({ code: 'LATHE_NOT_FOUND_MODEL' });
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('opens an agent whose program is installed, and says which is not', async () => {
  const environment = { PATH: '/usr/bin:/bin' };
  expect((await openMaker('agent:cat {promptFile}', { ...options, environment })).model).toBe('agent:cat {promptFile}');
  await expect(openMaker('agent:codex', { ...options, environment })).rejects.toMatchObject({
    code: 'LATHE_NOT_FOUND_AGENT',
    message: expect.stringContaining('codex'),
  });
});

it('takes a local model where none is named', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lathe-open-'));
  try {
    expect(await defaultModelId({ XDG_CACHE_HOME: directory })).toBe('local:smollm2-135m');
  } finally {
    await rm(directory, { recursive: true });
  }
});

it.each([
  ['openai:x', 'LATHE_MAX_OUTPUT_TOKENS', '0'],
  ['agent:true', 'LATHE_AGENT_SECONDS', '1.5'],
  ['agent:true', 'LATHE_AGENT_CONCURRENCY', 'many'],
])('with %s refuses %s=%s', async (id, name, value) => {
  const environment = { PATH: '/usr/bin:/bin', OPENAI_API_KEY: 'k', [name]: value };
  await expect(openMaker(id, { ...options, environment })).rejects.toMatchObject({
    code: 'LATHE_USAGE_SETTING',
    message: expect.stringContaining(name),
  });
});
