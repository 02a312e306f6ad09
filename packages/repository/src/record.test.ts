import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { edit, temporaryDirectory, testRepository, visibleState } from './__fixtures__/git-repository.ts';
import { openRepository } from './repository.ts';

async function opened(files?: Record<string, string>) {
  const repository = testRepository(files === undefined ? {} : { files });
  const lathe = await openRepository(repository.root);
  const { baseCommit } = await lathe.snapshotBase('r1');
  const record = (index: number, edits: ReturnType<typeof edit>[], message = 'a candidate') =>
    lathe.recordCandidate({ runId: 'r1', index, baseCommit, edits, message });
  return { repository, lathe, baseCommit, record };
}

test('a candidate becomes a commit on the base under its ref, and the checkout does not notice', async () => {
  const { repository, baseCommit, record } = await opened({ 'a.txt': 'one\ntwo\nthree\n', 'b.txt': 'b\n' });
  const before = visibleState(repository);
  const edits = [edit('a.txt', 'one\n2\nthree\nfour\n'), edit('b.txt', null), edit('neu/ü "x".txt', 'n\n')];
  const { recorded, refused } = await record(0, edits, 'subject\n\nbody: ünï');
  expect(refused).toEqual([]);
  expect(recorded).toMatchObject({
    ref: 'refs/lathe/r1/0',
    message: 'subject\n\nbody: ünï',
    diff: { files: 3, added: 3, deleted: 2 },
  });
  expect(repository.git('rev-parse', 'refs/lathe/r1/0', 'refs/lathe/r1/0^').trim()).toBe(
    `${recorded?.commit}\n${baseCommit}`,
  );
  expect(repository.git('show', 'refs/lathe/r1/0:neu/ü "x".txt')).toBe('n\n');
  expect(recorded?.edits.map(({ path, content }) => [path, content === null ? null : String(content)])).toEqual([
    ['a.txt', 'one\n2\nthree\nfour\n'],
    ['b.txt', null],
    ['neu/ü "x".txt', 'n\n'],
  ]);
  expect(visibleState(repository)).toBe(before);
});

test('contents are kept byte for byte, whatever the attributes and settings', async () => {
  const { repository, record } = await opened({ '.gitattributes': '* text=auto eol=lf\n', 'a.txt': 'a\n' });
  repository.git('config', 'core.autocrlf', 'true');
  const bytes = Buffer.from([0, 255, 13, 10, 10, 13, 128]);
  const dos = Buffer.from('one\r\ntwo\r\n');
  const { recorded } = await record(0, [
    { path: 'a.txt', content: bytes, mode: '100644' },
    { path: 'b.txt', content: dos, mode: '100644' },
  ]);
  expect(recorded?.edits.map(({ content }) => content)).toEqual([bytes, dos]);
});

test('recording again gives back what is there, also with other edits', async () => {
  const { record } = await opened();
  const first = await record(0, [edit('a.txt', 'first\n')]);
  const again = await record(0, [edit('a.txt', 'second\n')], 'another message');
  expect(again.recorded).toEqual(first.recorded);
});

test('two processes recording the same place agree on one', async () => {
  const { repository, baseCommit, record } = await opened();
  const other = await openRepository(repository.root);
  const request = { runId: 'r1', index: 0, baseCommit, edits: [edit('a.txt', 'x\n')], message: 'other' };
  const [mine, theirs] = await Promise.all([record(0, [edit('a.txt', 'y\n')]), other.recordCandidate(request)]);
  expect(mine.recorded?.commit).toBe(theirs.recorded?.commit);
});

test('many at once all arrive', async () => {
  const { repository, record } = await opened();
  const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => record(i, [edit('a.txt', `${i}\n`)])));
  expect(outcomes.map(({ recorded }) => recorded?.edits.map(({ content }) => String(content)))).toEqual(
    Array.from({ length: 20 }, (_, i) => [`${i}\n`]),
  );
  expect(repository.git('for-each-ref', 'refs/lathe/r1').trim().split('\n')).toHaveLength(21);
});

test.each([
  ['hostile paths', ['.git/hooks/post-checkout', '../x', '/etc/x', '.GIT/config', 'git~1/x', 'a/.git/config']],
])('refuses %s one by one and takes the rest', async (_title, paths) => {
  const { repository, record } = await opened();
  const { recorded, refused } = await record(0, [...paths.map((path) => edit(path, 'x')), edit('ok.txt', 'ok\n')]);
  expect(refused.map(({ path }) => path)).toEqual(paths);
  expect(recorded?.edits.map(({ path }) => path)).toEqual(['ok.txt']);
  expect(readdirSync(join(repository.root, '.git/hooks'))).not.toContain('post-checkout');
});

test('nothing is recorded where every edit is refused or none changes anything', async () => {
  const { repository, record } = await opened({ 'a.txt': 'a\n' });
  expect(await record(0, [edit('../x', 'x')])).toMatchObject({ recorded: null, refused: [{ path: '../x' }] });
  expect(await record(1, [edit('a.txt', 'a\n'), edit('missing.txt', null)])).toEqual({ recorded: null, refused: [] });
  expect(await record(2, [])).toEqual({ recorded: null, refused: [] });
  expect(repository.git('for-each-ref', '--format=%(refname)', 'refs/lathe').trim()).toBe('refs/lathe/r1/base');
});

