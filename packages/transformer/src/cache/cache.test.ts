import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinyModel } from '../__fixtures__/tiny-model.ts';
import { type Model, openModel } from '../open-model.ts';
import type { Precision } from '../precision.ts';
import type { ModelCache } from '../worker-protocol.ts';
import { DiskCache } from './disk-cache.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-cache-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let places = 0;
const place = () => join(folder, String(places++));
const cacheAt = (at: string): ModelCache => ({ folder: at, convertedBytes: 1e9, prefixBytes: 1e9 });
const entriesOf = (at: string) => readdir(at).catch((): string[] => []);

async function tinyModel(): Promise<string> {
  const path = `${place()}.gguf`;
  await writeTinyModel(path, 'llama', 'Q8_0');
  return path;
}

async function withModel<T>(
  path: string,
  cache: ModelCache | null,
  use: (model: Model) => Promise<T>,
  precision: Precision = 'int8',
) {
  const model = await openModel(path, { threads: 1, precision, cache });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

const prompt = Array.from({ length: 300 }, (_, i) => (i * 37) % 256);
const contextSize = 256;
const ask = (model: Model, length = 200) =>
  model.generate({ prompt: prompt.slice(0, length), n: 3, seed: 4, maxTokens: 20, temperature: 1, topP: 1 });

describe('a converted model', () => {
  it.each(['int8', 'f32', 'exact'] as const)(
    'in %s computes from the cache what it computes without',
    async (precision) => {
      const path = await tinyModel();
      const cache = cacheAt(place());
      const without = await withModel(path, null, ask, precision);
      const first = await withModel(path, cache, ask, precision);
      expect(await entriesOf(join(cache.folder, 'converted'))).toHaveLength(1);
      await rm(join(cache.folder, 'prefixes'), { recursive: true });
      const second = await withModel(path, cache, ask, precision);
      expect(first.rows).toEqual(without.rows);
      expect(second.rows).toEqual(without.rows);
      expect(await entriesOf(join(cache.folder, 'converted'))).toHaveLength(1);
    },
  );

  it('is made anew for another precision, another window, and a file that changed', async () => {
    const path = await tinyModel();
    const cache = cacheAt(place());
    const count = async () => (await entriesOf(join(cache.folder, 'converted'))).length;
    await withModel(path, cache, ask);
    await withModel(path, cache, ask, 'f32');
    expect(await count()).toBe(2);
    await (await openModel(path, { threads: 1, precision: 'int8', cache, contextSize: contextSize / 2 })).close();
    expect(await count()).toBe(3);
    await writeFile(path, await readFile(path));
    await withModel(path, cache, ask);
    expect(await count()).toBe(4);
  });

  it.each([
    ['cut', (file: string) => truncate(file, 1000)],
    ['changed by one byte', flipOneByte],
    ['gone', (file: string) => rm(file)],
  ])('whose weights are %s is thrown away and made again', async (_, damage) => {
    const path = await tinyModel();
    const cache = cacheAt(place());
    const good = await withModel(path, cache, ask);
    const [key] = await entriesOf(join(cache.folder, 'converted'));
    const weights = join(cache.folder, 'converted', key!, 'weights.bin');
    const before = await readFile(weights);
    await damage(weights);
    await rm(join(cache.folder, 'prefixes'), { recursive: true });
    expect((await withModel(path, cache, ask)).rows).toEqual(good.rows);
    expect(await readFile(weights)).toEqual(before);
  });

  it('opens all the same, and says so, where nothing can be kept', async () => {
    const path = await tinyModel();
    const blocked = place();
    await writeFile(blocked, 'a file where the folder should be');
    const trouble = await withModel(path, cacheAt(blocked), async (model) => {
      await ask(model);
      return model.cacheTrouble;
    });
    expect(trouble).toContain(blocked);
    const small = await withModel(
      path,
      { ...cacheAt(place()), convertedBytes: 10 },
      async (model) => model.cacheTrouble,
    );
    expect(small).toContain('it may take 10 bytes');
  });

  it('is its owner’s alone', async () => {
    const cache = cacheAt(place());
    await withModel(await tinyModel(), cache, ask);
    const modes = [join(cache.folder, 'converted'), join(cache.folder, 'prefixes')].map(
      async (at) => (await stat(at)).mode & 0o777,
    );
    expect(await Promise.all(modes)).toEqual([0o700, 0o700]);
    const [block] = await entriesOf(join(cache.folder, 'prefixes'));
    expect((await stat(join(cache.folder, 'prefixes', block!, 'block'))).mode & 0o777).toBe(0o600);
  });
});

async function flipOneByte(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(file, bytes);
}

describe('a prompt read before', () => {
  it.each(['int8', 'f32'] as const)(
    'gives the same text in %s, from memory and from disk, and is not read again',
    async (precision) => {
      const path = await tinyModel();
      const cache = cacheAt(place());
      const fresh = await withModel(path, null, ask, precision);
      expect(fresh.timings.promptTokensRead).toBe(200);
      await withModel(path, cache, ask, precision);
      const fromDisk = await withModel(path, cache, ask, precision);
      expect(fromDisk.rows).toEqual(fresh.rows);
      expect(fromDisk.timings.promptTokensRead).toBe(72);

      const model = await openModel(path, { threads: 1, precision, promptMemoryBytes: 1e8 });
      expect((await ask(model)).timings.promptTokensRead).toBe(200);
      const fromMemory = await ask(model);
      expect(fromMemory.rows).toEqual(fresh.rows);
      expect(fromMemory.timings.promptTokensRead).toBe(72);
      await model.close();
    },
  );

  it('is taken up to the last whole block it shares with the next', async () => {
    const path = await tinyModel();
    const other = [...prompt.slice(0, 150), ...prompt.slice(0, 60)];
    const alone = await withModel(path, null, (model) => model.generate({ prompt: other, n: 2, maxTokens: 10 }));
    const model = await openModel(path, { threads: 1, precision: 'int8', promptMemoryBytes: 1e8 });
    await ask(model);
    const shared = await model.generate({ prompt: other, n: 2, maxTokens: 10 });
    expect(shared.timings.promptTokensRead).toBe(other.length - 128);
    expect(shared.rows).toEqual(alone.rows);
    // Of a prompt of whole blocks the last is read again: what may follow it is not kept.
    expect((await model.generate({ prompt: prompt.slice(0, 128), n: 1, maxTokens: 2 })).timings.promptTokensRead).toBe(
      128,
    );
    await model.close();
  });

  it('is read again where memory for it is used up', async () => {
    const model = await openModel(await tinyModel(), { threads: 1, precision: 'int8', promptMemoryBytes: 40_000 });
    await ask(model);
    expect((await ask(model)).timings.promptTokensRead).toBe(200);
    await model.close();
  });

  it('is not written where prompts are not to be kept, and is read again where it is damaged', async () => {
    const path = await tinyModel();
    const none = { ...cacheAt(place()), prefixBytes: 0 };
    await withModel(path, none, ask);
    expect(await entriesOf(join(none.folder, 'prefixes'))).toEqual([]);

    const cache = cacheAt(place());
    const good = await withModel(path, cache, ask);
    const [block] = await entriesOf(join(cache.folder, 'prefixes'));
    await flipOneByte(join(cache.folder, 'prefixes', block!, 'block'));
    const again = await withModel(path, cache, ask);
    expect(again.timings.promptTokensRead).toBe(200);
    expect(again.rows).toEqual(good.rows);
  });
});

describe('the disk cache', () => {
  const write = (bytes: number) => (at: string) => writeFile(join(at, 'data'), Buffer.alloc(bytes));

  it('removes what has not been used for the longest time', async () => {
    const root = place();
    const cache = new DiskCache(root, 250);
    for (const key of ['a', 'b']) await cache.store(key, 100, write(100));
    await utimes(join(root, 'a', 'entry.json'), 1, 1);
    await utimes(join(root, 'b', 'entry.json'), 2, 2);
    expect(await cache.find('a')).toBe(join(root, 'a'));
    await cache.store('c', 100, write(100));
    expect((await readdir(root)).sort()).toEqual(['a', 'c']);
  });

  it('leaves nothing of an entry whose writing failed', async () => {
    const root = place();
    const cache = new DiskCache(root, 250);
    const failed = await cache.store('a', 100, async (at) => {
      await write(10)(at);
      throw new Error('ENOSPC: no space left on device');
    });
    expect(failed).toBeNull();
    expect(cache.trouble).toContain('ENOSPC');
    expect(await readdir(root)).toEqual([]);
  });

  it('takes what another process wrote meanwhile', async () => {
    const root = place();
    const [one, other] = [new DiskCache(root, 1e6), new DiskCache(root, 1e6)];
    const both = await Promise.all([one.store('a', 10, write(10)), other.store('a', 10, write(10))]);
    expect(both).toEqual([join(root, 'a'), join(root, 'a')]);
    expect(await readdir(root)).toEqual(['a']);
  });

  it('removes what processes that are gone left half written', async () => {
    const root = place();
    const cache = new DiskCache(root, 1e6);
    await cache.store('a', 10, write(10));
    const left = join(root, '.b-0123');
    await new DiskCache(left, 1e6).store('x', 10, write(10));
    await utimes(left, 1, 1);
    await cache.store('c', 10, write(10));
    expect((await readdir(root)).sort()).toEqual(['a', 'c']);
  });
});
