import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type LedgerReport, openRunStore } from '@lathe/ledger';
import type { Event } from '@lathe/protocol';
import { describe, expect, test } from 'vitest';
import { initRepository, type TestRepository } from '../testing/repository.ts';
import { runLathe } from '../testing/run-lathe.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);

/** A repository whose commits are dated, and a record of runs beside it. */
function datedRepository() {
  const repository = initRepository();
  const git = (day: number, ...args: string[]) => {
    const date = new Date(START_MS + day * DAY_MS).toISOString();
    const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
    return execFileSync('git', args, { cwd: repository.root, encoding: 'utf8', env }).trim();
  };
  const commit = (day: number, path: string, content: string, message = 'Change') => {
    repository.write(path, content);
    git(day, 'add', '-A');
    git(day, 'commit', '-q', '-m', message);
    return git(day, 'rev-parse', 'HEAD');
  };
  /** A candidate's commit on HEAD, beside the branch, as a run leaves it under refs/lathe. */
  const candidate = (day: number, runId: string, path: string, content: string) => {
    const base = git(day, 'rev-parse', 'HEAD');
    const made = commit(day, path, content, 'Candidate');
    git(day, 'update-ref', `refs/lathe/${runId}/0`, made);
    git(day, 'reset', '-q', '--hard', base);
    return { base, commit: made };
  };
  return { repository, git, commit, candidate };
}

interface Recorded {
  readonly runId: string;
  readonly day: number;
  readonly made: { base: string; commit: string };
  /** Left out: nothing was kept. */
  readonly kept?: { commit: string | null; files: string[] };
}

async function record({ root }: TestRepository, { runId, day, made, kept }: Recorded): Promise<void> {
  const atMs = START_MS + day * DAY_MS;
  const events: Event[] = [
    {
      type: 'run-started',
      atMs,
      task: { kind: 'instruction', instruction: 'do it', files: [], checks: ['true'], allow: [] },
      options: {
        n: 1,
        models: ['local:a'],
        temperature: null,
        seed: 1,
        maxCostUsd: null,
        maxSeconds: null,
        concurrency: 1,
        keep: 'none',
        unsafeNoSandbox: false,
      },
      baseCommit: made.base,
      headCommit: made.base,
      uncommitted: [],
      isolation: 'none',
      repository: root,
    },
    {
      type: 'candidate-made',
      atMs,
      index: 0,
      model: 'local:a',
      seed: 1,
      outcome: 'made',
      reason: null,
      answer: '',
      tokens: { prompt: 1, completion: 1 },
      costUsd: 0,
      durationMs: 1,
      meanLogProbability: null,
    },
    {
      type: 'candidate-recorded',
      atMs,
      index: 0,
      ref: `refs/lathe/${runId}/0`,
      commit: made.commit,
      diff: { files: 1, added: 1, deleted: 0 },
      reverted: [],
      fingerprint: 'f',
    },
    { type: 'candidate-finished', atMs, index: 0, status: 'passed', reason: null, sameAs: null, durationMs: 1 },
    { type: 'ranked', atMs, ranking: [{ id: 'c1', reasons: [] }], best: 'c1' },
    {
      type: 'run-finished',
      atMs,
      outcome: 'passed',
      reason: null,
      totals: { durationMs: 1, makeMs: 1, checkMs: 1 },
    },
  ];
  if (kept !== undefined) events.push({ type: 'kept', atMs, id: 'c1', ...kept });
  const store = await openRunStore(join(root, '.git/lathe/ledger.sqlite'));
  for (const event of events) await store.append(runId, event);
  await store.close();
}

async function report({ root }: TestRepository): Promise<LedgerReport> {
  const ended = await runLathe(['ledger', '--json'], { cwd: root });
  expect(ended.status, ended.stderr).toBe(0);
  return JSON.parse(ended.stdout);
}

const body = (...names: string[]) => names.map((name) => `export const ${name} = compute("${name}");\n`).join('');