test('an existing file keeps its mode, a new one may be executable, a change of mode alone is dropped', async () => {
  const { repository, baseCommit, lathe } = await opened();
  repository.write('run.sh', 'old\n', 0o755);
  const base = await lathe.snapshotBase('r2');
  expect(base.baseCommit).not.toBe(baseCommit);
  const edits = [edit('run.sh', 'new\n'), edit('a.txt', 'one\ntwo\nthree\n', '100755'), edit('b.sh', 'b', '100755')];
  const { recorded } = await lathe.recordCandidate({
    runId: 'r2',
    index: 0,
    baseCommit: base.baseCommit,
    edits,
    message: 'm',
  });
  expect(recorded?.edits.map(({ path, mode }) => [path, mode])).toEqual([
    ['b.sh', '100755'],
    ['run.sh', '100755'],
  ]);
});

test('links stay inside, and files do not turn into links or links into files', async () => {
  const { repository, lathe } = await opened();
  symlinkSync('a.txt', join(repository.root, 'link'));
  const { baseCommit } = await lathe.snapshotBase('r2');
  const edits = [
    edit('inside', 'a.txt', '120000'),
    edit('outside', '../../etc/passwd', '120000'),
    edit('link', 'text'),
    edit('a.txt', 'link', '120000'),
  ];
  const { recorded, refused } = await lathe.recordCandidate({ runId: 'r2', index: 0, baseCommit, edits, message: 'm' });
  expect(recorded?.edits.map(({ path }) => path)).toEqual(['inside']);
  expect(refused.map(({ path }) => path).sort()).toEqual(['a.txt', 'link', 'outside']);
});

test('a file below a link is refused, not written through it', async () => {
  const { repository, lathe } = await opened();
  symlinkSync('/tmp', join(repository.root, 'link'));
  const { baseCommit } = await lathe.snapshotBase('r2');
  const { recorded, refused } = await lathe.recordCandidate({
    runId: 'r2',
    index: 0,
    baseCommit,
    edits: [edit('link/x.txt', 'x'), edit('ok.txt', 'x')],
    message: 'm',
  });
  expect(refused).toEqual([{ path: 'link/x.txt', why: expect.stringContaining('link') }]);
  expect(recorded?.edits.map(({ path }) => path)).toEqual(['ok.txt']);
});

test('a file may take the place of a folder that the candidate deletes', async () => {
  const { record } = await opened({ 'd/x.txt': 'x', 'd/y.txt': 'y', 'f.txt': 'f' });
  const edits = [
    edit('d', 'now a file'),
    edit('f.txt/inner', 'i'),
    edit('f.txt', null),
    edit('d/x.txt', null),
    edit('d/y.txt', null),
  ];
  const { recorded, refused } = await record(0, edits);
  expect(refused).toEqual([]);
  expect(recorded?.edits.map(({ path }) => path).sort()).toEqual(['d', 'd/x.txt', 'd/y.txt', 'f.txt', 'f.txt/inner']);
});

test('a file in the place of a folder that stays is refused', async () => {
  const { record } = await opened({ 'd/x.txt': 'x' });
  const { recorded, refused } = await record(0, [edit('d', 'file'), edit('d2.txt', 'ok')]);
  expect(refused).toEqual([{ path: 'd', why: expect.stringContaining('d/x.txt') }]);
  expect(recorded?.edits.map(({ path }) => path)).toEqual(['d2.txt']);
});

test('killed at any moment, the ref is there whole or not at all, and recording again completes it', async () => {
  const { repository, lathe, baseCommit } = await opened();
  const program = join(temporaryDirectory(), 'record.ts');
  writeFileSync(
    program,
    `import { openRepository } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
     const lathe = await openRepository(${JSON.stringify(repository.root)});
     process.stdout.write('ready\\n');
     for (let index = 0; index < 50; index += 1) {
       const edits = [{ path: 'a.txt', content: Buffer.from(String(index)), mode: '100644' }];
       await lathe.recordCandidate({ runId: 'r1', index, baseCommit: '${baseCommit}', edits, message: 'm' });
     }`,
  );
  for (const delayMs of [20, 60, 110]) {
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    setTimeout(() => child.kill('SIGKILL'), delayMs);
    await once(child, 'close');
  }
  for (let index = 0; index < 8; index += 1) {
    const request = { runId: 'r1', index, baseCommit, edits: [edit('a.txt', String(index))], message: 'm' };
    const { recorded } = await lathe.recordCandidate(request);
    expect(String(recorded?.edits[0]?.content)).toBe(String(index));
  }
  await lathe.sweep();
  expect(readdirSync(join(repository.root, '.git/lathe/tmp'))).toEqual([]);
  expect(repository.git('fsck', '--strict')).not.toMatch(/error|missing/);
});
