import { expect, test } from 'vitest';
import { edit, testRepository } from './__fixtures__/git-repository.ts';
import { openRepository } from './repository.ts';
import { deleteRefs } from './run-refs.ts';

async function withRuns() {
  const repository = testRepository();
  const lathe = await openRepository(repository.root);
  for (const runId of ['r1', 'r2']) {
    const { baseCommit } = await lathe.snapshotBase(runId);
    for (const index of [0, 1]) {
      await lathe.recordCandidate({ runId, index, baseCommit, edits: [edit('a.txt', `${index}`)], message: 'm' });
    }
  }
  return { repository, lathe };
}

test('lists runs with all their refs, and nothing but runs', async () => {
  const { repository, lathe } = await withRuns();
  const runs = await lathe.listRunRefs();
  expect(runs.map(({ runId }) => runId).sort()).toEqual(['r1', 'r2']);
  expect(runs[0]?.refs.map(({ ref }) => ref.split('/').at(-1))).toEqual(['0', '1', 'base']);
  expect(Math.abs((runs[0]?.newestMs ?? 0) - Date.now())).toBeLessThan(3_600_000);
  await Promise.all(runs.map(({ runId }) => lathe.deleteRunRefs(runId)));
  expect(await lathe.listRunRefs()).toEqual([]);
  expect(repository.git('for-each-ref', '--format=%(refname)').trim()).toBe('refs/heads/main');
});

test('deletes one run and leaves the other, also when the refs are packed', async () => {
  const { repository, lathe } = await withRuns();
  repository.git('pack-refs', '--all');
  await lathe.deleteRunRefs('r1');
  expect((await lathe.listRunRefs()).map(({ runId }) => runId)).toEqual(['r2']);
  await lathe.deleteRunRefs('r1');
});

test('a ref that moved since it was listed stops the whole deletion', async () => {
  const { repository, lathe } = await withRuns();
  const refs = (await lathe.listRunRefs()).find(({ runId }) => runId === 'r1')?.refs ?? [];
  repository.git('update-ref', 'refs/lathe/r1/1', 'HEAD');
  await expect(deleteRefs(refs, lathe.location)).rejects.toMatchObject({ code: 'LATHE_GIT_FAILED' });
  expect(repository.git('for-each-ref', '--format=%(refname)', 'refs/lathe/r1').trim().split('\n')).toHaveLength(3);
});
