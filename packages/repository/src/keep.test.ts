import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { edit, temporaryDirectory, testRepository } from './__fixtures__/git-repository.ts';
import { openRepository } from './repository.ts';

const TEN = Array.from({ length: 10 }, (_, i) => `line ${i}\n`);
const text = (change: Record<number, string> = {}) => TEN.map((line, i) => change[i] ?? line).join('');

async function candidate(edits: ReturnType<typeof edit>[], files: Record<string, string> = { 'a.txt': text() }) {
  const repository = testRepository({ files });
  const lathe = await openRepository(repository.root);
  const { baseCommit } = await lathe.snapshotBase('r1');
  const { recorded, refused } = await lathe.recordCandidate({ runId: 'r1', index: 2, baseCommit, edits, message: 'm' });
  expect(refused).toEqual([]);
  const keep = (more: { commit?: boolean; message?: string; provenance?: Record<string, string | number> } = {}) =>
    lathe.keepCandidate({ runId: 'r1', index: 2, baseCommit, ...more });
  return { repository, lathe, keep, recorded };
}

/** Everything in the checkout, to see that a refusal changed nothing. */
function contents(root: string, folder = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (path === '.git') continue;
    if (entry.isDirectory()) Object.assign(found, contents(root, path));
    else
      found[path] = entry.isSymbolicLink()
        ? readlinkSync(join(root, path))
        : `${lstatSync(join(root, path)).mode.toString(8)} ${readFileSync(join(root, path), 'utf8')}`;
  }
  return found;
}

test('puts the change into the checkout and leaves index and branch alone', async () => {
  const { repository, keep } = await candidate(
    [
      edit('a.txt', text({ 1: 'changed\n' })),
      edit('neu/b.txt', 'b\n'),
      edit('gone/c.txt', null),
      edit('run.sh', 'x', '100755'),
    ],
    { 'a.txt': text(), 'gone/c.txt': 'c' },
  );
  const index = repository.git('ls-files', '--stage');
  const head = repository.git('rev-parse', 'HEAD');
  expect(await keep()).toEqual({ files: ['a.txt', 'gone/c.txt', 'neu/b.txt', 'run.sh'], commit: null });
  expect(repository.read('a.txt')).toBe(text({ 1: 'changed\n' }));
  expect(repository.read('neu/b.txt')).toBe('b\n');
  expect(existsSync(join(repository.root, 'gone'))).toBe(false);
  expect(statSync(join(repository.root, 'run.sh')).mode & 0o100).toBe(0o100);
  expect(repository.git('ls-files', '--stage')).toBe(index);
  expect(repository.git('rev-parse', 'HEAD')).toBe(head);
  expect(readdirSync(join(repository.root, '.git/lathe/keep'))).toEqual([]);
});

test('merges with what the checkout has become: other lines, a renamed file, new commits', async () => {
  const { repository, keep } = await candidate([edit('a.txt', text({ 1: 'candidate\n' }))]);
  repository.git('mv', 'a.txt', 'renamed.txt');
  repository.commitAll('rename');
  repository.write('renamed.txt', text({ 8: 'mine\n' }));
  repository.write('other.txt', 'mine');
  await keep();
  expect(repository.read('renamed.txt')).toBe(text({ 1: 'candidate\n', 8: 'mine\n' }));
  expect(repository.read('other.txt')).toBe('mine');
});

test('keeping twice changes nothing the second time', async () => {
  const { repository, keep } = await candidate([edit('a.txt', text({ 1: 'candidate\n' }))]);
  const first = await keep();
  const before = contents(repository.root);
  expect(await keep()).toEqual(first);
  expect(contents(repository.root)).toEqual(before);
});

test('refuses a conflict, shows its lines, and changes nothing', async () => {
  const { repository, keep } = await candidate([edit('a.txt', text({ 1: 'candidate\n' })), edit('b.txt', 'new\n')]);
  repository.write('a.txt', text({ 1: 'mine\n' }));
  const before = contents(repository.root);
  await expect(keep()).rejects.toMatchObject({
    code: 'LATHE_KEEP_CONFLICT',
    message: expect.stringMatching(/a\.txt[\s\S]*<<<<<<< your checkout\nmine\n=======\ncandidate\n>>>>>>> c3/),
    remedy: expect.stringContaining('git stash'),
  });
  expect(contents(repository.root)).toEqual(before);
  expect(repository.tryGit('notes', '--ref=lathe', 'show', 'refs/lathe/r1/2').status).not.toBe(0);
});

