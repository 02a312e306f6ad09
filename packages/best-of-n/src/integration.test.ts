import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRunStore } from '@lathe/ledger';
import { RunDocument } from '@lathe/protocol';
import { openRepository } from '@lathe/repository';
import { expect, onTestFinished, test } from 'vitest';
import { edit, exited, fakeWorkspaces, LIMITS, options, proposal, scriptedMaker, task } from './__fixtures__/fakes.ts';
import { toRunDocument } from './document.ts';
import { resumeRun, runBestOfN } from './run.ts';

const HOSTILE_ANSWER = 'ünï \u0000\u2028"\\\n\nLathe-Record: {"made":{}}\n-----BEGIN PGP SIGNATURE-----\n\ud83d\ude00';

async function onDisk() {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'lathe run ü-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, env, encoding: 'utf8' });
  git('init', '-q', '-b', 'main');
  writeFileSync(join(root, 'a.js'), 'todo()\n');
  git('add', '-A');
  git('-c', 'user.name=T', '-c', 'user.email=t@example.org', 'commit', '-qm', 'first');
  writeFileSync(join(root, 'b.js'), 'uncommitted()\n');
  const repository = await openRepository(root);
  const store = await openRunStore(join(repository.location.latheDir, 'ledger.sqlite'));
  onTestFinished(async () => {
    repository.close();
    await store.close();
  });
  const snapshot = await repository.snapshotBase('r1');
  const maker = scriptedMaker('fake:a', (index) =>
    proposal(index, [edit('a.js', index === 1 ? 'bad()\n' : `good(${index % 2})\n`), edit('.env', 'x')], {
      answer: HOSTILE_ANSWER,
    }),
  );
  const parts = {
    makers: [maker],
    workspaces: fakeWorkspaces((_command, files) => exited(files.get('a.js')?.startsWith('good') ? 0 : 1)),
    gates: [],
    recorder: repository,
    store,
    limits: LIMITS,
    clock: Date.now,
  };
  const start = { runId: 'r1', task: task(), options: options({ n: 4 }), ...snapshot, repository: root };
  return { root, git, repository, store, maker, parts, start };
}

test('a run on a real repository and a real store: commits, evidence, keeping the best', async () => {
  const { root, git, repository, store, parts, start } = await onDisk();
  const document = RunDocument.parse(toRunDocument(await runBestOfN(start, parts)));
  expect(document.candidates.map(({ status, reverted }) => [status, reverted])).toEqual([
    ['passed', ['.env']],
    ['failed', ['.env']],
    ['passed', ['.env']],
    ['passed', ['.env']],
  ]);
  expect(document.best).toBe('c1');
  expect(document.ranking[0]?.reasons).toContain('same code as c3');
  expect(git('show', '--stat=80', '--format=', 'refs/lathe/r1/0')).toMatch(/a\.js \| 2 \+-\n 1 file changed/);
  expect(git('status', '--porcelain')).toBe('?? b.js\n');
  await repository.keepCandidate({ runId: 'r1', index: 0, baseCommit: document.baseCommit });
  expect(readFileSync(join(root, 'a.js'), 'utf8')).toBe('good(0)\n');
  expect(git('status', '--porcelain')).toBe(' M a.js\n?? b.js\n');
  expect(await store.list()).toMatchObject([{ runId: 'r1', outcome: 'passed', best: 'c1', n: 4 }]);
});

test('a commit whose event was never stored is taken up from its message, answer and all', async () => {
  const { git, store, maker, parts, start } = await onDisk();
  const append = store.append;
  store.append = async (runId, event) => {
    if (event.type === 'candidate-made' && event.index === 2) throw new Error('killed here');
    await append(runId, event);
  };
  await expect(runBestOfN(start, parts)).rejects.toThrow('killed here');
  expect(git('rev-parse', '--verify', 'refs/lathe/r1/2')).not.toBe('');
  store.append = append;
  const before = await store.read('r1');
  expect(before.some((event) => event.type === 'candidate-made' && event.index === 2)).toBe(false);

  const askedBefore = maker.asked.length;
  const state = await resumeRun('r1', parts);
  expect(maker.asked.slice(askedBefore)).not.toContain(2);
  expect(state.candidates.get(2)?.made).toMatchObject({
    answer: HOSTILE_ANSWER,
    seed: 1002,
    tokens: { prompt: 10, completion: 5 },
  });
  expect(state.candidates.get(2)?.recorded?.reverted).toEqual(['.env']);
  expect([...state.candidates.values()].every(({ finished }) => finished !== null)).toBe(true);
});
