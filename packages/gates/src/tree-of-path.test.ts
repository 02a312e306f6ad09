import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defaultGateConfig } from './config.ts';
import { sourceFiles } from './source-files.ts';
import { treeOfPath } from './tree-of-path.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'lathe-tree-test-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function folder(name: string): string {
  const at = join(root, name);
  mkdirSync(at);
  return at;
}

it('follows no link, and says how many there were', async () => {
  const at = folder('links');
  writeFileSync(join(at, 'a.js'), 'x;\n');
  symlinkSync('.', join(at, 'loop'));
  symlinkSync('self', join(at, 'self'));
  const tree = await treeOfPath(at);
  expect(await tree.list()).toEqual(['a.js']);
  expect(await tree.unseen()).toEqual([{ what: 'what symbolic links lead to', why: '2 of them were not followed' }]);
});

it('names pipes and submodules it leaves out', async () => {
  const at = folder('odd');
  execFileSync('mkfifo', [join(at, 'pipe.js')]);
  mkdirSync(join(at, 'module'));
  writeFileSync(join(at, 'module/.git'), 'gitdir: ../.git/modules/module\n');
  writeFileSync(join(at, 'module/a.js'), 'eval(x);\n');
  const tree = await treeOfPath(at);
  expect(await tree.list()).toEqual([]);
  expect((await tree.unseen()).map(({ what }) => what).sort()).toEqual([
    'weaknesses in module/',
    'weaknesses in pipe.js',
  ]);
});

it('reads a file whose name is no UTF-8', async () => {
  const at = folder('names');
  writeFileSync(Buffer.concat([Buffer.from(join(at, 'caf')), Buffer.from([0xe9]), Buffer.from('.js')]), 'eval(x);\n');
  const tree = await treeOfPath(at);
  const [shown] = await tree.list();
  expect(shown).toBe('caf\ufffd.js');
  expect(String(await tree.read(shown!))).toBe('eval(x);\n');
  expect(await tree.size!(shown!)).toBe(9);
});

it('measures a file of 200 MB and does not read it', async () => {
  const at = folder('large');
  writeFileSync(join(at, 'data.js'), 'x');
  truncateSync(join(at, 'data.js'), 200_000_000);
  writeFileSync(join(at, 'data.json'), 'x');
  truncateSync(join(at, 'data.json'), 200_000_000);
  const tree = await treeOfPath(at);
  const read: string[] = [];
  const watched = {
    ...tree,
    read: (path: string) => {
      read.push(path);
      return tree.read(path);
    },
  };
  const { files, notLookedFor } = await sourceFiles(watched, defaultGateConfig);
  expect(read).toEqual([]);
  expect(files).toEqual([]);
  expect(notLookedFor).toEqual([
    { what: 'weaknesses in data.js', why: '200000000 bytes, more than 1000000' },
    { what: 'secrets in 1 data file', why: 'larger than 1000000 bytes' },
  ]);
});

it('says of code with a zero byte that it was not looked at', async () => {
  const at = folder('zero');
  writeFileSync(join(at, 'a.js'), '/*\0*/ eval(x);\n');
  writeFileSync(join(at, 'a.bin'), '\0\0');
  const { files, notLookedFor } = await sourceFiles(await treeOfPath(at), defaultGateConfig);
  expect(files).toEqual([]);
  expect(notLookedFor).toEqual([{ what: 'weaknesses in a.js', why: 'it holds a zero byte, as binary files do' }]);
});

it('walks folders that lie deeper than a stack is', async () => {
  const at = folder('deep');
  const path = Array.from({ length: 500 }, () => 'd').join('/');
  mkdirSync(join(at, path), { recursive: true });
  writeFileSync(join(at, path, 'a.js'), 'x;\n');
  expect(await (await treeOfPath(at)).list()).toEqual([`${path}/a.js`]);
});

it.skipIf(process.getuid?.() === 0)('names what this user may not read (not as root, who may)', async () => {
  const at = folder('closed');
  mkdirSync(join(at, 'folder'));
  writeFileSync(join(at, 'file.js'), 'x;\n');
  chmodSync(join(at, 'folder'), 0);
  chmodSync(join(at, 'file.js'), 0);
  const tree = await treeOfPath(at);
  const { notLookedFor } = await sourceFiles(tree, defaultGateConfig);
  expect(notLookedFor).toEqual([{ what: 'weaknesses in file.js', why: 'it cannot be read: EACCES' }]);
  expect(await tree.unseen()).toEqual([{ what: 'weaknesses in folder/', why: 'the folder cannot be opened: EACCES' }]);
  chmodSync(join(at, 'folder'), 0o700);
});

it('refuses what is no file and no folder, in words', async () => {
  const at = folder('roots');
  execFileSync('mkfifo', [join(at, 'pipe')]);
  symlinkSync('self', join(at, 'self'));
  await expect(treeOfPath(join(at, 'pipe'))).rejects.toMatchObject({
    code: 'LATHE_USAGE_PATH',
    message: expect.stringContaining('neither a file nor a folder'),
  });
  await expect(treeOfPath(join(at, 'self'))).rejects.toMatchObject({
    code: 'LATHE_USAGE_PATH',
    message: expect.stringContaining('a link that leads to itself'),
  });
  await expect(treeOfPath(join(at, 'none'))).rejects.toMatchObject({ code: 'LATHE_NOT_FOUND_PATH' });
});

it('takes a link to a file, named itself, for the file', async () => {
  const at = folder('named');
  writeFileSync(join(at, 'a.js'), 'x;\n');
  symlinkSync('a.js', join(at, 'b.js'));
  const tree = await treeOfPath(join(at, 'b.js'));
  expect(await tree.list()).toEqual(['a.js']);
  expect(String(await tree.read('a.js'))).toBe('x;\n');
});
