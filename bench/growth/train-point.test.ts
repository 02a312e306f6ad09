import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { ByteCorpus } from './corpus.ts';
import type { Point } from './grid.ts';
import { trainPoint } from './train-point.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-growth-'));
afterAll(() => rmSync(folder, { recursive: true }));

const POINT: Point = { nLayer: 1, nEmbd: 16, blockSize: 8, tokens: 300 * 1024, seed: 1, rate: 0.01 };
const LETTERS = Array.from({ length: 6000 }, (_, i) => (i * i + (i >> 4)) % 11);
const CORPUS: ByteCorpus = {
  description: 'squares',
  digest: '0123456789abcdef',
  vocabSize: 11,
  train: Uint16Array.from(LETTERS.slice(0, 4900)),
  validation: Uint16Array.from(LETTERS.slice(4900)),
};

/** The point in a process of its own, which kills itself as soon as it has saved. */
async function killedAfterSaving(directory: string): Promise<void> {
  const program = `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { renameSync } = fs;
    fs.renameSync = (from, to) => {
      renameSync(from, to);
      if (to.endsWith('.spent.json')) process.kill(process.pid, 'SIGKILL');
    };
    syncBuiltinESMExports();
    const { trainPoint } = await import(${JSON.stringify(new URL('./train-point.ts', import.meta.url).href)});
    const corpus = ${JSON.stringify({ ...CORPUS, train: [...CORPUS.train], validation: [...CORPUS.validation] })};
    const typed = { ...corpus, train: Uint16Array.from(corpus.train), validation: Uint16Array.from(corpus.validation) };
    await trainPoint(${JSON.stringify(POINT)}, typed, { directory: ${JSON.stringify(directory)}, threads: 1, trains: true });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'ignore' });
  const signal = await new Promise((resolve) => child.on('close', (_, name) => resolve(name)));
  expect(signal).toBe('SIGKILL');
}

it('goes on after a kill to the same result, and does nothing twice', async () => {
  const whole = mkdtempSync(join(folder, 'whole-'));
  const broken = mkdtempSync(join(folder, 'broken-'));
  const unbroken = await trainPoint(POINT, CORPUS, { directory: whole, threads: 1, trains: true });
  expect(unbroken.fresh).toBe(true);
  await killedAfterSaving(broken);
  expect(
    readdirSync(broken)
      .map((name) => name.slice(name.indexOf('.')))
      .sort(),
  ).toEqual(['.00e-2-s1.safetensors', '.00e-2-s1.spent.json']);

  const resumed = await trainPoint(POINT, CORPUS, { directory: broken, threads: 1, trains: true });
  expect(resumed.result!.bits).toBe(unbroken.result!.bits);
  expect(resumed.result!.bitsBehind).toEqual(unbroken.result!.bitsBehind);
  expect(readdirSync(broken)).toEqual(readdirSync(whole));
  const again = await trainPoint(POINT, CORPUS, { directory: broken, threads: 1, trains: true });
  expect(again).toEqual({ result: resumed.result, fresh: false });
});

it('reports bits by how much stands before, whose mean is the whole', async () => {
  const directory = mkdtempSync(join(folder, 'mean-'));
  const nothing = await trainPoint(POINT, CORPUS, { directory, threads: 1, trains: false });
  expect(nothing).toEqual({ result: null, fresh: false });
  const result = (await trainPoint(POINT, CORPUS, { directory, threads: 1, trains: true })).result!;
  expect(result.bitsBehind.map(({ from, to }) => [from, to])).toEqual([
    [1, 1],
    [2, 3],
    [4, 7],
    [8, 8],
  ]);
  const mean = result.bitsBehind.reduce((sum, { from, to, bits }) => sum + bits * (to - from + 1), 0) / POINT.blockSize;
  expect(mean).toBeCloseTo(result.bits, 10);
  // Eleven letters said by chance cost log₂ 11 = 3.46 bits; these follow a rule.
  expect(result.bits).toBeLessThan(3);
});
