import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { writeTinyModel } from './__fixtures__/tiny-model.ts';
import { openModel } from './open-model.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('./__fixtures__/on-both-devices.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lathe-webgpu-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Vulkan on the processor, as Debian's chromium brings it. */
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const loader = ['x86_64', 'aarch64'].some((machine) => existsSync(`/usr/lib/${machine}-linux-gnu/libvulkan.so.1`));
const reason = !existsSync(DRIVER)
  ? `there is no ${DRIVER}: apt-get install -y chromium`
  : loader
    ? null
    : 'there is no libvulkan.so.1: apt-get install -y libvulkan1';

describe('a model on WebGPU', () => {
  it.skipIf(reason !== null)(
    `has the gradients, logits, losses and texts it has on the processor${reason === null ? '' : ` (skipped: ${reason})`}`,
    async () => {
      await writeTinyModel(join(folder, 'llama-Q4_1.gguf'), 'llama', 'Q4_1');
      await writeTinyModel(join(folder, 'qwen2-Q8_0.gguf'), 'qwen2', 'Q8_0');
      const { stdout } = await run(process.execPath, [script, folder], {
        env: { ...process.env, VK_ICD_FILENAMES: DRIVER },
      });
      const compared = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { name: string; worst: number | null });
      expect(compared.map(({ name }) => name)).toEqual([
        'llama, 11 gradients',
        'vaswani-2017, 13 gradients',
        'llama, logits',
        'three steps and a validation',
        'llama-Q4_1, log-probabilities',
        'llama-Q4_1, sampled tokens',
        'qwen2-Q8_0, log-probabilities',
        'qwen2-Q8_0, sampled tokens',
      ]);
      // JSON has no infinity: null is one.
      expect(compared.filter(({ worst }) => worst === null || worst > 1e-4)).toEqual([]);
    },
    300_000,
  );

  it('is refused in int8, with the precisions it has', async () => {
    const path = join(folder, 'llama.gguf');
    await writeTinyModel(path, 'llama', 'F32');
    await expect(openModel(path, { device: 'webgpu', precision: 'int8', threads: 1 })).rejects.toMatchObject({
      code: 'LATHE_GRAPH_DEVICE',
      remedy: expect.stringContaining('exact or f32'),
    });
  });
});