test('refuses where the checkout deleted what the candidate changes', async () => {
  const { repository, keep } = await candidate([edit('a.txt', text({ 1: 'candidate\n' }))]);
  rmSync(join(repository.root, 'a.txt'));
  await expect(keep()).rejects.toMatchObject({
    code: 'LATHE_KEEP_CONFLICT',
    message: expect.stringMatching(/modify\/delete/),
  });
  expect(existsSync(join(repository.root, 'a.txt'))).toBe(false);
});

test.each([
  ['an ignored file', 'out/b.txt'],
  ['an ignored folder in the way', 'out/b.txt/inner'],
  ['an ignored file where a folder is needed', 'out'],
])('never overwrites %s', async (_title, mine) => {
  const files = { 'a.txt': text(), '.gitignore': 'out\n' };
  const { repository, keep } = await candidate([edit('a.txt', 'x\n'), edit('out/b.txt', 'candidate')], files);
  repository.write(mine, 'mine');
  const before = contents(repository.root);
  await expect(keep()).rejects.toMatchObject({ code: expect.stringMatching(/IN_THE_WAY/), remedy: expect.any(String) });
  expect(contents(repository.root)).toEqual(before);
});

test('never writes through a link that has replaced a folder', async () => {
  const outside = temporaryDirectory();
  const { repository, keep } = await candidate([edit('d/new.txt', 'candidate')], { 'd/x.txt': 'x' });
  rmSync(join(repository.root, 'd'), { recursive: true });
  symlinkSync(outside, join(repository.root, 'd'));
  // Ignored, the link is not part of the merge: nothing but the look at the checkout itself can find it.
  repository.write('.gitignore', 'd\n');
  await expect(keep()).rejects.toMatchObject({ code: 'LATHE_CHECKOUT_IN_THE_WAY' });
  rmSync(join(repository.root, '.gitignore'));
  await expect(keep()).rejects.toMatchObject({ code: 'LATHE_KEEP_CONFLICT' });
  expect(readdirSync(outside)).toEqual([]);
});

test('keeps the permissions a file has, and writes links as links', async () => {
  const { repository, keep } = await candidate([edit('a.txt', 'x\n'), edit('link', 'a.txt', '120000')]);
  chmodSync(join(repository.root, 'a.txt'), 0o640);
  await keep();
  expect(statSync(join(repository.root, 'a.txt')).mode & 0o777).toBe(0o640);
  expect(readlinkSync(join(repository.root, 'link'))).toBe('a.txt');
});

test('writes line ends as a checkout would', async () => {
  const files = { 'a.txt': 'one\n', '.gitattributes': '*.txt text eol=crlf\n' };
  const { repository, keep } = await candidate([edit('a.txt', 'one\ntwo\n')], files);
  await keep();
  expect(repository.read('a.txt')).toBe('one\r\ntwo\r\n');
  expect(repository.git('diff', '--stat')).toContain('1 insertion');
});

test('puts everything back where writing fails half-way', async () => {
  const { repository, keep } = await candidate([edit('a.txt', 'x\n'), edit('b.txt', 'new\n'), edit('gone.txt', null)], {
    'a.txt': text(),
    'gone.txt': 'g',
  });
  const before = contents(repository.root);
  // The note is part of the change; its lock makes it fail after the files have been written.
  repository.write('.git/refs/notes/lathe.lock', '');
  await expect(keep()).rejects.toMatchObject({ code: 'LATHE_GIT_FAILED', remedy: expect.stringContaining('lock') });
  expect(contents(repository.root)).toEqual(before);
  rmSync(join(repository.root, '.git/refs/notes/lathe.lock'));
  await keep();
  expect(repository.read('b.txt')).toBe('new\n');
});

