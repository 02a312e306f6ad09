import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryAt, testRepository, visibleState } from './__fixtures__/git-repository.ts';
import { openRepository } from './repository.ts';

const show = (repository: ReturnType<typeof testRepository>, commit: string) =>
  repository.git('ls-tree', '-r', '--name-only', commit).trim().split('\n');

test('a clean checkout is HEAD itself, kept under a ref', async () => {
  const repository = testRepository();
  const base = await (await openRepository(repository.root)).snapshotBase('r1');
  expect(base).toEqual({ baseCommit: base.headCommit, headCommit: base.headCommit, uncommitted: [], leftOut: [] });
  expect(repository.git('rev-parse', 'refs/lathe/r1/base').trim()).toBe(base.headCommit);
});

test('holds staged, unstaged, deleted and untracked changes, not ignored ones, and touches nothing', async () => {
  const repository = testRepository({
    files: { 'kept.txt': 'k', 'changed.txt': 'old', 'staged.txt': 'old', 'gone.txt': 'g', '.gitignore': 'ignored*\n' },
  });
  repository.write('changed.txt', 'new');
  repository.write('staged.txt', 'staged');
  repository.git('add', 'staged.txt');
  repository.write('staged.txt', 'later');
  rmSync(join(repository.root, 'gone.txt'));
  repository.write('ünt racked/"new"\nfile.txt', 'n');
  repository.write('run.sh', '#!/bin/sh\n', 0o755);
  symlinkSync('kept.txt', join(repository.root, 'link'));
  repository.write('ignored.txt', 'secret');
  const before = visibleState(repository);
  const index = readFileSync(join(repository.root, '.git/index'));

  const base = await (await openRepository(repository.root)).snapshotBase('r1');
  expect(base.uncommitted).toEqual(
    ['changed.txt', 'gone.txt', 'link', 'run.sh', 'staged.txt', 'ünt racked/"new"\nfile.txt'].sort(),
  );
  expect(repository.git('show', `${base.baseCommit}:staged.txt`)).toBe('later');
  expect(repository.git('show', `${base.baseCommit}:ünt racked/"new"\nfile.txt`)).toBe('n');
  expect(repository.git('ls-tree', base.baseCommit, 'run.sh', 'link')).toMatch(/^120000.*\n100755/);
  expect(show(repository, base.baseCommit)).not.toContain('ignored.txt');
  expect(repository.git('rev-parse', `${base.baseCommit}^`).trim()).toBe(base.headCommit);
  expect(repository.git('log', '-1', '--format=%an <%ae>', base.baseCommit).trim()).toBe('Lathe <lathe@localhost>');
  expect(visibleState(repository)).toBe(before);
  expect(readFileSync(join(repository.root, '.git/index'))).toEqual(index);
});

test('survives git gc --prune=now', async () => {
  const repository = testRepository();
  repository.write('a.txt', 'uncommitted');
  const base = await (await openRepository(repository.root)).snapshotBase('r1');
  repository.git('gc', '-q', '--prune=now');
  expect(repository.git('show', `${base.baseCommit}:a.txt`)).toBe('uncommitted');
});

test('works while another git holds the lock of the index, and leaves the lock', async () => {
  const repository = testRepository();
  repository.write('a.txt', 'changed');
  const lock = join(repository.root, '.git/index.lock');
  writeFileSync(lock, '');
  const base = await (await openRepository(repository.root)).snapshotBase('r1');
  expect(base.uncommitted).toEqual(['a.txt']);
  expect(readFileSync(lock, 'utf8')).toBe('');
});

test('works on a detached HEAD', async () => {
  const repository = testRepository();
  repository.git('checkout', '-q', '--detach');
  repository.write('b.txt', 'b');
  expect((await (await openRepository(repository.root)).snapshotBase('r1')).uncommitted).toEqual(['b.txt']);
});

test('works where the index is missing, empty or split, and with files announced by add -N', async () => {
  const repository = testRepository();
  repository.git('update-index', '--split-index');
  repository.write('new.txt', 'n');
  repository.git('add', '-N', 'new.txt');
  const lathe = await openRepository(repository.root);
  expect((await lathe.snapshotBase('r1')).uncommitted).toEqual(['new.txt']);
  rmSync(join(repository.root, '.git/index'));
  expect((await lathe.snapshotBase('r2')).uncommitted).toEqual(['new.txt']);
});

function conflicting() {
  const repository = testRepository();
  repository.git('checkout', '-q', '-b', 'side');
  repository.write('a.txt', 'side\n');
  repository.commitAll('side');
  repository.git('checkout', '-q', 'main');
  repository.write('a.txt', 'main\n');
  repository.commitAll('main');
  return repository;
}

