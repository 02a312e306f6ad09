import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testRepository } from './__fixtures__/git-repository.ts';
import { openRepository } from './repository.ts';

test('lists files by code unit, without links, and reads contents of any size in the order asked', async () => {
  const repository = testRepository({
    files: { 'b.txt': 'b', 'a/z.txt': 'z', 'a.txt': 'a', 'ü.txt': 'ü', 'Z.txt': 'Z' },
  });
  const large = Buffer.alloc(3_000_000, 'abc\n\0');
  repository.write('large.bin', large);
  repository.write('empty', '');
  symlinkSync('b.txt', join(repository.root, 'link'));
  repository.commitAll('more');
  const lathe = await openRepository(repository.root);
  const tree = lathe.treeAt('HEAD');
  const paths = await tree.list();
  expect(paths).toEqual(['Z.txt', 'a.txt', 'a/z.txt', 'b.txt', 'empty', 'large.bin', 'ü.txt']);
  const contents = await Promise.all(paths.map((path) => tree.read(path)));
  expect(contents.map((content) => content?.length)).toEqual([1, 1, 1, 1, 0, 3_000_000, 2]);
  expect(Buffer.from(contents[5] ?? []).equals(large)).toBe(true);
  expect(await tree.read('link')).toBeNull();
  expect(await tree.read('missing')).toBeNull();
});

test('tells which files are executable', async () => {
  const repository = testRepository({ files: { 'plain.sh': 'a', 'run.sh': 'b' } });
  repository.git('update-index', '--chmod=+x', 'run.sh');
  repository.git('commit', '-qm', 'run');
  const tree = (await openRepository(repository.root)).treeAt('HEAD');
  expect(await Promise.all(['plain.sh', 'run.sh', 'missing'].map((path) => tree.mode(path)))).toEqual([
    '100644',
    '100755',
    null,
  ]);
});

test('tells the ids of contents without reading them', async () => {
  const repository = testRepository({ files: { 'a.txt': 'same', 'b.txt': 'same', 'c.txt': 'other' } });
  const tree = (await openRepository(repository.root)).treeAt('HEAD');
  const [a, b, c, none] = await Promise.all(['a.txt', 'b.txt', 'c.txt', 'missing'].map((path) => tree.id(path)));
  expect(a).toBe(repository.git('rev-parse', 'HEAD:a.txt').trim());
  expect(b).toBe(a);
  expect(c).not.toBe(a);
  expect(none).toBeNull();
});

test('an object that is missing is an error for its reader and no other', async () => {
  const repository = testRepository({ files: { 'a.txt': 'a', 'b.txt': 'b' } });
  const id = repository.git('rev-parse', 'HEAD:a.txt').trim();
  const { rmSync } = await import('node:fs');
  rmSync(join(repository.root, '.git/objects', id.slice(0, 2), id.slice(2)));
  const tree = (await openRepository(repository.root)).treeAt('HEAD');
  const [a, b] = await Promise.allSettled([tree.read('a.txt'), tree.read('b.txt')]);
  expect(a).toMatchObject({ status: 'rejected', reason: { code: 'LATHE_GIT_FAILED' } });
  expect(b).toMatchObject({ status: 'fulfilled' });
});

test('goes on after the reading process was ended', async () => {
  const repository = testRepository();
  const lathe = await openRepository(repository.root);
  expect(String(await lathe.treeAt('HEAD').read('a.txt'))).toContain('one');
  lathe.close();
  expect(String(await lathe.treeAt('HEAD').read('a.txt'))).toContain('one');
  lathe.close();
});
