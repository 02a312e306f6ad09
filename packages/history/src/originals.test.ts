import { afterEach, describe, expect, it } from 'vitest';
import { auditRepository } from './audit-repository.ts';
import { ScriptedRepository } from './repository.fixture.ts';

const repositories: ScriptedRepository[] = [];
afterEach(() => {
  for (const repository of repositories.splice(0)) repository.remove();
});

function scripted(): ScriptedRepository {
  const repository = new ScriptedRepository();
  repositories.push(repository);
  repository.commit({ 'base.js': lines('base', 40) });
  return repository;
}

function lines(word: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `${word} number ${i}\n`).join('');
}

async function auditOf(repository: ScriptedRepository, originals: string[] = []) {
  const { document, history } = await auditRepository({
    directory: repository.directory,
    originals,
    cacheDirectory: null,
    nowMs: 1_900_000_000_000,
  });
  /** Author's day and origin of a file's lines, as the audit counts them. */
  const writtenIn = (path: string) =>
    [...(history.tree.get(path)?.lines ?? [])].map((record) => {
      const original = history.table.original.get(record);
      const { time, origin } =
        original === undefined ? history.commits[history.table.began[record]] : history.rewrites.originals[original];
      return `${(time - 1_700_000_000) / 86_400} ${origin}`;
    });
  return { document, writtenIn };
}

describe('what was rewritten', () => {
  it('a squashed branch: each line is as old, and as much an assistant’s, as where it was written', async () => {
    const repository = scripted();
    repository.git('checkout', '-q', '-b', 'topic');
    repository.commit({ 'new.js': lines('by hand', 6) });
    repository.commit(
      { 'new.js': lines('by hand', 6) + lines('by machine', 4) },
      { message: 'More\n\nCo-authored-by: Claude <noreply@anthropic.com>' },
    );
    repository.git('checkout', '-q', 'main');
    repository.git('merge', '-q', '--squash', 'topic');
    repository.commit(
      { 'new.js': `${lines('by hand', 6)}${lines('by machine', 4)}said only in the squash\n` },
      { days: 30 },
    );
    const { document, writtenIn } = await auditOf(repository);
    expect(document.rewrites).toEqual({ rebased: 0, squashed: 1, tracedLines: 10 });
    expect(document.notFollowed).toMatchObject({ untracedLines: 1, unmatchedCommits: 0 });
    expect(writtenIn('new.js')).toEqual([
      ...Array.from({ length: 6 }, () => '2 hand-made'),
      ...Array.from({ length: 4 }, () => '3 assistant-made'),
      '33 hand-made',
    ]);
  });

  it('a rebased commit with a new author date: its lines keep the old one, through a later move', async () => {
    const repository = scripted();
    repository.git('checkout', '-q', '-b', 'topic');
    repository.commit({ 'new.js': lines('first', 6) });
    repository.git('checkout', '-q', 'main');
    repository.commit({ 'other.js': lines('other', 5) }, { days: 10 });
    repository.git('cherry-pick', 'topic');
    repository.git('commit', '-q', '--amend', '--no-edit', '--reset-author');
    const { document, writtenIn } = await auditOf(repository);
    expect(document.rewrites).toMatchObject({ rebased: 1, squashed: 0 });
    expect(writtenIn('new.js')).toEqual(Array.from({ length: 6 }, () => '2 hand-made'));
    repository.commit({ 'new.js': null, 'moved.js': `start of it\n${lines('first', 6)}` });
    expect((await auditOf(repository)).writtenIn('moved.js').slice(1)).toEqual(
      Array.from({ length: 6 }, () => '2 hand-made'),
    );
  });

  it('a rebased commit keeps what a note says of its original', async () => {
    const repository = scripted();
    repository.git('checkout', '-q', '-b', 'topic');
    repository.commit({ 'new.js': lines('first', 6) });
    repository.git('notes', '--ref=ai', 'add', '-m', '{"model": "some model"}');
    repository.git('checkout', '-q', 'main');
    repository.commit({ 'other.js': lines('other', 5) });
    repository.git('cherry-pick', 'topic');
    expect((await auditOf(repository)).writtenIn('new.js')[0]).toBe('2 assistant-made');
  });

  it('originals under another ref are found where they are given', async () => {
    const repository = scripted();
    repository.git('checkout', '-q', '-b', 'topic');
    repository.commit({ 'new.js': lines('one', 5) });
    repository.commit({ 'new.js': lines('one', 5) + lines('two', 5) });
    repository.git('update-ref', 'refs/pull/1/head', 'topic');
    repository.git('checkout', '-q', 'main');
    repository.git('merge', '-q', '--squash', 'topic');
    repository.commit({}, { days: 9 });
    repository.git('branch', '-q', '-D', 'topic');
    expect((await auditOf(repository)).document.rewrites.squashed).toBe(0);
    expect((await auditOf(repository, ['refs/pull/*'])).document.rewrites.squashed).toBe(1);
  });

  it('a branch that was not merged, or merged after much was changed, is nobody’s original, and counted', async () => {
    const repository = scripted();
    repository.git('checkout', '-q', '-b', 'topic');
    repository.commit({ 'new.js': lines('kept', 5) + lines('thrown away', 5) });
    repository.git('checkout', '-q', 'main');
    repository.commit({ 'new.js': lines('kept', 5) + lines('written anew', 5) });
    const { document, writtenIn } = await auditOf(repository);
    expect(document.rewrites).toEqual({ rebased: 0, squashed: 0, tracedLines: 0 });
    expect(document.notFollowed.unmatchedCommits).toBe(1);
    expect(writtenIn('new.js')[0]).toBe('3 hand-made');
  });

  it('a copy made on another branch later is no original', async () => {
    const repository = scripted();
    repository.commit({ 'new.js': lines('first', 8) });
    repository.git('checkout', '-q', '-b', 'release', 'HEAD~');
    repository.commit({ 'new.js': lines('first', 8) }, { days: 20 });
    repository.git('checkout', '-q', 'main');
    const { document, writtenIn } = await auditOf(repository);
    expect(document.rewrites).toMatchObject({ rebased: 0, squashed: 0 });
    expect(writtenIn('new.js')[0]).toBe('2 hand-made');
  });

  it('two short lines of another author are no evidence; the same author’s whole commit is', async () => {
    const repository = scripted();
    repository.git('checkout', '-q', '-b', 'topic');
    repository.commit({ 'new.js': 'bump to version two\n' });
    repository.git('checkout', '-q', 'main');
    repository.commit({ 'new.js': 'bump to version two\n' }, { days: 40 });
    expect((await auditOf(repository)).document.rewrites.rebased).toBe(1);
    repository.git('commit', '-q', '--amend', '--no-edit', '--author=Bob <bob@example.org>');
    expect((await auditOf(repository)).document.rewrites.rebased).toBe(0);
  });
});
