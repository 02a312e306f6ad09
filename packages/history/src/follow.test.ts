import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { auditRepository } from './audit-repository.ts';
import { type FollowedHistory, followHistory } from './follow.ts';
import type { Walk } from './git-log.ts';
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

async function follow(repository: ScriptedRepository, walk: Walk = 'all'): Promise<FollowedHistory> {
  const head = repository.git('rev-parse', 'HEAD').trim();
  return followHistory({ directory: repository.directory, head, walk, now: 2_000_000_000 });
}

/** The commit of every line of every text file at HEAD, by path. */
function origins(history: FollowedHistory): Record<string, string[]> {
  return Object.fromEntries(
    [...history.tree].map(([path, file]) => [
      path,
      [...(file.lines ?? [])].map((record) => history.commits[history.table.born[record]].id),
    ]),
  );
}

function blame(repository: ScriptedRepository, path: string): string[] {
  return repository
    .git('blame', '-w', '-s', '-l', '--root', 'HEAD', '--', path)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ')[0].replace(/^\^/, ''));
}

describe('followHistory', () => {
  it('takes a merged line from the branch it was written on', async () => {
    const repository = scripted();
    repository.commit({ a: 'one\ntwo\nthree\nfour\nfive\n' });
    repository.git('checkout', '-q', '-b', 'side');
    const side = repository.commit({ a: 'one\ntwo\nthree\nfour\nFIVE of the side\n' });
    repository.git('checkout', '-q', 'main');
    const main = repository.commit({ a: 'ONE of main\ntwo\nthree\nfour\nfive\n' });
    repository.git('merge', '-q', '--no-edit', 'side');
    const { a } = origins(await follow(repository));
    expect([a[0], a[4]]).toEqual([main, side]);
    expect(a).toEqual(blame(repository, 'a'));
  });

  it('tells a merge that swapped two lines from one that left them', async () => {
    const repository = scripted();
    const text = (...middle: string[]) => `${['one', 'two', ...middle, 'five', 'six'].join('\n')}\n`;
    repository.commit({ a: text('buffer', 'server') });
    repository.git('checkout', '-q', '-b', 'side');
    repository.commit({ a: text('server', 'buffer') });
    repository.git('checkout', '-q', 'main');
    repository.commit({ a: `zero\n${text('buffer', 'server')}` });
    repository.git('merge', '-q', '--no-edit', 'side');
    expect(origins(await follow(repository)).a).toEqual(blame(repository, 'a'));
  });

  it('does not call a binary file lost that is renamed, changes its mode or goes; one that turns into text once', async () => {
    const repository = scripted();
    repository.commit({ picture: Buffer.from([0, 1, 2, 0, 255]), turn: Buffer.from([0, 1, 2]) });
    repository.git('mv', 'picture', 'image');
    repository.commit({});
    repository.git('update-index', '--chmod=+x', 'image');
    repository.git('commit', '-q', '-m', 'mode');
    repository.commit({ turn: 'text now\n' });
    expect((await follow(repository)).notFollowed.misfitFiles).toBe(0);
    repository.commit({ turn: 'text now\nand more\n' });
    repository.commit({ turn: 'text now\nand more\nand more\n', image: null });
    expect((await follow(repository)).notFollowed.misfitFiles).toBe(1);
  });

  it('keeps the lines of a renamed file, of a file renamed on one branch and changed on the other, and of swapped files', async () => {
    const repository = scripted();
    const text = Array.from({ length: 20 }, (_, i) => `line number ${i}`).join('\n');
    repository.commit({ a: `${text}\n`, b: 'quite\nanother\nfile\n' });
    repository.git('checkout', '-q', '-b', 'side');
    repository.commit({ a: `${text}\nfrom the side\n` });
    repository.git('checkout', '-q', 'main');
    repository.git('mv', 'a', 'c');
    repository.commit({ c: `from main\n${text}\n` });
    repository.git('merge', '-q', '--no-edit', 'side');
    repository.git('mv', 'b', 'x');
    repository.git('mv', 'c', 'b');
    repository.git('mv', 'x', 'c');
    repository.commit({});
    const found = origins(await follow(repository));
    expect(Object.keys(found).sort()).toEqual(['b', 'c']);
    expect(found.b).toEqual(blame(repository, 'b'));
    expect(found.c).toEqual(blame(repository, 'c'));
  });

  it('takes a file that equals one of the other parent, under another name there, from that parent', async () => {
    const repository = scripted();
    const text = Array.from({ length: 20 }, (_, i) => `line number ${i}\n`).join('');
    repository.commit({ a: text });
    repository.git('checkout', '-q', '-b', 'next');
    repository.git('mv', 'a', 'c');
    repository.commit({});
    repository.commit({ c: `${text}both write this\n` });
    repository.git('checkout', '-q', 'main');
    repository.commit({ a: `${text}both write this\n` });
    repository.commit({ a: `${text}both write this\nand more here\n` });
    repository.git('checkout', '-q', 'next');
    repository.git('merge', '-q', '-s', 'ours', '--no-commit', 'main');
    repository.commit({ c: `${text}both write this\nand more here\n` });
    expect(origins(await follow(repository)).c).toEqual(blame(repository, 'c'));
  });

  it('reads names with spaces, quotes, line ends and bytes that are not UTF-8', async () => {
    const repository = scripted();
    repository.commit({ 'a b': 'one\n', 'q"uo\\te': 'two\n', 'new\nline': 'three\n', äé: 'four\n' });
    repository.git('config', 'core.precomposeunicode', 'false');
    const history = await follow(repository);
    expect([...history.tree.keys()].sort()).toEqual(
      ['a b', 'q"uo\\te', 'new\nline', Buffer.from('äé').toString('latin1')].sort(),
    );
    expect(history.notFollowed.misfitFiles).toBe(0);
  });

  it('follows CRLF files, files without a last newline, empty files, links, modes and a file that becomes a folder', async () => {
    const repository = scripted();
    repository.commit({ crlf: 'one\r\ntwo\r\n', bare: 'no end', empty: '', turn: 'file\n' });
    repository.git('update-index', '--chmod=+x', 'bare');
    repository.commit({ crlf: 'one\ntwo\nthree\n', bare: 'no end\nmore', turn: null });
    repository.commit({ 'turn/inside': 'file\n' });
    const history = await follow(repository);
    for (const path of ['crlf', 'bare', 'turn/inside']) {
      expect(origins(history)[path]).toEqual(blame(repository, path));
    }
    expect(history.notFollowed.misfitFiles).toBe(0);
  });

  it('ends the lines of a file that becomes a link, and begins them where it becomes a file again', async () => {
    const repository = scripted();
    repository.commit({ a: 'one\ntwo\n', b: 'three\n' });
    rmSync(join(repository.directory, 'a'));
    symlinkSync('b', join(repository.directory, 'a'));
    const linked = repository.commit({});
    const { table, commits, tree } = await follow(repository);
    expect(tree.has('a')).toBe(false);
    expect([...table.columns().died].map((commit) => commits[commit]?.id)).toEqual([linked, linked, undefined]);
    rmSync(join(repository.directory, 'a'));
    repository.commit({ a: 'one\ntwo\n' });
    repository.commit({ a: 'one\ntwo\nthree\n' });
    const history = await follow(repository);
    expect(origins(history).a).toEqual(blame(repository, 'a'));
    expect(history.notFollowed.misfitFiles).toBe(0);
  });

  it('counts binary files instead of guessing at their lines', async () => {
    const repository = scripted();
    repository.commit({ picture: Buffer.from([0, 1, 2, 0, 255]), text: 'one\n' });
    repository.commit({ picture: Buffer.from([0, 9, 9, 0, 255]) });
    const { notFollowed, tree } = await follow(repository);
    expect(notFollowed.binaryFiles).toBe(2);
    expect(tree.get('picture')?.lines).toBeNull();
  });

  it('repairs impossible dates and says so', async () => {
    const repository = scripted();
    repository.commit({ a: 'one\n' });
    repository.git('commit', '-q', '--allow-empty', '--date=@100 +0000', '-m', 'of 1970');
    repository.git('commit', '-q', '--allow-empty', '--date=@7258118400 +0000', '-m', 'of 2200');
    const { commits, notFollowed } = await follow(repository);
    expect(notFollowed.repairedDates).toBe(2);
    expect(Math.max(...commits.map((commit) => commit.time))).toBeLessThan(2_000_000_000);
  });

  it('reads a repository with SHA-256 object names', async () => {
    const repository = scripted('--object-format=sha256');
    repository.commit({ a: 'one\n' });
    repository.commit({ a: 'one\ntwo\n' });
    const found = origins(await follow(repository)).a;
    expect(found[0]).toHaveLength(64);
    expect(found).toEqual(blame(repository, 'a'));
  });

  it('agrees with git blame -w on random histories with branches, renames and merges', async () => {
    const word = fc.constantFrom('alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta', 'theta', 'iota', 'kappa');
    const line = fc.tuple(word, word, fc.nat({ max: 999 })).map(([a, b, n]) => `${a} ${b} ${n}`);
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant('edit' as const),
          file: fc.nat({ max: 2 }),
          at: fc.nat({ max: 30 }),
          drop: fc.nat({ max: 4 }),
          put: fc.array(line, { maxLength: 4 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('branch' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename' as const), file: fc.nat({ max: 2 }) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('merge' as const) }) },
    );
    let compared = 0;
    let agreed = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 10, maxLength: 20 }),
        fc.array(step, { minLength: 4, maxLength: 14 }),
        async (start, steps) => {
          const repository = scripted();
          let files: Record<string, string[]> = {
            'file-0': start,
            'file-1': start.map((text) => `${text} one`),
            'file-2': start.map((text) => `${text} two`),
          };
          const contents = () =>
            Object.fromEntries(
              Object.entries(files).map(([path, text]) => [path, text.map((one) => `${one}\n`).join('')]),
            );
          repository.commit(contents());
          let other: { name: string; files: Record<string, string[]> } | null = null;
          let branches = 0;
          for (const action of steps) {
            if (action.kind === 'edit') {
              const path = Object.keys(files).sort()[action.file];
              const text = [...files[path]];
              text.splice(Math.min(action.at, text.length), action.drop, ...action.put);
              files = { ...files, [path]: text.length > 0 ? text : ['left'] };
              repository.commit(contents());
            } else if (action.kind === 'rename') {
              const path = Object.keys(files).sort()[action.file];
              const renamed = `${path}r`;
              repository.git('mv', path, renamed);
              const { [path]: text, ...rest } = files;
              files = { ...rest, [renamed]: text };
              repository.commit(contents());
            } else if (action.kind === 'branch' && other === null) {
              other = { name: `b${branches++}`, files };
              repository.git('branch', other.name);
            } else if (action.kind === 'merge' && other !== null) {
              const merged: string = other.name;
              repository.git('checkout', '-q', merged);
              const path = Object.keys(other.files).sort()[0];
              repository.commit({
                [path]: [...other.files[path], `written on ${merged}`].map((one) => `${one}\n`).join(''),
              });
              repository.git('checkout', '-q', 'main');
              try {
                repository.git('merge', '-q', '--no-edit', '--no-ff', merged);
              } catch {
                repository.git('merge', '--abort');
              }
              files = Object.fromEntries(
                repository
                  .git('ls-files')
                  .split('\n')
                  .filter((name) => name !== '')
                  .map((name) => [name, repository.git('show', `HEAD:${name}`).replace(/\n$/, '').split('\n')]),
              );
              other = null;
              if (Object.keys(files).length < 3) break;
            }
          }
          const history = await follow(repository);
          expect(history.notFollowed.misfitFiles).toBe(0);
          const found = origins(history);
          expect(Object.keys(found).sort()).toEqual(Object.keys(files).sort());
          for (const path of Object.keys(files)) {
            const truth = blame(repository, path);
            expect(found[path]).toHaveLength(truth.length);
            compared += truth.length;
            agreed += truth.filter((commit, i) => commit === found[path][i]).length;
          }
          repository.remove();
        },
      ),
      { numRuns: 12, seed: 7 },
    );
    // Two equally good alignments of a diff differ now and then; a wrong one would cost far more.
    expect(compared).toBeGreaterThan(500);
    expect(agreed / compared).toBeGreaterThan(0.99);
  }, 120_000);
});

