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
  return repository;
}

function record(revision: string | null, path: string, ranges: unknown[], type = 'ai'): string {
  return JSON.stringify({
    version: '0.1.0',
    id: '550e8400-e29b-41d4-a716-446655440000',
    timestamp: '2026-01-23T14:30:00Z',
    ...(revision === null ? {} : { vcs: { type: 'git', revision } }),
    tool: { name: 'cursor', version: '2.4.0' },
    files: [{ path, conversations: [{ contributor: { type, model_id: 'openai/gpt-4o' }, ranges }] }],
  });
}

async function originsOf(repository: ScriptedRepository, path: string) {
  const { history, document } = await auditRepository({
    directory: repository.directory,
    cacheDirectory: null,
    nowMs: 1_900_000_000_000,
  });
  const origins = [...(history.tree.get(path)?.lines ?? [])].map((line) => {
    const original = history.table.original.get(line);
    return (original === undefined ? history.commits[history.table.began[line]] : history.rewrites.originals[original])
      .origin;
  });
  return { origins, document };
}

const HAND = 'hand-made';
const MADE = 'assistant-made';

describe('Agent Trace records', () => {
  it('written while the commit they build on was checked out, in the working tree: lines of its child', async () => {
    const repository = scripted();
    const base = repository.commit({ a: 'old line\n' });
    repository.commit({ a: 'old line\nby hand\nby machine\nby machine too\n', '.gitignore': '.agent-trace\n' });
    repository.write('.agent-trace/traces.jsonl', `${record(base, 'a', [{ start_line: 3, end_line: 4 }])}\n`);
    expect((await originsOf(repository, 'a')).origins).toEqual([HAND, HAND, MADE, MADE]);
  });

  it('committed, of the revision itself; a range may say otherwise than its conversation', async () => {
    const repository = scripted();
    const made = repository.commit(
      { a: 'first of them\nsecond of them\nthird of them\n' },
      { message: 'Add\n\nCo-authored-by: Copilot <copilot@github.com>' },
    );
    const ranges = [
      { start_line: 1, end_line: 3 },
      { start_line: 2, end_line: 2, contributor: { type: 'human' } },
    ];
    repository.commit({ '.agent-trace/traces.jsonl': `${record(made, 'a', ranges)}\n` });
    expect((await originsOf(repository, 'a')).origins).toEqual([MADE, HAND, MADE]);
  });

  it('in a git note: lines of the commit it is on, not all of them', async () => {
    const repository = scripted();
    repository.commit({ a: 'first of them\nsecond of them\n' });
    repository.git('notes', '--ref=ai', 'add', '-m', record(null, 'a', [{ start_line: 2, end_line: 2 }]));
    expect((await originsOf(repository, 'a')).origins).toEqual([HAND, MADE]);
  });

  it('that are none, or name no revision, are counted', async () => {
    const repository = scripted();
    repository.commit({ a: 'one\n' });
    repository.write(
      '.agent-trace/traces.jsonl',
      `{"files": 3}\nnot json\n${record(null, 'a', [{ start_line: 1, end_line: 1 }])}\n`,
    );
    const { origins, document } = await originsOf(repository, 'a');
    expect(origins).toEqual([HAND]);
    expect(document.notFollowed.unreadTraces).toBe(3);
  });
});
