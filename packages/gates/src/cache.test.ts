import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tree } from '@lathe/protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { treeWith } from './__fixtures__/testing.ts';
import { openGateCache } from './cache.ts';
import { defaultGateConfig } from './config.ts';
import { findingsOf } from './findings-of.ts';
import { duplicationFindings, indexOfTree } from './quality/duplication.ts';
import { createScannerPool, type ScannerPool } from './scanners/pool.ts';

let directory: string;
let pool: ScannerPool;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lathe-cache-test-'));
  pool = createScannerPool(1);
});
afterAll(async () => {
  await pool.close();
  await rm(directory, { recursive: true });
});

const config = { ...defaultGateConfig, scanTimeoutMs: 60_000 };
const FILES = {
  'a.js': 'const f = (t) => eval(t);\n',
  'b.js': 'const g = 1; // lathe-ignore code-from-data -- none\n',
  'bad.js': 'const = 1;\n',
  'c.py': 'import yaml\nyaml.load(text)\n',
};
const closedPool: ScannerPool = {
  run: async () => {
    throw new Error('asked again');
  },
  close: async () => undefined,
};

it('gives a second run what the first one found, without asking a scanner', async () => {
  const scope = 'second run';
  const first = await openGateCache({ directory, scope });
  const found = await findingsOf(treeWith(FILES), { config, pool, cache: first });
  await first.save();
  const second = await openGateCache({ directory, scope });
  const scanners = ['rules', 'eslint', 'ruff', 'secrets', 'characters', 'complexity', 'imports'] as const;
  const again = await findingsOf(treeWith(FILES), { config, pool: closedPool, cache: second, scanners });
  expect(again.findings).toEqual(found.findings);
  expect(again.syntaxErrors).toEqual(found.syntaxErrors);
  expect(again.imports).toEqual(found.imports);
  expect(again.suppressed).toEqual(found.suppressed);
  expect(again.findings.map(({ path }) => path)).toEqual(expect.arrayContaining(['a.js', 'c.py']));
});

it('asks again for a file, a path and settings that are new', async () => {
  const cache = await openGateCache({ directory, scope: 'new' });
  const scanners = ['rules'] as const;
  const ask = (files: Record<string, string>, settings = config) =>
    findingsOf(treeWith(files), { config: settings, pool: closedPool, cache, scanners });
  await findingsOf(treeWith(FILES), { config, pool, cache, scanners });
  expect((await ask(FILES)).notLookedFor).toEqual([]);
  expect((await ask({ 'a.js': `${FILES['a.js']}\n` })).notLookedFor).toHaveLength(1);
  expect((await ask({ 'moved.js': FILES['a.js'] })).notLookedFor).toHaveLength(1);
  const other = { ...config, rules: { 'lathe/*': 'off' as const } };
  expect((await ask(FILES, other)).notLookedFor).not.toEqual([]);
});

it('never keeps that a scanner failed', async () => {
  const cache = await openGateCache({ directory, scope: 'failed' });
  const scanners = ['rules'] as const;
  const failed = await findingsOf(treeWith(FILES), { config, pool: closedPool, cache, scanners });
  expect(failed.notLookedFor).not.toEqual([]);
  const asked = await findingsOf(treeWith(FILES), { config, pool, cache, scanners });
  expect(asked.findings.map(({ path }) => path)).toContain('a.js');
});

it('takes a damaged file for an empty cache, and writes a whole one', async () => {
  const scope = 'damaged';
  const first = await openGateCache({ directory, scope });
  const before = new Set(await readdir(directory));
  await findingsOf(treeWith(FILES), { config, pool, cache: first, scanners: ['rules'] });
  await first.save();
  const [name] = (await readdir(directory)).filter((one) => !before.has(one));
  const path = join(directory, name!);
  const whole = await readFile(path);
  const changed = Buffer.from(whole);
  changed[60]! ^= 1;
  for (const damaged of [whole.subarray(0, whole.length / 2), changed, Buffer.alloc(0)]) {
    await writeFile(path, damaged);
    const cache = await openGateCache({ directory, scope });
    expect(cache.report('rules', { path: 'a.js', text: FILES['a.js'], language: 'javascript' }, config)).toBeNull();
    await findingsOf(treeWith(FILES), { config, pool, cache, scanners: ['rules'] });
    await cache.save();
    const again = await openGateCache({ directory, scope });
    expect(again.report('rules', { path: 'a.js', text: FILES['a.js'], language: 'javascript' }, config)).not.toBeNull();
  }
});

it('does not read files of a base whose lines an earlier run has kept', async () => {
  const block = Array.from({ length: 8 }, (_, index) => `const step${index} = compute(${index});`).join('\n');
  const files: Record<string, string> = { 'a.js': `${block}\n`, 'b.js': 'const other = 1;\n', 'notes.txt': block };
  const read: string[] = [];
  const base: Tree = {
    list: async () => Object.keys(files),
    id: async (path) => `id of ${files[path]}`,
    read: async (path) => {
      read.push(path);
      return path in files ? Buffer.from(files[path]!) : null;
    },
  };
  const copies = async (): Promise<string[]> => {
    const cache = await openGateCache({ directory, scope: 'lines' });
    const index = await indexOfTree(base, config, cache);
    await cache.save();
    const copy = { path: 'c.js', text: `${block}\n`, language: 'javascript' as const };
    return duplicationFindings(index, [copy], config).map(({ message }) => message);
  };
  expect(await copies()).toEqual(['8 lines stand in a.js:1-8 too']);
  expect(read).toEqual(['a.js', 'b.js']);
  read.length = 0;
  expect(await copies()).toEqual(['8 lines stand in a.js:1-8 too']);
  expect(read).toEqual([]);
  files['b.js'] = 'const changed = 1;\n';
  await copies();
  expect(read).toEqual(['b.js']);
});
