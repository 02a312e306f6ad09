import { spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { auditRepository } from './audit-repository.ts';
import { AuditDocument } from './document.ts';
import { notFollowedInWords } from './report/not-followed.ts';
import { ScriptedRepository } from './repository.fixture.ts';

const repositories: ScriptedRepository[] = [];
afterEach(() => {
  for (const repository of repositories.splice(0)) repository.remove();
});

function scripted(...args: string[]): ScriptedRepository {
  const repository = new ScriptedRepository(...args);
  repositories.push(repository);
  return repository;
}

async function auditOf({ directory }: { directory: string }) {
  const { document, history } = await auditRepository({ directory, cacheDirectory: null, nowMs: 1_900_000_000_000 });
  // What is printed is what the contract says, whatever went in.
  AuditDocument.parse(JSON.parse(JSON.stringify(document)));
  const linesAt = (path: string) => history.tree.get(path)?.lines?.length;
  return { document, history, linesAt };
}

function loseObject(repository: ScriptedRepository, name: string): void {
  const id = repository.git('rev-parse', name).trim();
  rmSync(join(repository.directory, '.git/objects', id.slice(0, 2), id.slice(2)), { force: true });
}

it('ends every git it started where an original cannot be read, however much of the history still waits', () => {
  const repository = scripted();
  repository.commit({ long: Array.from({ length: 200_000 }, (_, i) => `line number ${i}\n`).join('') });
  repository.git('checkout', '-q', '-b', 'side');
  repository.commit({ lost: 'one\n' });
  loseObject(repository, 'side:lost');
  repository.git('checkout', '-q', 'main');
  const script = `
    import { auditRepository } from ${JSON.stringify(import.meta.resolve('./audit-repository.ts'))};
    const { document } = await auditRepository({ directory: process.argv[1], cacheDirectory: null, nowMs: Date.now() });
    process.stdout.write(String(document.notFollowed.filesWithoutContent));
  `;
  // A git that is left waiting to be read would keep the process from ending.
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script, repository.directory], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(ended).toMatchObject({ status: 0, signal: null, stdout: '1' });
});

