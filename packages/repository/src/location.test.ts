import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryAt, temporaryDirectory, testRepository } from './__fixtures__/git-repository.ts';
import { locate } from './location.ts';
import { openRepository } from './repository.ts';

test('finds the root from a folder inside, whatever its name', async () => {
  const repository = testRepository({ name: ' ein Täst\t日本 ', files: { 'src/deep/a.txt': 'x' } });
  const location = await locate(join(repository.root, 'src/deep'));
  expect(location.root).toBe(repository.root);
  expect(location.commonDir).toBe(join(repository.root, '.git'));
  expect(location.shallow).toBe(false);
});

test('a linked worktree shares the common folder and has an index of its own', async () => {
  const repository = testRepository();
  const linked = join(temporaryDirectory(), 'linked tree');
  repository.git('worktree', 'add', '-q', linked, '-b', 'side');
  const location = await locate(linked);
  expect(location.root).toBe(linked);
  expect(location.gitDir).toBe(join(repository.root, '.git/worktrees/linked-tree'));
  expect(location.latheDir).toBe(join(repository.root, '.git/lathe'));
});

test('works in a shallow clone and with SHA-256 objects', async () => {
  const source = testRepository({ init: ['--object-format=sha256'] });
  source.write('a.txt', 'second\n');
  source.commitAll('second');
  const clone = join(temporaryDirectory(), 'clone');
  source.git('clone', '-q', '--depth=1', `file://${source.root}`, clone);
  expect(await locate(clone)).toMatchObject({ shallow: true, objectFormat: 'sha256' });
  const repository = repositoryAt(clone);
  repository.write('a.txt', 'third\n');
  const base = await (await openRepository(clone)).snapshotBase('r1');
  expect(repository.git('rev-parse', `${base.baseCommit}~1`).trim()).toBe(base.headCommit);
});

test.each([
  ['a folder outside any repository', () => temporaryDirectory(), 'LATHE_NOT_A_REPOSITORY', /git init/],
  ['a repository without commits', () => testRepository({ files: {} }).root, 'LATHE_REPOSITORY_EMPTY', /git commit/],
  ['the git folder itself', () => join(testRepository().root, '.git'), 'LATHE_NOT_A_REPOSITORY', /checkout/],
  [
    'a bare repository',
    () => testRepository({ init: ['--bare'], files: {} }).root,
    'LATHE_REPOSITORY_BARE',
    /git worktree add/,
  ],
  [
    'a repository whose last commit is lost',
    () => {
      const repository = testRepository();
      const id = repository.git('rev-parse', 'HEAD').trim();
      rmSync(join(repository.root, '.git/objects', id.slice(0, 2), id.slice(2)), { force: true });
      return repository.root;
    },
    'LATHE_REPOSITORY_DAMAGED',
    /git fsck/,
  ],
])('refuses %s and says what to do', async (_title, make, code, remedy) => {
  const directory = make();
  await expect(openRepository(directory)).rejects.toMatchObject({ code, remedy: expect.stringMatching(remedy) });
});

test("is not redirected by git's variables in the environment", async () => {
  const [repository, other] = [testRepository(), testRepository()];
  process.env.GIT_DIR = join(other.root, '.git');
  try {
    expect(await locate(repository.root)).toMatchObject({
      root: repository.root,
      commonDir: join(repository.root, '.git'),
    });
  } finally {
    delete process.env.GIT_DIR;
  }
});

test('a folder that is gone, and a broken git folder, are problems with a remedy', async () => {
  const directory = temporaryDirectory();
  await expect(openRepository(join(directory, 'gone'))).rejects.toMatchObject({ code: 'LATHE_GIT_MISSING' });
  mkdirSync(join(directory, 'broken'));
  writeFileSync(join(directory, 'broken/.git'), 'gitdir: nowhere\n');
  await expect(openRepository(join(directory, 'broken'))).rejects.toMatchObject({
    code: 'LATHE_NOT_A_REPOSITORY',
    remedy: expect.any(String),
  });
});
