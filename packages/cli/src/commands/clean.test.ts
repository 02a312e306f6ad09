import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { repositoryWithHole } from '../testing/repository.ts';
import { runLathe } from '../testing/run-lathe.ts';

const home = mkdtempSync(join(tmpdir(), 'lathe-clean-'));
afterAll(() => rmSync(home, { recursive: true }));

it('clean removes what models were converted into only where it is told to', async () => {
  const entry = join(home, 'lathe/converted/a');
  mkdirSync(entry, { recursive: true });
  writeFileSync(join(entry, 'weights.bin'), Buffer.alloc(2000));
  const cwd = repositoryWithHole().root;
  const env = { XDG_CACHE_HOME: home };
  const clean = async (...flags: string[]) =>
    JSON.parse((await runLathe(['clean', '--json', ...flags], { cwd, env })).stdout);

  expect((await clean()).removed).toEqual([]);
  const removed = [{ what: join(home, 'lathe/converted'), why: expect.stringContaining('2 kB') }];
  expect(await clean('--caches', '--dry-run')).toMatchObject({ removed });
  expect(existsSync(entry)).toBe(true);
  expect(await clean('--caches')).toMatchObject({ removed });
  expect(existsSync(entry)).toBe(false);
  expect((await clean('--caches')).removed).toEqual([]);
});
