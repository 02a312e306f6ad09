import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeTinyModel } from '../../../transformer/src/__fixtures__/tiny-model.ts';
import { acquire, release } from './shared-models.ts';

let folder: string;
let modelPath: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-shared-'));
  modelPath = join(folder, 'tiny.gguf');
  await writeTinyModel(modelPath, 'llama', 'Q8_0');
});
afterAll(() => rm(folder, { recursive: true }));

const ASK = { prompt: [65, 66, 67], n: 1, maxTokens: 2 };

it('a model is opened once for all who ask for it, and closed by the last', async () => {
  const opening = { modelPath, threads: 1 };
  const [one, other] = await Promise.all([acquire(opening), acquire(opening)]);
  expect(other).toBe(one);
  await release(opening);
  expect((await one.model.generate(ASK)).rows).toHaveLength(1);
  await release(opening);
  await expect(one.model.generate(ASK)).rejects.toMatchObject({ code: 'LATHE_MODEL_WORKER' });

  const again = await acquire(opening);
  expect(again).not.toBe(one);
  expect((await again.model.generate(ASK)).rows).toHaveLength(1);
  await release(opening);
});

it('a model that could not be opened is tried again', async () => {
  const opening = { modelPath: join(folder, 'later.gguf'), threads: 1 };
  await expect(acquire(opening)).rejects.toThrow();
  await writeTinyModel(opening.modelPath, 'llama', 'Q8_0');
  expect((await acquire(opening)).model.contextSize).toBe(256);
  await release(opening);
});