test.each([
  ['merge', ['merge', 'side']],
  ['rebase', ['rebase', 'side']],
  ['cherry-pick', ['cherry-pick', 'side']],
])('refuses a %s with open conflicts before anything is made; works once they are resolved', async (_name, args) => {
  const repository = conflicting();
  expect(repository.tryGit(...args).status).not.toBe(0);
  const lathe = await openRepository(repository.root);
  await expect(lathe.snapshotBase('r1')).rejects.toMatchObject({
    code: 'LATHE_REPOSITORY_UNMERGED',
    message: expect.stringContaining('a.txt'),
    remedy: expect.stringContaining('git add'),
  });
  expect(repository.git('for-each-ref', 'refs/lathe')).toBe('');
  repository.write('a.txt', 'resolved\n');
  repository.git('add', 'a.txt');
  const base = await lathe.snapshotBase('r1');
  expect(repository.git('show', `${base.baseCommit}:a.txt`)).toBe('resolved\n');
});

test('leaves a repository inside the checkout out and says so, even one without commits', async () => {
  const repository = testRepository();
  repository.write('nested/x.txt', 'x');
  repositoryAt(join(repository.root, 'nested')).git('init', '-q');
  const base = await (await openRepository(repository.root)).snapshotBase('r1');
  expect(base.uncommitted).toEqual([]);
  expect(base.leftOut).toEqual([{ path: 'nested', why: expect.stringContaining('repository of its own') }]);
});

test('keeps submodules as links, moved ones at their new commit, and says where changes inside are left out', async () => {
  const library = testRepository();
  const repository = testRepository();
  repository.git('submodule', '--quiet', 'add', library.root, 'lib');
  repository.commitAll('with submodule');
  const inside = repositoryAt(join(repository.root, 'lib'));
  inside.git('config', 'user.name', 'Tester');
  inside.git('config', 'user.email', 'tester@example.org');
  inside.write('a.txt', 'moved');
  const moved = inside.commitAll('moved');
  inside.write('a.txt', 'dirty');
  const base = await (await openRepository(repository.root)).snapshotBase('r1');
  expect(base.uncommitted).toEqual(['lib']);
  expect(repository.git('ls-tree', base.baseCommit, 'lib')).toContain(`160000 commit ${moved}`);
  expect(base.leftOut).toEqual([{ path: 'lib', why: expect.stringContaining('submodule') }]);
  expect(inside.read('a.txt')).toBe('dirty');
});

test('keeps line ends as git would commit them, also where it would only warn', async () => {
  const repository = testRepository();
  repository.git('config', 'core.autocrlf', 'input');
  repository.git('config', 'core.safecrlf', 'true');
  repository.write('a.txt', 'one\r\ntwo\r\nthree\r\nfour\r\n');
  const base = await (await openRepository(repository.root)).snapshotBase('r1');
  expect(repository.git('show', `${base.baseCommit}:a.txt`)).toBe('one\ntwo\nthree\nfour\n');
});

test('leaves files outside a sparse checkout in the base', async () => {
  const repository = testRepository({ files: { 'in/a.txt': 'a', 'out/b.txt': 'b' } });
  repository.git('sparse-checkout', 'set', 'in');
  repository.write('in/a.txt', 'changed');
  const base = await (await openRepository(repository.root)).snapshotBase('r1');
  expect(base.uncommitted).toEqual(['in/a.txt']);
  expect(show(repository, base.baseCommit)).toEqual(['in/a.txt', 'out/b.txt']);
});

test('many at once neither clash nor leave anything in the temporary folder', async () => {
  const repository = testRepository();
  repository.write('a.txt', 'changed');
  const opened = await Promise.all([0, 1, 2, 3].map(() => openRepository(repository.root)));
  const bases = await Promise.all(opened.map((lathe, i) => lathe.snapshotBase(`r${i}`)));
  const trees = bases.map(({ baseCommit }) => repository.git('rev-parse', `${baseCommit}^{tree}`));
  expect(new Set(trees).size).toBe(1);
  expect(await opened[0]?.sweep()).toBe(0);
});

test('a repository owned by somebody else is refused with the command that would trust it', async (context) => {
  if (process.getuid?.() !== 0) context.skip('only root can give a folder away');
  const { chownSync } = await import('node:fs');
  const repository = testRepository();
  chownSync(repository.root, 12345, 12345);
  chownSync(join(repository.root, '.git'), 12345, 12345);
  await expect(openRepository(repository.root)).rejects.toMatchObject({
    code: 'LATHE_GIT_FAILED',
    remedy: expect.stringContaining('safe.directory'),
  });
});
