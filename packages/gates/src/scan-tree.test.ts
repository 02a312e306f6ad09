import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { treeWith } from './__fixtures__/testing.ts';
import { defaultGateConfig } from './config.ts';
import { scanTree } from './scan-tree.ts';
import { createScannerPool, type ScannerPool } from './scanners/pool.ts';
import { treeOfPath } from './tree-of-path.ts';

let pool: ScannerPool;
let folder: string;
beforeAll(async () => {
  pool = createScannerPool(2);
  folder = await mkdtemp(join(tmpdir(), 'lathe-scan-test-'));
  await mkdir(join(folder, 'node_modules/m'), { recursive: true });
  await writeFile(join(folder, 'a.py'), 'def f(t):\n    return eval(t)\n');
  await writeFile(join(folder, 'node_modules/m/i.js'), 'eval(x)');
  await symlink('/etc', join(folder, 'link'));
});
afterAll(async () => {
  await pool.close();
  await rm(folder, { recursive: true });
});
const config = { ...defaultGateConfig, scanTimeoutMs: 60_000 };

it('takes what the folders above declare for declared, up to the root of the repository', async () => {
  const part = join(folder, 'whole/part');
  await mkdir(part, { recursive: true });
  await writeFile(join(part, 'a.js'), "import 'left-pad-of-mine';\n");
  await writeFile(join(part, 'package.json'), '{"name": "part"}');
  await writeFile(join(folder, 'whole/package.json'), '{"dependencies": {"left-pad-of-mine": "1.0.0"}}');
  const rules = async () => {
    const tree = await treeOfPath(part);
    const { findings } = await scanTree(tree, { config, pool, above: await tree.above() });
    return findings.map(({ rule }) => rule);
  };
  expect(await rules()).toEqual(['lathe/undeclared-import']);
  await mkdir(join(folder, 'whole/.git'));
  expect(await rules()).toEqual([]);
  await rm(join(folder, 'whole'), { recursive: true });
});

it('scans a folder without git, and a single file of it', async () => {
  for (const path of [folder, join(folder, 'a.py')]) {
    const document = await scanTree(await treeOfPath(path), { config, pool });
    expect(document).toMatchObject({ schemaVersion: 1, files: 1 });
    expect(document.findings).toEqual([
      expect.objectContaining({
        kind: 'security',
        rule: 'lathe/code-from-data',
        cwe: 'CWE-95',
        severity: 'high',
        confidence: 'medium',
        path: 'a.py',
        line: 2,
      }),
    ]);
    expect(Object.keys(document.findings[0]!)).not.toContain('symbol');
  }
});

it('says that a path does not exist', async () => {
  await expect(treeOfPath(join(folder, 'missing'))).rejects.toMatchObject({ code: 'LATHE_NOT_FOUND_PATH' });
});

it('shows against a base only what was added', async () => {
  const base = treeWith({ 'a.js': 'const f = (t) => eval(t);\n' });
  const tree = treeWith({ 'a.js': '\n\nconst f = (t) => eval(t);\n', 'b.js': 'const g = (t) => eval(t + 1);\n' });
  const document = await scanTree(tree, { config, pool, base });
  expect(new Set(document.findings.map(({ path }) => path))).toEqual(new Set(['b.js']));
});

it('finds names that the lockfile does not have, in a manifest', async () => {
  const document = await scanTree(
    treeWith({
      'package.json': '{"name": "a", "dependencies": {"left": "1", "loadsh": "1", "there": "1"}}',
      'package-lock.json': '{"packages": {"": {}, "node_modules/there": {}}}',
      'requirements.txt': 'requests==2\n',
      'b.py': 'import requests\nimport reqeusts\nimport numpy\nimport os.path\nfrom . import b\n',
    }),
    { config, pool },
  );
  expect(document.findings.map(({ rule, path, evidence }) => [rule, path, evidence])).toEqual(
    [
      ['lathe/look-alike-package', 'b.py', 'reqeusts'],
      ['lathe/undeclared-import', 'b.py', 'numpy'],
      ['lathe/look-alike-package', 'package.json', 'loadsh'],
      ['lathe/not-in-lockfile', 'package.json', 'left'],
    ].sort((a, b) => (a[1]! < b[1]! ? -1 : 1)),
  );
});