describe('ledger', () => {
  test('follows the lines of a commit that lathe made: one rewritten soon, one late, one moved, one as it was', async () => {
    const { repository, commit, candidate } = datedRepository();
    commit(0, 'src/old.js', body('old'));
    const content = body('early', 'late', 'moved', 'stays');
    const made = candidate(1, 'r1', 'src/new.js', content);
    const kept = commit(1, 'src/new.js', content, 'Keep it\n\nLathe-Run: r1');
    await record(repository, { runId: 'r1', day: 1, made, kept: { commit: kept, files: ['src/new.js'] } });
    commit(5, 'src/new.js', body('late', 'moved', 'stays'));
    repository.write('src/other.js', `${body('moved')}// and more of it, by hand\n`);
    commit(9, 'src/new.js', body('late', 'stays'));
    commit(41, 'src/new.js', body('stays'));
    const { kept: told, comparison, attempts } = await report(repository);
    expect(told.outcomes).toEqual([
      {
        runId: 'r1',
        candidate: 'c1',
        keptAt: '2026-01-02T00:00:00.000Z',
        status: 'followed',
        reason: null,
        commit: kept,
        by: 'commit',
        daysAtRisk: 40,
        lines: 4,
        fates: { survived: 1, moved: 1, churned: 1, replaced: 1, reverted: 0 },
        notFollowed: 0,
      },
    ]);
    expect(attempts).toMatchObject({ runs: 1, candidates: 1, runsPassed: 1, runsKept: 1, statuses: { passed: 1 } });
    expect(comparison).toMatchObject({ keptLines: 4, handMadeCommits: 2, tooFew: expect.stringMatching(/^1 kept/) });
  });

  test('a revert is told as one', async () => {
    const { repository, git, commit, candidate } = datedRepository();
    commit(0, 'src/a.js', body('old'));
    const made = candidate(1, 'r1', 'src/a.js', body('old', 'fresh'));
    const kept = commit(1, 'src/a.js', body('old', 'fresh'));
    await record(repository, { runId: 'r1', day: 1, made, kept: { commit: kept, files: ['src/a.js'] } });
    git(3, 'revert', '--no-edit', 'HEAD');
    const { outcomes } = (await report(repository)).kept;
    expect(outcomes).toMatchObject([{ lines: 1, fates: { reverted: 1, churned: 0 } }]);
  });

  test('what the user committed along with lines of their own is found by its content', async () => {
    const { repository, commit, candidate } = datedRepository();
    commit(0, 'src/a.js', body('old'));
    const made = candidate(1, 'r1', 'src/a.js', body('old', 'one', 'two', 'three'));
    await record(repository, { runId: 'r1', day: 1, made, kept: { commit: null, files: ['src/a.js'] } });
    commit(2, 'src/unrelated.js', body('unrelated'));
    const mixed = commit(3, 'src/a.js', `// by hand\n${body('old', 'mine', 'one', 'two', 'three')}`);
    commit(5, 'src/a.js', `// by hand\n${body('old', 'one', 'two')}`);
    const { outcomes } = (await report(repository)).kept;
    expect(outcomes).toMatchObject([
      { commit: mixed, by: 'content', lines: 3, fates: { survived: 2, churned: 1 }, notFollowed: 0, daysAtRisk: 2 },
    ]);
  });

  test('a commit that was amended since is found again by its content', async () => {
    const { repository, git, commit, candidate } = datedRepository();
    commit(0, 'src/a.js', body('old'));
    const made = candidate(1, 'r1', 'src/a.js', body('old', 'one', 'two'));
    const kept = commit(1, 'src/a.js', body('old', 'one', 'two'));
    await record(repository, { runId: 'r1', day: 1, made, kept: { commit: kept, files: ['src/a.js'] } });
    git(2, 'commit', '-q', '--amend', '-m', 'Said better');
    const amended = git(2, 'rev-parse', 'HEAD');
    const { outcomes } = (await report(repository)).kept;
    expect(outcomes).toMatchObject([{ commit: amended, by: 'content', lines: 2, fates: { survived: 2 } }]);
  });

  test('hand-made lines of a squashed branch are as old as where they were written, kept ones as old as the keep', async () => {
    const { repository, git, commit, candidate } = datedRepository();
    commit(0, 'src/a.js', body('old'));
    const content = body('k1', 'k2', 'k3', 'k4', 'k5', 'k6');
    const made = candidate(1, 'r1', 'src/kept.js', content);
    git(1, 'checkout', '-q', '-b', 'side');
    commit(1, 'src/side.js', body('s1', 's2', 's3'));
    commit(2, 'src/side.js', body('s1', 's2', 's3', 's4', 's5', 's6'));
    git(40, 'checkout', '-q', 'main');
    git(40, 'merge', '-q', '--squash', 'side');
    git(40, 'commit', '-q', '-m', 'Squashed');
    const kept = commit(40, 'src/kept.js', content, 'Keep it\n\nLathe-Run: r1');
    await record(repository, { runId: 'r1', day: 40, made, kept: { commit: kept, files: ['src/kept.js'] } });
    commit(47, 'src/kept.js', body('k1', 'k2', 'k3'));
    const { kept: told, comparison } = await report(repository);
    expect(told.outcomes).toMatchObject([{ lines: 6, fates: { survived: 3, churned: 3 } }]);
    // Kept in February, the branch's lines written in January: no month has both.
    expect(comparison).toMatchObject({ keptLines: 0, unmatchedLines: 6, handMadeLines: 0 });
  });

  test('what is not committed has no outcome yet, and says so, in words too', async () => {
    const { repository, commit, candidate } = datedRepository();
    commit(0, 'src/a.js', body('old'));
    const made = candidate(1, 'r1', 'src/a.js', body('old', 'fresh'));
    await record(repository, { runId: 'r1', day: 1, made, kept: { commit: null, files: ['src/a.js'] } });
    const { kept } = await report(repository);
    expect(kept).toMatchObject({ notFound: 1, lines: 0, outcomes: [{ status: 'not-found', daysAtRisk: null }] });
    expect(kept.outcomes[0]?.reason).toMatch(/not committed yet/);
    const ended = await runLathe(['ledger'], { cwd: repository.root });
    expect(ended.stdout).toMatch(/1 run, 1 candidate: 1 passed/);
    expect(ended.stdout).toMatch(/r1 c1 .*no commit since holds half of its lines: not committed yet/);
    expect(ended.stdout).toMatch(/too few/);
    expect(ended.stdout).toMatch(/what predicted churn in kept candidates\n {2}too few: /);
    expect(ended.stdout).toMatch(/not looked for: weaknesses and dirt that past commits added/);
  });

  test('export and import carry the record to another clone, twice without harm, and a bad line imports nothing', async () => {
    const { repository, commit, candidate } = datedRepository();
    commit(0, 'src/a.js', body('old'));
    const made = candidate(1, 'r1', 'src/a.js', body('old', 'fresh'));
    await record(repository, { runId: 'r1', day: 1, made });
    await record(repository, { runId: 'r2', day: 2, made });
    const exported = await runLathe(['ledger', 'export'], { cwd: repository.root });
    expect(exported.stdout.trimEnd().split('\n')).toHaveLength(12);
    const other = datedRepository();
    other.commit(0, 'a.js', body('a'));
    const { root } = other.repository;
    const lines = exported.stdout.split('\n');
    other.repository.write('bad.jsonl', [...lines.slice(0, 8), '{"schemaVersion":1', ...lines.slice(8)].join('\n'));
    other.repository.write('good.jsonl', exported.stdout);
    const bad = await runLathe(['ledger', 'import', 'bad.jsonl'], { cwd: root });
    expect(bad).toMatchObject({ status: 1, stdout: '' });
    expect(bad.stderr).toMatch(/line 9: not JSON.*Nothing was imported/);
    expect((await runLathe(['ledger', 'export'], { cwd: root })).stdout).toBe('');
    const good = await runLathe(['ledger', 'import', 'good.jsonl', '--json'], { cwd: root });
    expect(JSON.parse(good.stdout)).toEqual({ schemaVersion: 1, runs: 2, newEvents: 12 });
    const again = await runLathe(['ledger', 'import', 'good.jsonl'], { cwd: root });
    expect(again.stdout).toBe('read 2 runs: nothing new\n');
    expect((await runLathe(['ledger', 'export'], { cwd: root })).stdout).toBe(exported.stdout);
    const missing = await runLathe(['ledger', 'import', 'nothing.jsonl'], { cwd: root });
    expect(missing).toMatchObject({ status: 3, stdout: '' });
  });

  test.each([
    ['mysql://localhost/x', 2, /expects the address of a PostgreSQL database.*got mysql:/],
    ['postgres://me:secret@127.0.0.1:1/x', 1, /127\.0\.0\.1:1\/x cannot be reached/],
  ])(
    'LATHE_DATABASE_URL=%s is a message, also from list, and never holds the password',
    async (url, status, message) => {
      const { repository, commit } = datedRepository();
      commit(0, 'a.js', body('a'));
      for (const verb of ['ledger', 'list']) {
        const ended = await runLathe([verb], { cwd: repository.root, env: { LATHE_DATABASE_URL: url } });
        expect(ended).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) });
        expect(ended.stderr).not.toContain('secret');
      }
    },
  );

  test('asks past commits what told beforehand: here, that duplicated lines are soon taken out again', async () => {
    const { repository, commit } = datedRepository();
    commit(-2000, 'src/a.js', body('first'));
    // Every third commit pastes its lines twice, and a week later one of its files is gone.
    for (let i = 0; i < 45; i += 1) {
      const lines = body(...['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${name}${i}`));
      const pasted = i % 3 === 0;
      if (pasted) repository.write(`src/pasted${i}.js`, lines);
      commit(40 * i - 1999, `src/file${i}.js`, pasted ? lines : `${lines}${body(`more${i}`)}`);
      if (pasted && i % 2 === 0) commit(40 * i - 1992, `src/pasted${i}.js`, '');
    }
    commit(0, 'src/last.js', body('last'));
    const { prediction } = await report(repository);
    expect(prediction.kept.tooFew).not.toBeNull();
    const { tooFew, signals, skill } = prediction.commits;
    expect(tooFew).toBeNull();
    expect(signals.find(({ signal }) => /duplicate blocks|share copied/.test(signal))?.alone.low).toBeGreaterThan(1);
    expect(skill?.low).toBeGreaterThan(0);
    const words = await runLathe(['ledger'], { cwd: repository.root });
    expect(words.stdout).toMatch(/what predicted churn in past commits\n.*churned within 14 days/);
    const gated = await runLathe(['ledger', '--gates', '30', '--json'], { cwd: repository.root });
    expect(gated.status, gated.stderr).toBe(0);
    const { commits }: LedgerReport['prediction'] = JSON.parse(gated.stdout).prediction;
    expect(commits.observations).toBe(30);
    expect([...commits.constant, ...commits.signals.map(({ signal }) => signal)]).toContain('dirt added');
  });

  test('without runs it says so', async () => {
    const { repository, commit } = datedRepository();
    commit(0, 'a.js', body('a'));
    const ended = await runLathe(['ledger'], { cwd: repository.root });
    expect(ended.status, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/No runs in this repository yet/);
  });
});