describe('no history to audit', () => {
  it('a folder outside any repository, and one that does not exist: says so', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'lathe-none-'));
    try {
      await expect(auditOf({ directory })).rejects.toThrow(/not inside a git repository/);
      await expect(auditOf({ directory: join(directory, 'none') })).rejects.toMatchObject({
        code: 'LATHE_HISTORY_GIT',
        message: expect.stringContaining('none'),
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it.skipIf(process.getuid?.() !== 0)(
    'a repository of another user: says that git does not trust it (needs root, to give it away)',
    async () => {
      const repository = scripted();
      repository.commit({ a: 'one\n' });
      chownSync(repository.directory, 65_534, 65_534);
      await expect(auditOf(repository)).rejects.toMatchObject({
        message: expect.stringContaining('belongs to someone else'),
        remedy: expect.stringContaining('safe.directory'),
      });
    },
  );

  it('no commit yet, and a revision that is none', async () => {
    const repository = scripted();
    await expect(auditOf(repository)).rejects.toThrow(/no commit yet/);
    repository.commit({ a: 'one\n' });
    await expect(
      auditRepository({
        directory: repository.directory,
        revision: '--output=x',
        cacheDirectory: null,
        nowMs: 1_900_000_000_000,
      }),
    ).rejects.toThrow(/No commit is named --output=x/);
  });
});

describe('a damaged repository', () => {
  it('a lost file content: that file is left out and counted, the rest is followed', async () => {
    const repository = scripted();
    repository.commit({ a: 'one\n', 'b [c]': 'lost later\n' });
    repository.commit({ a: 'one\ntwo\n', 'b [c]': 'other content\n' });
    const before = await auditOf(repository);
    expect(before.document.notFollowed.filesWithoutContent).toBe(0);
    loseObject(repository, 'HEAD~:b [c]');
    const { document, linesAt } = await auditOf(repository);
    expect(document.notFollowed.filesWithoutContent).toBe(1);
    expect(document.commits).toBe(2);
    expect(linesAt('a')).toBe(2);
    expect(linesAt('b [c]')).toBeUndefined();
    expect(notFollowedInWords(document)).toContain('1 file of which the repository lacks some content: left out');
  });

  it('is not kept in the cache, so that what is fetched later counts', async () => {
    const repository = scripted();
    repository.commit({ a: 'one\n', b: 'two\n' });
    const id = repository.git('rev-parse', 'HEAD:b').trim();
    loseObject(repository, 'HEAD:b');
    const run = () =>
      auditRepository({
        directory: repository.directory,
        cacheDirectory: join(repository.directory, '.git/cache'),
        nowMs: 1_900_000_000_000,
      });
    expect((await run()).document.notFollowed.filesWithoutContent).toBe(1);
    expect(repository.git('hash-object', '-w', 'b').trim()).toBe(id);
    expect((await run()).document).toMatchObject({ lines: 2, notFollowed: { filesWithoutContent: 0 } });
  });

  it('a cache that cannot be written costs the next run time, not this one its result', async () => {
    const repository = scripted();
    repository.commit({ a: 'one\n' });
    const cacheDirectory = join(repository.directory, 'a/cache');
    const options = { directory: repository.directory, cacheDirectory, nowMs: 1_900_000_000_000 };
    const { document, notCached } = await auditRepository(options);
    expect(document.lines).toBe(1);
    expect(notCached).toMatch(/ENOTDIR/);
  });

  it('a clone without contents fetches nothing and says how to get them', async () => {
    const repository = scripted();
    repository.commit(Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`f${i}`, `content ${i}\n`])));
    repository.git('config', 'uploadpack.allowFilter', 'true');
    const clone = scripted();
    clone.git('remote', 'add', 'origin', `file://${repository.directory}`);
    clone.git('fetch', '-q', '--filter=blob:none', 'origin', 'main');
    clone.git('update-ref', 'refs/heads/main', 'FETCH_HEAD');
    await expect(auditOf(clone)).rejects.toMatchObject({
      message: expect.stringContaining('501 files'),
      remedy: expect.stringContaining('git fetch'),
    });
    expect(clone.git('rev-list', '--objects', '--missing=print', 'main').match(/^\?/gm)).toHaveLength(501);
  });

  it.each([
    ['HEAD', 'cannot be read'],
    ['HEAD~', 'Could not read'],
  ])('a lost commit, %s: says that, not that there is none', async (lost, said) => {
    const repository = scripted();
    for (const text of ['one\n', 'one\ntwo\n']) repository.commit({ a: text });
    loseObject(repository, lost);
    await expect(auditOf(repository)).rejects.toMatchObject({
      message: expect.stringContaining(said),
      remedy: expect.stringContaining('git fsck'),
    });
  });

  it('a lost folder, and a pack with wrong bytes: says that, and how to find out more', async () => {
    const repository = scripted();
    repository.commit({ 'folder/a': 'one\n' });
    loseObject(repository, 'HEAD:folder');
    await expect(auditOf(repository)).rejects.toMatchObject({
      code: 'LATHE_HISTORY_GIT',
      remedy: expect.stringContaining('git fsck'),
    });

    const packed = scripted();
    packed.commit({ a: Array.from({ length: 400 }, (_, i) => `${(i * 7919) % 1009} of them\n`).join('') });
    packed.git('repack', '-q', '-a', '-d');
    const folder = join(packed.directory, '.git/objects/pack');
    const pack = join(folder, readdirSync(folder).find((name) => name.endsWith('.pack')) ?? '');
    const bytes = readFileSync(pack);
    bytes.fill(0x55, bytes.length - 400, bytes.length - 100);
    rmSync(pack, { force: true });
    writeFileSync(pack, bytes);
    await expect(auditOf(packed)).rejects.toMatchObject({
      code: 'LATHE_HISTORY_GIT',
      remedy: expect.stringContaining('git fsck'),
    });
  });
});