describe('auditRepository', () => {
  it('gives the same document from a continued cache as from a whole pass', async () => {
    const repository = scripted();
    const cacheDirectory = `${repository.directory}/.git/audit-cache`;
    repository.commit({ a: 'one line of text\ntwo lines of text\nthree lines of text\n' });
    repository.commit({ a: 'one line of text\nthree lines of text\n' });
    const run = (cache: string | null) =>
      auditRepository({ directory: repository.directory, cacheDirectory: cache, nowMs: 1_900_000_000_000 });
    expect((await run(cacheDirectory)).commitsRead).toBe(2);
    repository.commit({ b: 'two lines of text\nsomething else again\n' });
    const continued = await run(cacheDirectory);
    expect(continued.commitsRead).toBe(1);
    expect(continued.document).toEqual((await run(null)).document);
    expect(continued.document.operations).toMatchObject({ added: 4, moved: 1, deleted: 0 });
    expect((await run(cacheDirectory)).commitsRead).toBe(0);
  });

  it('starts over when a new commit hangs on an older one', async () => {
    const repository = scripted();
    const cacheDirectory = `${repository.directory}/.git/audit-cache`;
    repository.commit({ a: 'one\n' });
    repository.git('branch', 'old');
    repository.commit({ a: 'one\ntwo\n' });
    const run = () => auditRepository({ directory: repository.directory, cacheDirectory, nowMs: 1_900_000_000_000 });
    await run();
    repository.git('checkout', '-q', 'old');
    repository.commit({ b: 'of the side\n' });
    repository.git('checkout', '-q', 'main');
    repository.git('merge', '-q', '--no-edit', 'old');
    expect((await run()).commitsRead).toBe(4);
  });

  it('does not trust a damaged cache', async () => {
    const repository = scripted();
    const cacheDirectory = `${repository.directory}/.git/audit-cache`;
    repository.commit({ a: 'one\n' });
    const run = () => auditRepository({ directory: repository.directory, cacheDirectory, nowMs: 1_900_000_000_000 });
    const whole = (await run()).document;
    const file = `${cacheDirectory}/${readdirSync(cacheDirectory)[0]}`;
    const bytes = readFileSync(file);
    bytes[bytes.length - 3] ^= 255;
    writeFileSync(file, bytes);
    const again = await run();
    expect(again.commitsRead).toBe(1);
    expect(again.document).toEqual(whole);
  });

  it('tells hand-made from assistant-made lines by trailers', async () => {
    const repository = scripted();
    repository.commit({ a: Array.from({ length: 40 }, (_, i) => `by hand ${i}`).join('\n') });
    repository.commit(
      { b: Array.from({ length: 40 }, (_, i) => `by machine ${i}`).join('\n') },
      { message: 'Add b\n\nCo-authored-by: Claude <noreply@anthropic.com>' },
    );
    repository.commit({ b: null }, { days: 30 });
    const { document } = await auditRepository({
      directory: repository.directory,
      cacheDirectory: null,
      nowMs: 1_900_000_000_000,
    });
    const at30 = (group: string) => document.survival.find((point) => point.group === group && point.days === 30);
    expect(at30('origin:assistant-made')?.surviving).toBe(0);
    expect(at30('origin:hand-made')?.surviving).toBe(1);
    expect(document.comparisons[0].p).toBeLessThan(0.001);
  });

  it('says when a clone is shallow', async () => {
    const repository = scripted();
    repository.commit({ a: 'one\n' });
    repository.commit({ a: 'one\ntwo\n' });
    const clone = scripted();
    clone.git('fetch', '-q', '--depth=1', `file://${repository.directory}`, 'main');
    clone.git('reset', '-q', '--hard', 'FETCH_HEAD');
    const { document } = await auditRepository({
      directory: clone.directory,
      cacheDirectory: null,
      nowMs: 1_900_000_000_000,
    });
    expect(document.shallow).toBe(true);
    expect(document.notFollowed.notes.join(' ')).toMatch(/shallow/);
  });
});
