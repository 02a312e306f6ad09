import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clearModelCache, modelCache, modelCacheUsage } from './model-cache.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-model-cache-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('is beside the models, as large as the environment says', () => {
  const env = { XDG_CACHE_HOME: folder };
  expect(modelCache(env)).toEqual({ folder: join(folder, 'lathe'), convertedBytes: 4096e6, prefixBytes: 1024e6 });
  expect(modelCache({ ...env, LATHE_PROMPT_CACHE_MB: '0' })).toMatchObject({ convertedBytes: 4096e6, prefixBytes: 0 });
  expect(modelCache({ ...env, LATHE_CONVERTED_CACHE_MB: '0' })).toBeNull();
  expect(() => modelCache({ ...env, LATHE_PROMPT_CACHE_MB: 'much' })).toThrow(
    expect.objectContaining({ code: 'LATHE_USAGE_SETTING' }),
  );
});

it('says what it takes, and goes on demand', async () => {
  const env = { XDG_CACHE_HOME: folder };
  expect((await modelCacheUsage(env)).map(({ entries, bytes }) => [entries, bytes])).toEqual([
    [0, 0],
    [0, 0],
  ]);
  for (const key of ['a', 'b']) {
    await mkdir(join(folder, 'lathe/converted', key), { recursive: true });
    await writeFile(join(folder, 'lathe/converted', key, 'weights.bin'), Buffer.alloc(100));
  }
  await mkdir(join(folder, 'lathe/models'), { recursive: true });
  const [converted] = await modelCacheUsage(env);
  expect(converted).toMatchObject({ what: 'converted models', entries: 2, bytes: 200 });
  await clearModelCache(converted!);
  expect(await readdir(join(folder, 'lathe'))).toEqual(['models']);
});
