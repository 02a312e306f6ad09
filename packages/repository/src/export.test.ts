import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryAt, temporaryDirectory, testRepository } from './__fixtures__/git-repository.ts';
import { openRepository } from './repository.ts';

async function exported(root: string, commit = 'HEAD') {
  const directory = join(temporaryDirectory(), 'ex port');
  const report = await (await openRepository(root)).exportTree(commit, directory);
  const read = (path: string) => readFileSync(join(directory, path), 'utf8');
  return { directory, report, read };
}

test('writes files, executable bits and links as the commit has them, whatever the checkout holds', async () => {
  const repository = testRepository({ files: { 'src/ü b.txt': 'x\n', 'empty.txt': '' } });
  repository.write('bin/run', '#!/bin/sh\n', 0o755);
  symlinkSync('../empty.txt', join(repository.root, 'bin/link'));
  repository.commitAll('more');
  repository.write('src/ü b.txt', 'later');
  repository.write('untracked.txt', 'u');
  const { directory, report, read } = await exported(repository.root);
  expect(report).toEqual({ files: 4, notExported: [] });
  expect((await readdir(directory, { recursive: true })).sort()).toEqual(
    ['bin', 'bin/run', 'bin/link', 'empty.txt', 'src', 'src/ü b.txt'].sort(),
  );
  expect(read('src/ü b.txt')).toBe('x\n');
  expect(statSync(join(directory, 'bin/run')).mode & 0o111).toBe(0o111);
  expect(statSync(join(directory, 'empty.txt')).mode & 0o111).toBe(0);
  expect(readlinkSync(join(directory, 'bin/link'))).toBe('../empty.txt');
});

test('exports names that are not UTF-8 and contents of every byte', async () => {
  const repository = testRepository();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const name = Buffer.concat([Buffer.from(`${repository.root}/caf`), Buffer.from([0xe9])]);
  writeFileSync(name, bytes);
  repository.commitAll('latin-1');
  const { directory, report } = await exported(repository.root);
  expect(report.files).toBe(2);
  expect(readFileSync(Buffer.concat([Buffer.from(`${directory}/caf`), Buffer.from([0xe9])]))).toEqual(bytes);
});

test('does not write into a folder that holds a file of that name', async () => {
  const repository = testRepository();
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.txt'), 'mine');
  await expect((await openRepository(repository.root)).exportTree('HEAD', directory)).rejects.toMatchObject({
    code: 'EEXIST',
  });
  expect(readFileSync(join(directory, 'a.txt'), 'utf8')).toBe('mine');
});

test('a tree forged with names git refuses is exported without them', async () => {
  const repository = testRepository();
  const blob = repository.git('hash-object', '-w', 'a.txt').trim();
  const forge = (name: string) => {
    const file = join(temporaryDirectory(), 'tree');
    writeFileSync(
      file,
      Buffer.concat([
        Buffer.from(`100644 ${name}\0`),
        Buffer.from(blob, 'hex'),
        Buffer.from('100644 ok.txt\0'),
        Buffer.from(blob, 'hex'),
      ]),
    );
    return repository.git('hash-object', '-w', '-t', 'tree', '--literally', file).trim();
  };
  for (const name of ['..', '.git']) {
    const commit = repository.git('commit-tree', '-m', 'forged', forge(name)).trim();
    const { directory, report } = await exported(repository.root, commit);
    expect(await readdir(directory)).toEqual(['ok.txt']);
    expect(report.notExported).toEqual([{ path: name, why: expect.any(String) }]);
  }
});

test("takes a submodule's files from the checkout, at the commit the tree names", async () => {
  const inner = testRepository({ files: { 'inner.txt': 'inner' } });
  const library = testRepository({ files: { 'lib.txt': 'v1' } });
  library.git('submodule', '--quiet', 'add', inner.root, 'deep/inner');
  library.commitAll('nested submodule');
  const repository = testRepository();
  repository.git('submodule', '--quiet', 'add', library.root, 'vendor/lib ü');
  repository.commitAll('with submodule');
  repository.git('submodule', '--quiet', 'update', '--init', '--recursive');
  repositoryAt(join(repository.root, 'vendor/lib ü')).write('lib.txt', 'dirty');
  const { report, read } = await exported(repository.root);
  expect(report.notExported).toEqual([]);
  expect(read('vendor/lib ü/lib.txt')).toBe('v1');
  expect(read('vendor/lib ü/deep/inner/inner.txt')).toBe('inner');
});

test('a submodule that is not initialised is an empty folder, and the report says so', async () => {
  const library = testRepository();
  const repository = testRepository();
  repository.git('submodule', '--quiet', 'add', library.root, 'lib');
  repository.commitAll('with submodule');
  repository.git('submodule', '--quiet', 'deinit', '-f', 'lib');
  const { directory, report } = await exported(repository.root);
  expect(await readdir(join(directory, 'lib'))).toEqual([]);
  expect(report.notExported).toEqual([{ path: 'lib', why: 'the submodule is not initialised' }]);
});

function lfsPointer(content: string): { pointer: string; sha256: string } {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${content.length}\n`;
  return { pointer, sha256 };
}

test('replaces Git LFS pointers by their objects, from the store or the checkout, and names those it lacks', async () => {
  const [stored, checkedOut, missing] = [lfsPointer('stored'), lfsPointer('checked out'), lfsPointer('missing')];
  const repository = testRepository({
    files: { 'stored.bin': stored.pointer, 'checked-out.bin': checkedOut.pointer, 'missing.bin': missing.pointer },
  });
  const object = join(
    repository.root,
    '.git/lfs/objects',
    stored.sha256.slice(0, 2),
    stored.sha256.slice(2, 4),
    stored.sha256,
  );
  mkdirSync(dirname(object), { recursive: true });
  writeFileSync(object, 'stored');
  repository.write('checked-out.bin', 'checked out');
  repository.write('missing.bin', 'MISSING');
  const { report, read } = await exported(repository.root);
  expect(read('stored.bin')).toBe('stored');
  expect(read('checked-out.bin')).toBe('checked out');
  expect(read('missing.bin')).toBe(missing.pointer);
  expect(report.notExported).toEqual([{ path: 'missing.bin', why: expect.stringContaining('LFS') }]);
});

test('an LFS object whose content was changed is not taken', async () => {
  const { pointer, sha256 } = lfsPointer('right');
  const repository = testRepository({ files: { 'x.bin': pointer } });
  const object = join(repository.root, '.git/lfs/objects', sha256.slice(0, 2), sha256.slice(2, 4), sha256);
  mkdirSync(dirname(object), { recursive: true });
  writeFileSync(object, 'wrong');
  const { report } = await exported(repository.root);
  expect(report.notExported).toHaveLength(1);
});

test('works from a shallow clone', async () => {
  const source = testRepository();
  source.write('b.txt', 'b');
  source.commitAll('second');
  const clone = join(temporaryDirectory(), 'clone');
  source.git('clone', '-q', '--depth=1', `file://${source.root}`, clone);
  rmSync(join(clone, 'b.txt'));
  const { read, directory } = await exported(clone);
  expect(read('b.txt')).toBe('b');
  expect(lstatSync(directory).isDirectory()).toBe(true);
});
