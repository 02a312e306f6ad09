import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CATALOGUE, type ModelEntry } from './catalogue.ts';
import { defaultModel, listModels, modelInfo, pullModel, resolveModel } from './models.ts';

let folder: string;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-catalogue-'));
  env = { XDG_CACHE_HOME: folder, HF_ENDPOINT: 'http://127.0.0.1:1', PIP_NO_INDEX: '1', PATH: process.env.PATH };
});
afterEach(() => rm(folder, { recursive: true }));

/** A file of the right size and name, as a pull leaves it; sparse, so that it takes no room. */
async function putInCache(entry: ModelEntry): Promise<string> {
  const path = join(folder, 'lathe', 'models', entry.name, entry.fileName);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, '');
  await truncate(path, entry.sizeBytes);
  return path;
}

describe('the catalogue', () => {
  test.each(CATALOGUE)('$name says what it is and where it comes from', (entry) => {
    expect(entry.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(entry.licence).toMatch(/^[A-Za-z0-9.-]+$/);
    expect(entry.fileName).toMatch(/\.gguf$/);
    expect(entry.sources.length).toBeGreaterThan(0);
    for (const source of entry.sources) if (source.kind === 'hub') expect(source.revision).toMatch(/^[0-9a-f]{40}$/);
  });

  test('goes from weak to strong, by names that differ', () => {
    const sizes = CATALOGUE.map((entry) => entry.parametersMillions);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    expect(new Set(CATALOGUE.map((entry) => entry.name)).size).toBe(CATALOGUE.length);
  });
});

describe('the default', () => {
  test('is the smallest where nothing is there', async () => {
    expect(await defaultModel(env)).toEqual({ name: 'smollm2-135m', cached: false });
  });

  test('is the strongest that is there', async () => {
    await putInCache(CATALOGUE[0]!);
    await putInCache(CATALOGUE[1]!);
    expect(await defaultModel(env)).toEqual({ name: 'qwen2.5-coder-0.5b', cached: true });
    const models = await listModels(env);
    expect(models.map((model) => [model.name, model.cached, model.isDefault])).toEqual([
      ['smollm2-135m', true, false],
      ['qwen2.5-coder-0.5b', true, true],
      ['qwen2.5-coder-1.5b', false, false],
    ]);
  });

  test('is not a file that something has cut', async () => {
    await truncate(await putInCache(CATALOGUE[1]!), 1000);
    expect(await defaultModel(env)).toEqual({ name: 'smollm2-135m', cached: false });
  });
});

describe('a model by name or path', () => {
  test('a cached name is its file', async () => {
    const path = await putInCache(CATALOGUE[0]!);
    expect(await resolveModel('smollm2-135m', { env })).toBe(path);
    expect(await modelInfo('smollm2-135m', env)).toMatchObject({ cached: true, path, licence: 'Apache-2.0' });
  });

  test('a path is itself, made absolute', async () => {
    const path = join(folder, 'mine.gguf');
    await writeFile(path, 'GGUF');
    expect(await resolveModel(path)).toBe(path);
  });

  test('a folder that training has written is its model', async () => {
    const trained = join(folder, 'my-model');
    await mkdir(trained);
    await expect(resolveModel(trained)).rejects.toMatchObject({ code: 'LATHE_NOT_FOUND_MODEL_FILE' });
    await writeFile(join(trained, 'model.gguf'), 'GGUF');
    expect(await resolveModel(trained)).toBe(join(trained, 'model.gguf'));
  });

  test.each(['no/such/file.gguf', './nothing', tmpdir()])('%s is not a file', async (path) => {
    await expect(resolveModel(path)).rejects.toMatchObject({ code: 'LATHE_NOT_FOUND_MODEL_FILE' });
  });

  test('an unknown name is answered with the known ones', async () => {
    const problem = {
      code: 'LATHE_NOT_FOUND_MODEL',
      message: expect.stringContaining('smollm2-135m, qwen2.5-coder-0.5b'),
    };
    await expect(resolveModel('gpt-9')).rejects.toMatchObject(problem);
    // A path of the working folder, named as if it were in the catalogue.
    await expect(resolveModel('package.json')).rejects.toMatchObject({
      code: 'LATHE_NOT_FOUND_MODEL',
      remedy: expect.stringContaining('local:./package.json'),
    });
    await expect(pullModel('gpt-9')).rejects.toMatchObject(problem);
    await expect(modelInfo('gpt-9')).rejects.toMatchObject(problem);
  });

  test('a pull that reaches nobody says so', async () => {
    await expect(pullModel('qwen2.5-coder-1.5b', { env })).rejects.toMatchObject({ code: 'LATHE_MODEL_UNREACHABLE' });
  });

  test('a pull stops when asked to', async () => {
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(pullModel('smollm2-135m', { env, signal })).rejects.toThrow('stopped');
  });
});