describe('strange contents', () => {
  it('a single line of 200 MB is followed as one line', async () => {
    const repository = scripted();
    repository.git('config', 'core.compression', '1');
    const line = Buffer.alloc(200_000_000, 'x');
    repository.commit({ 'long.txt': Buffer.concat([Buffer.from('first\n'), line, Buffer.from('\nlast\n')]) });
    expect((await auditOf(repository)).linesAt('long.txt')).toBe(3);
  }, 60_000);

  it('of two long lines that differ far in, one replaces the other', async () => {
    const repository = scripted();
    const long = (length: number) => `first\n${'x'.repeat(length)}\nlast\n`;
    repository.commit({ 'long.txt': long(3_000_000) });
    const last = repository.commit({ 'long.txt': long(3_000_001) });
    const { history } = await auditOf(repository);
    const [, record] = history.tree.get('long.txt')?.lines ?? [];
    expect(history.commits[history.table.born[record]].id).toBe(last);
  });

  it('names that are not UTF-8, changed and renamed', async () => {
    const repository = scripted();
    const name = Buffer.from([0x6e, 0xe4, 0xff, 0x2e, 0x6a, 0x73]);
    const path = Buffer.concat([Buffer.from(`${repository.directory}/`), name]);
    writeFileSync(path, 'one of them\n');
    repository.commit({});
    writeFileSync(path, 'one of them\ntwo of them\n');
    repository.commit({});
    const { document, linesAt } = await auditOf(repository);
    expect(linesAt(name.toString('latin1'))).toBe(2);
    expect(document.operations.added).toBe(2);
    expect(document.notFollowed.misfitFiles).toBe(0);
  });

  it('a submodule that comes, changes, turns into a folder and goes', async () => {
    const repository = scripted();
    const first = repository.commit({ a: 'one\n' });
    const second = repository.commit({ a: 'one\ntwo\n' });
    for (const id of [first, second]) {
      repository.git('update-index', '--add', '--cacheinfo', `160000,${id},sub`);
      repository.git('commit', '-q', '-m', 'submodule');
    }
    repository.git('rm', '-q', '--cached', 'sub');
    repository.commit({ 'sub/file': 'inside\n' });
    repository.commit({ 'sub/file': null });
    const { document, linesAt } = await auditOf(repository);
    expect(document.commits).toBe(6);
    expect(linesAt('a')).toBe(2);
    expect(document.notFollowed).toMatchObject({ misfitFiles: 0, binaryFiles: 0 });
  });

  it('a file that becomes a folder and a folder that becomes a file, in one commit', async () => {
    const repository = scripted();
    repository.commit({ turn: 'a line of the file\n', 'back/inside': 'a line of the folder\n' });
    rmSync(join(repository.directory, 'turn'));
    rmSync(join(repository.directory, 'back'), { recursive: true });
    repository.commit({ 'turn/inside': 'a line of the file\nmore\n', back: 'a line of the folder\nmore\n' });
    const { document, linesAt } = await auditOf(repository);
    expect([linesAt('turn/inside'), linesAt('back')]).toEqual([2, 2]);
    expect(document.notFollowed.misfitFiles).toBe(0);
  });

  it('line ends that flip, by autocrlf and by hand, end no life', async () => {
    const repository = scripted();
    const text = 'first of these\nsecond of these\n';
    repository.commit({ a: text });
    repository.commit({ a: text.replaceAll('\n', '\r\n') });
    repository.git('config', 'core.autocrlf', 'true');
    repository.commit({ a: `${text.replaceAll('\n', '\r\n')}third of these\r\n` });
    const { document } = await auditOf(repository);
    expect(document.operations).toMatchObject({ added: 3, deleted: 0, updated: 0, noop: 1 });
  });
});

describe('strange commits', () => {
  it('names by .mailmap and messages in latin1 are read as they are meant', async () => {
    const repository = scripted();
    repository.commit({ '.mailmap': 'release[bot] <bot@example.org> <ada@example.org>\n', a: 'one\n' });
    repository.git('config', 'i18n.commitEncoding', 'ISO-8859-1');
    const message = join(repository.directory, '.git/message');
    writeFileSync(message, Buffer.from('Schöne Änderung\n\nCo-authored-by: Zoë Claude <zoe@example.org>\n', 'latin1'));
    repository.write('a', 'one\ntwo\n');
    repository.git('commit', '-q', '-a', '-F', message);
    const { history } = await auditOf(repository);
    expect(history.commits.map(({ author, origin }) => `${author} ${origin}`)).toEqual([
      'bot hand-made',
      'bot assistant-made',
    ]);
  });

  it('a bare repository is audited like any other', async () => {
    const repository = scripted();
    repository.commit({ a: 'one\ntwo\n' });
    const bare = scripted('--bare');
    repository.git('push', '-q', bare.directory, 'main');
    expect((await auditOf(bare)).linesAt('a')).toBe(2);
  });
});
