import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { treeWith } from './__fixtures__/testing.ts';
import { atLeast, defaultGateConfig } from './config.ts';
import { findingsOf } from './findings-of.ts';
import { createScannerPool, type ScannerPool } from './scanners/pool.ts';

interface Pair {
  readonly name: string;
  readonly language?: string;
  readonly vulnerable: string;
  readonly safe: string;
}
const EXTENSION: Readonly<Record<string, string>> = {
  javascript: 'js',
  typescript: 'ts',
  tsx: 'tsx',
  python: 'py',
  c: 'c',
};
const pairs = ['', 'held-out/', 'held-out-2/', 'held-out-3/'].flatMap((folder) =>
  ['javascript', 'python', 'c'].flatMap((language) =>
    (parse(readFileSync(new URL(`../pairs/${folder}${language}.yml`, import.meta.url), 'utf8')) as Pair[]).map(
      (pair) => ({
        ...pair,
        extension: EXTENSION[pair.language ?? language]!,
      }),
    ),
  ),
);
/** Found by Flawfinder or Cppcheck only. */
const BY_OTHERS = ['off by one'];

let pool: ScannerPool;
beforeAll(() => {
  pool = createScannerPool(2);
});
afterAll(() => pool.close());

async function namesWithFindings(kind: 'vulnerable' | 'safe'): Promise<string[]> {
  const path = (index: number): string => `code-${index}.${pairs[index]!.extension}`;
  const tree = treeWith(Object.fromEntries(pairs.map((pair, index) => [path(index), pair[kind]])));
  const scanners = ['rules', 'eslint', 'ruff', 'secrets'] as const;
  const { findings, notLookedFor } = await findingsOf(tree, {
    config: { ...defaultGateConfig, scanTimeoutMs: 60_000 },
    pool,
    scanners,
  });
  expect(notLookedFor).toEqual([]);
  const found = new Set(
    findings.filter(({ kind, severity }) => kind !== 'quality' && atLeast(severity, 'low')).map((one) => one.path),
  );
  return pairs.flatMap((pair, index) => (found.has(path(index)) ? [pair.name] : []));
}

it('finds every vulnerable snippet of the pairs', async () => {
  const found = new Set(await namesWithFindings('vulnerable'));
  expect(pairs.map(({ name }) => name).filter((name) => !found.has(name))).toEqual(BY_OTHERS);
});

it('says nothing of their safe twins', async () => {
  expect(await namesWithFindings('safe')).toEqual([]);
});
