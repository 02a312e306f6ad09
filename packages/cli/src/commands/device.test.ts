import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { initRepository } from '../testing/repository.ts';
import { runLathe } from '../testing/run-lathe.ts';

/** No driver is found at these paths, whatever the machine has. */
const NO_GPU = { VK_ICD_FILENAMES: '/nowhere/icd.json', VK_DRIVER_FILES: '/nowhere/icd.json' };

describe.skipIf(process.platform !== 'linux')(
  '--device webgpu without a GPU (Linux: its drivers are named away)',
  () => {
    test('train refuses before it reads a file', async () => {
      const cwd = mkdtempSync(join(tmpdir(), 'lathe-device-'));
      const ended = await runLathe(['train', '--out', 'model', '--device', 'webgpu', '.'], { cwd, env: NO_GPU });
      expect(ended.status).toBe(1);
      expect(ended.stderr).toMatch(/there is no GPU that WebGPU can use.*\n.*→ Leave --device webgpu out/);
      expect(ended.stderr).not.toMatch(/choosing|to learn from/);
    });

    test('make refuses, and records no run', async () => {
      const repository = initRepository();
      repository.write('a.js', 'export const a = 1;\n');
      repository.git('add', '-A');
      repository.git('commit', '-q', '-m', 'First');
      writeFileSync(join(repository.root, 'none.gguf'), '');
      const args = ['make', 'do it', '--check', 'true', '--unsafe-no-sandbox', '--device', 'webgpu'];
      const where = { cwd: repository.root, env: NO_GPU };
      const ended = await runLathe([...args, '--model', 'local:none.gguf'], where);
      expect(ended.status).toBe(1);
      expect(ended.stderr).toContain('there is no GPU that WebGPU can use');
      expect(repository.git('for-each-ref', 'refs/lathe')).toBe('');
      expect(JSON.parse((await runLathe(['list', '--json'], where)).stdout)).toMatchObject({ runs: [] });

      const hosted = await runLathe([...args, '--model', 'openai:some-model'], where);
      expect(hosted.status).toBe(2);
      expect(hosted.stderr).toContain('--device webgpu is for local models; got openai:some-model');
    });

    test('another name is a usage error that names the two', async () => {
      const ended = await runLathe(['score', '--model', 'm', '--device', 'gpu', 'a.js'], { cwd: tmpdir() });
      expect(ended.status).toBe(2);
      expect(ended.stderr).toContain('cpu, webgpu');
    });
  },
);