test('a process killed half-way is taken back by the next sweep, without touching what was edited since', async () => {
  const { repository, lathe } = await candidate([edit('a.txt', 'x\n')], { 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' });
  const program = join(temporaryDirectory(), 'killed.ts');
  writeFileSync(
    program,
    `import { changeCheckout } from ${JSON.stringify(new URL('./checkout-change.ts', import.meta.url).href)};
     const file = (text) => ({ kind: 'file', executable: false, content: Buffer.from(text) });
     const changes = [
       { path: 'a.txt', after: file('A') }, { path: 'b.txt', after: null }, { path: 'c.txt', after: file('C') },
       { path: 'd/new.txt', after: file('D') },
     ];
     await changeCheckout(${JSON.stringify(repository.root)}, changes, ${JSON.stringify(join(repository.root, '.git/lathe/keep'))},
       async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => setInterval(() => {}, 1000)); });`,
  );
  const child = spawn(process.execPath, [program], { stdio: 'inherit' });
  expect((await once(child, 'close'))[1]).toBe('SIGKILL');
  expect(repository.read('a.txt')).toBe('A');
  repository.write('c.txt', 'edited since');
  await lathe.sweep();
  expect(Object.keys(contents(repository.root))).toEqual(['a.txt', 'b.txt', 'c.txt']);
  expect([repository.read('a.txt'), repository.read('b.txt'), repository.read('c.txt')]).toEqual([
    'a',
    'b',
    'edited since',
  ]);
  expect(readdirSync(join(repository.root, '.git/lathe/keep'))).toEqual([]);
});

test("writes where it came from into a note on the candidate's commit", async () => {
  const { repository, keep, recorded } = await candidate([edit('a.txt', 'x\n')]);
  await keep({ provenance: { model: 'local:smollm2-135m', seed: 7, version: '0.1.0' } });
  expect(repository.git('notes', '--ref=lathe', 'show', 'refs/lathe/r1/2')).toBe(
    `lathe-run: r1\nlathe-candidate: c3\nlathe-candidate-commit: ${recorded?.commit}\nlathe-model: local:smollm2-135m\nlathe-seed: 7\nlathe-version: 0.1.0\n`,
  );
});

test('commits only when asked, only its own files, as the user, with a note, and past hooks', async () => {
  const { repository, keep } = await candidate([edit('a.txt', 'x\n'), edit('b.txt', 'new\n'), edit('gone.txt', null)], {
    'a.txt': text(),
    'gone.txt': 'g',
    'mine.txt': 'old',
    'staged.txt': 'old',
  });
  repository.write('mine.txt', 'uncommitted');
  repository.write('staged.txt', 'staged');
  repository.git('add', 'staged.txt');
  repository.write('.git/hooks/pre-commit', '#!/bin/sh\ntouch ran\nexit 1\n', 0o755);
  const { commit } = await keep({ commit: true, message: 'Use x\n' });
  expect(repository.git('rev-parse', 'HEAD').trim()).toBe(commit);
  expect(repository.git('log', '-1', '--format=%an %s').trim()).toBe('Tester Use x');
  expect(repository.git('show', '--name-status', '--format=', 'HEAD')).toBe('M\ta.txt\nA\tb.txt\nD\tgone.txt\n');
  expect(repository.git('status', '--porcelain')).toBe(' M mine.txt\nM  staged.txt\n');
  expect(repository.git('notes', '--ref=lathe', 'show', 'HEAD')).toContain('lathe-run: r1');
  expect(existsSync(join(repository.root, 'ran'))).toBe(false);
});

test('does not mix a commit with uncommitted changes in the same file', async () => {
  const { repository, keep } = await candidate([edit('a.txt', text({ 1: 'candidate\n' }))]);
  repository.write('a.txt', text({ 8: 'mine\n' }));
  const before = contents(repository.root);
  await expect(keep({ commit: true })).rejects.toMatchObject({ code: 'LATHE_KEEP_UNCOMMITTED', message: /a\.txt/ });
  expect(contents(repository.root)).toEqual(before);
  await keep();
  expect(repository.read('a.txt')).toBe(text({ 1: 'candidate\n', 8: 'mine\n' }));
});

test('a commit that fails takes everything back, the index too', async () => {
  const { repository, keep } = await candidate([edit('a.txt', 'x\n'), edit('b.txt', 'new\n')]);
  repository.git('config', 'user.useConfigOnly', 'true');
  repository.git('config', '--unset', 'user.email');
  const before = contents(repository.root);
  await expect(keep({ commit: true })).rejects.toMatchObject({ code: 'LATHE_GIT_FAILED' });
  expect(contents(repository.root)).toEqual(before);
  expect(repository.git('status', '--porcelain')).toBe('');
});

test('does not commit into the middle of a merge', async () => {
  const { repository, keep } = await candidate([edit('a.txt', 'x\n')]);
  repository.git('checkout', '-q', '-b', 'side');
  repository.write('other.txt', 'o');
  repository.commitAll('side');
  repository.git('checkout', '-q', 'main');
  repository.git('merge', '-q', '--no-ff', '--no-commit', 'side');
  await expect(keep({ commit: true })).rejects.toMatchObject({ code: 'LATHE_KEEP_OPERATION', message: /merge/ });
});

test('a candidate without a commit is not found', async () => {
  const { lathe, recorded } = await candidate([edit('a.txt', 'x\n')]);
  const request = { runId: 'r1', index: 9, baseCommit: recorded?.commit ?? '' };
  await expect(lathe.keepCandidate(request)).rejects.toMatchObject({ code: 'LATHE_NOT_FOUND_CANDIDATE_COMMIT' });
});
