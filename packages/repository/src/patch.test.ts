import { expect, test } from 'vitest';
import { testRepository } from './__fixtures__/git-repository.ts';
import { ignoredFiles } from './ignored.ts';
import { locate } from './location.ts';
import { patchBetween } from './patch.ts';
import { resolveCommit } from './revision.ts';

test('a patch between two commits follows renames and is empty between equal ones', async () => {
  const repository = testRepository({ files: { 'ü.txt': 'one\ntwo\nthree\nfour\nfive\n' } });
  const from = repository.git('rev-parse', 'HEAD').trim();
  repository.git('mv', 'ü.txt', 'new name.txt');
  repository.write('new name.txt', 'one\ntwo\n3\nfour\nfive\n');
  const to = repository.commitAll('renamed');
  const location = await locate(repository.root);
  const patch = await patchBetween(from, to, location);
  expect(patch).toContain('rename from ü.txt\nrename to new name.txt\n');
  expect(patch).toContain('-three\n+3\n');
  expect(await patchBetween(to, to, location)).toBe('');
});

test('ignored files are listed, an ignored folder by its name alone', async () => {
  const repository = testRepository({ files: { '.gitignore': 'node_modules/\n*.log\n', 'kept.log.txt': 'k' } });
  repository.write('node_modules/a/b.js', 'b');
  repository.write('deep/ü.log', 'l');
  repository.write('deep/kept.txt', 'k');
  repository.write('untracked.txt', 'u');
  expect((await ignoredFiles(await locate(repository.root))).sort()).toEqual(['deep/ü.log', 'node_modules/']);
});

test('a revision is resolved to its commit; what names none, or looks like an option, is not found', async () => {
  const repository = testRepository();
  repository.git('tag', '-a', 'v1', '-m', 'one');
  const location = await locate(repository.root);
  expect(await resolveCommit('v1', location)).toBe(repository.git('rev-parse', 'HEAD').trim());
  for (const revision of ['none', '--all', 'HEAD:a.txt', '']) {
    await expect(resolveCommit(revision, location)).rejects.toMatchObject({ code: 'LATHE_NOT_FOUND_REVISION' });
  }
});
