import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { edit, temporaryDirectory, testRepository, visibleState } from './__fixtures__/git-repository.ts';
import { ignoredFiles } from './ignored.ts';
import { patchBetween } from './patch.ts';
import { openRepository } from './repository.ts';

const HOOKS = [
  'pre-commit',
  'post-commit',
  'post-checkout',
  'post-merge',
  'pre-applypatch',
  'reference-transaction',
  'post-index-change',
  'post-rewrite',
  'prepare-commit-msg',
  'commit-msg',
  'pre-auto-gc',
  'post-applypatch',
  'fsmonitor-watchman',
  'update',
];

/** Everything Lathe does with a repository, once. */
async function wholeLife(root: string, edits: ReturnType<typeof edit>[]) {
  const lathe = await openRepository(root);
  const { baseCommit } = await lathe.snapshotBase('r1');
  const { recorded, refused } = await lathe.recordCandidate({ runId: 'r1', index: 0, baseCommit, edits, message: 'm' });
  await lathe.treeAt(baseCommit).list();
  const directory = join(temporaryDirectory(), 'export');
  if (recorded !== null) {
    await lathe.exportTree(recorded.commit, directory);
    await patchBetween(baseCommit, recorded.commit, lathe.location);
    await lathe.keepCandidate({ runId: 'r1', index: 0, baseCommit, commit: true });
  }
  await ignoredFiles(lathe.location);
  await lathe.deleteRunRefs('r1');
  return { refused, directory };
}

test('hooks, a file system monitor and diff programs never run, wherever they were planted', async () => {
  const repository = testRepository();
  const proof = join(temporaryDirectory(), 'ran');
  const script = `#!/bin/sh\necho "$0" >> '${proof}'\n`;
  for (const hook of HOOKS) repository.write(`.git/hooks/${hook}`, script, 0o755);
  for (const hook of HOOKS) repository.write(`.husky/${hook}`, script, 0o755);
  repository.write('tool.sh', script, 0o755);
  repository.write('.gitattributes', '*.txt diff=tool\n');
  repository.commitAll('as it is');
  const before = existsSync(proof);
  expect(before).toBe(true);
  const { rmSync } = await import('node:fs');
  rmSync(proof);
  repository.git('config', 'core.hooksPath', '.husky');
  repository.git('config', 'core.fsmonitor', join(repository.root, 'tool.sh'));
  repository.git('config', 'diff.external', join(repository.root, 'tool.sh'));
  repository.git('config', 'diff.tool.textconv', join(repository.root, 'tool.sh'));
  repository.git('config', 'diff.tool.command', join(repository.root, 'tool.sh'));
  repository.git('config', 'core.pager', join(repository.root, 'tool.sh'));
  repository.git('config', 'core.editor', join(repository.root, 'tool.sh'));
  await wholeLife(repository.root, [edit('a.txt', 'changed\n'), edit('.husky/post-commit', script, '100755')]);
  expect(existsSync(proof)).toBe(false);
});

test('attributes in a candidate name filters, and none runs while it is recorded, exported or compared', async () => {
  const repository = testRepository();
  const proof = join(temporaryDirectory(), 'ran');
  // The filter is the user's own, and for other files.
  repository.git('config', 'filter.mine.clean', `tee -a '${proof}'`);
  repository.git('config', 'filter.mine.smudge', `tee -a '${proof}'`);
  const lathe = await openRepository(repository.root);
  const { baseCommit } = await lathe.snapshotBase('r1');
  const edits = [edit('.gitattributes', '* filter=mine\n'), edit('evil.txt', 'evil\n')];
  const { recorded } = await lathe.recordCandidate({ runId: 'r1', index: 0, baseCommit, edits, message: 'm' });
  await lathe.exportTree(recorded?.commit ?? '', join(temporaryDirectory(), 'export'));
  await patchBetween(baseCommit, recorded?.commit ?? '', lathe.location);
  await lathe.treeAt(recorded?.commit ?? '').read('evil.txt');
  expect(existsSync(proof)).toBe(false);
});

test('edits that aim at the git folder or out of the checkout leave no trace', async () => {
  const repository = testRepository();
  const before = visibleState(repository);
  const config = repository.read('.git/config');
  const paths = [
    '.git/config',
    '.git/hooks/pre-commit',
    '.GIT/config',
    'git~1/config',
    '../outside',
    '/tmp/outside',
    'x/../../y',
  ];
  const { refused } = await wholeLife(
    repository.root,
    paths.map((path) => edit(path, 'evil', '100755')),
  );
  expect(refused.map(({ path }) => path)).toEqual(paths);
  expect(repository.read('.git/config')).toBe(config);
  expect(readdirSync(join(repository.root, '..'))).toEqual(['repo']);
  expect(visibleState(repository)).toBe(before);
});

test.each(['', '../x', 'a/b', 'a b', '.hidden', '-option', 'a..b', 'a.lock', 'x\n'])(
  'a run id that would be another ref is refused: %j',
  async (runId) => {
    const repository = testRepository();
    const lathe = await openRepository(repository.root);
    await expect(async () => lathe.snapshotBase(runId)).rejects.toMatchObject({ code: 'LATHE_USAGE_RUN_ID' });
    expect(repository.git('for-each-ref', 'refs/lathe')).toBe('');
  },
);
