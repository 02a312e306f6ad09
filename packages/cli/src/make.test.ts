import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunDocument } from '@lathe/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import { withoutIsolation } from './testing/isolation.ts';
import { startModelServer } from './testing/model-server.ts';
import { initRepository, repositoryWithHole, type TestRepository } from './testing/repository.ts';
import { cacheHome, type Ended, runLathe } from './testing/run-lathe.ts';

const isolated = describe.skipIf(withoutIsolation !== null);
const note = withoutIsolation ?? '';

const right = '```js\nexport function double(number) {\n  return number * 2;\n}\n```';
const other = '```js\nexport function double(number) {\n  return number + number;\n}\n```';
const wrong = '```js\nexport function double(number) {\n  return number + 1;\n}\n```';
const nonsense = 'I am sorry, I cannot do that.';

const at = ['--at', 'src/double.js:double'];
const model = ['--model', 'openai:scripted'];

function parse({ stdout, stderr }: Ended): RunDocument {
  try {
    return RunDocument.parse(JSON.parse(stdout));
  } catch (error) {
    throw new Error(`not the contract's document: ${error}\n${stdout}\n${stderr}`);
  }
}

isolated(`make, over a server that speaks the OpenAI interface${note}`, () => {
  let repository: TestRepository;
  let ended: Ended;

  beforeAll(async () => {
    await using server = await startModelServer([right, wrong, nonsense, other, right]);
    repository = repositoryWithHole();
    repository.write('notes.txt', 'not committed\n');
    ended = await runLathe(['make', ...at, ...model, '-n', '5', '--json'], {
      cwd: repository.root,
      env: { OPENAI_BASE_URL: server.url },
    });
  });

  test('each end is told once, in a line on stderr', () => {
    for (const n of [1, 2, 3, 4, 5])
      expect(ended.stderr.match(new RegExp(`^c${n} (passed|failed|invalid)`, 'gm')), ended.stderr).toHaveLength(1);
  });

  test('a candidate passed: exit 0, and stdout is exactly the document of the contract', () => {
    expect(ended.status, ended.stderr).toBe(0);
    const run = parse(ended);
    expect(run.candidates.map(({ status }) => status).sort()).toEqual([
      'failed',
      'invalid',
      'passed',
      'passed',
      'passed',
    ]);
    expect(run.best).toBe(run.ranking[0]!.id);
    expect(run.candidates.find(({ id }) => id === run.best)!.status).toBe('passed');
    expect(run.statistics).toMatchObject({ n: 5, passed: 3 });
    expect(run.baseChecks).toMatchObject([{ command: 'npm test', outcome: 'failed' }]);
    expect(run.totals.tokens.completion).toBeGreaterThan(0);
    expect(run.kept).toBeNull();
  });

  test('what is said goes to stderr: the check that was found, the uncommitted file, no colours', () => {
    expect(ended.stderr).toMatch(/npm test \(found in package\.json/);
    expect(ended.stderr).toMatch(/1 uncommitted file \(notes\.txt\)/);
    expect(ended.stderr).not.toContain('\u001b');
  });

  test('every usable candidate is a commit, and the checkout is as it was', () => {
    const run = parse(ended);
    for (const candidate of run.candidates) {
      if (candidate.status === 'invalid') continue;
      expect(repository.git('rev-parse', '--verify', candidate.ref!)).toMatch(/^[0-9a-f]{40}$/m);
    }
    expect(repository.git('status', '--porcelain')).toBe('?? notes.txt\n');
    expect(repository.git('branch', '--list')).toBe('* main\n');
  });

  test('no copy is left', () => {
    expect(readdirSync(join(cacheHome, 'lathe/work'))).toEqual([]);
  });

  test('list, show and compare tell of it, as words and as JSON', async () => {
    const { root: cwd } = repository;
    const run = parse(ended);
    const list = await runLathe(['list'], { cwd });
    expect(list.stdout).toMatch(new RegExp(`${run.runId}.*passed.*${run.best}.*src/double\\.js:double`));
    const listed = JSON.parse((await runLathe(['list', '--json'], { cwd })).stdout);
    expect(listed).toMatchObject({ schemaVersion: 1, runs: [{ runId: run.runId, outcome: 'passed', n: 5 }] });

    const shown = await runLathe(['show', run.runId.slice(0, 3), '--json'], { cwd });
    expect(parse(shown)).toEqual(run);
    const diff = await runLathe(['show', 'last', '--diff'], { cwd });
    expect(diff.stdout).toMatch(/^diff --git a\/src\/double\.js[\s\S]*^\+ {2}return number/m);
    const failed = run.candidates.find(({ status }) => status === 'failed')!;
    const evidence = await runLathe(['show', 'last', failed.id], { cwd });
    expect(evidence.stdout).toMatch(/npm test {2}failed: exit 1[\s\S]*expected 42, got 22/);

    const compared = JSON.parse((await runLathe(['compare', 'last', run.best!, failed.id, '--json'], { cwd })).stdout);
    expect(compared).toMatchObject({ schemaVersion: 1, a: { rank: 1 }, b: { candidate: { status: 'failed' } } });
    expect(compared.diff).toMatch(/^-.*return[\s\S]*^\+.*number \+ 1/m);
    expect(list.stdout + diff.stdout + evidence.stdout).not.toContain('\u001b');
  });

  test('keep applies it to the checkout with its provenance, and is recorded', async () => {
    const { root: cwd } = repository;
    const run = parse(ended);
    const kept = await runLathe(['keep', 'last', run.best!, '--json'], { cwd });
    expect(JSON.parse(kept.stdout)).toEqual({
      schemaVersion: 1,
      runId: run.runId,
      id: run.best,
      files: ['src/double.js'],
      commit: null,
    });
    expect(repository.git('diff', '--name-only')).toBe('src/double.js\n');
    expect(parse(await runLathe(['show', 'last', '--json'], { cwd })).kept).toBe(run.best);
  });

  test('keep refuses where the checkout has gone another way, shows the conflict, and changes nothing', async () => {
    const { root: cwd } = repository;
    const run = parse(ended);
    const failed = run.candidates.find(({ status }) => status === 'failed')!;
    const before = readFileSync(join(cwd, 'src/double.js'), 'utf8');
    const refused = await runLathe(['keep', 'last', failed.id], { cwd });
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/conflict[\s\S]*number \+ 1/);
    expect(readFileSync(join(cwd, 'src/double.js'), 'utf8')).toBe(before);
  });

  test('clean leaves the evidence and says so', async () => {
    const cleaned = JSON.parse((await runLathe(['clean', '--json'], { cwd: repository.root })).stdout);
    expect(cleaned).toMatchObject({ schemaVersion: 1, dryRun: false, removed: [] });
    expect(cleaned.left).toMatchObject([{ why: expect.stringContaining('evidence') }]);
  });
});

isolated(`exit statuses of make${note}`, () => {
  test('10 where none passed', async () => {
    await using server = await startModelServer([wrong]);
    const { root: cwd } = repositoryWithHole();
    const ended = await runLathe(['make', ...at, ...model, '-n', '2', '--json'], {
      cwd,
      env: { OPENAI_BASE_URL: server.url },
    });
    expect(ended.status, ended.stderr).toBe(10);
    expect(parse(ended)).toMatchObject({ best: null, ranking: [{ id: 'c1' }] });
  });

  test('a server that answers nothing but errors: a pipe is told too, and so is who reads the end', async () => {
    await using server = await startModelServer([{ status: 500, message: 'boom' }]);
    const args = ['make', ...at, ...model, '-n', '2', '--max-seconds', '4'];
    const broken = await runLathe(args, { cwd: repositoryWithHole().root, env: { OPENAI_BASE_URL: server.url } });
    expect(broken.status, broken.stderr).toBe(11);
    expect(broken.stderr).toMatch(/note {4}500 boom; again in \d s/);
    expect(broken.stdout).toMatch(/last heard of a model: 500 boom/);
  });

  test('11 where the time was up before one passed', async () => {
    await using server = await startModelServer(['hang']);
    const { root: cwd } = repositoryWithHole();
    const args = ['make', ...at, ...model, '-n', '2', '--max-seconds', '1', '--json'];
    const ended = await runLathe(args, { cwd, env: { OPENAI_BASE_URL: server.url } });
    expect(ended.status, ended.stderr).toBe(11);
    expect(parse(ended).best).toBeNull();
  });

  test('1 where the model refuses, with what to do and no stack trace', async () => {
    await using server = await startModelServer([{ status: 401, message: 'bad key' }]);
    const { root: cwd } = repositoryWithHole();
    const ended = await runLathe(['make', ...at, ...model, '-n', '2', '--json'], {
      cwd,
      env: { OPENAI_BASE_URL: server.url },
    });
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toMatch(/lathe resume \w+\s[\s\S]*OPENAI_API_KEY/);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  test('--keep best applies the best in one go', async () => {
    await using server = await startModelServer([wrong, right]);
    const repository = repositoryWithHole();
    const args = ['make', ...at, ...model, '-n', '2', '--keep', 'best'];
    const ended = await runLathe(args, { cwd: repository.root, env: { OPENAI_BASE_URL: server.url } });
    expect(ended.status, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/kept c\d: 1 file/);
    expect(repository.git('diff')).toMatch(/^\+ {2}return number \* 2;/m);
    expect(ended.stdout + ended.stderr).not.toContain('\u001b');
  });

  test('an instruction from a task file, with its options in the front matter', async () => {
    const edit = 'src/double.js\n```js\nexport const double = (number) => number * 2;\n```';
    await using server = await startModelServer([edit]);
    const repository = repositoryWithHole();
    repository.write(
      'task.md',
      '---\nmodel: openai:scripted\nn: 1\ncheck: node test.js\n---\nRewrite src/double.js so that its test passes.\n',
    );
    const ended = await runLathe(['make', '--task', 'task.md', '--json'], {
      cwd: repository.root,
      env: { OPENAI_BASE_URL: server.url },
    });
    expect(parse(ended).candidates).toHaveLength(1);
    expect(parse(ended).candidates[0]!.checks[0]?.command).toBe('node test.js');
  });
});

isolated(`agents${note}`, () => {
  test('a command works in a copy of its own, and what it did there becomes the candidate', async () => {
    const repository = repositoryWithHole();
    const agent = `agent:sed -i 's/throw.*/return number * 2;/' src/double.js && echo changed > package-lock.json`;
    const args = ['make', 'make the test pass', '--model', agent, '-n', '2', '--json'];
    const ended = await runLathe(args, { cwd: repository.root });
    expect(ended.status, ended.stderr).toBe(0);
    const run = parse(ended);
    expect(run.candidates).toMatchObject([
      { status: 'passed', diff: { files: 1, added: 1, deleted: 1 }, reverted: ['package-lock.json'] },
      { status: 'passed' },
    ]);
    expect(run.statistics).toMatchObject({ passed: 2, distinct: 1, duplicates: 1 });
    expect(repository.git('status', '--porcelain')).toBe('');
  });
});

/** A PATH on which only these programs are found. */
function pathWith(...programs: string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'lathe-path-'));
  for (const program of programs) {
    symlinkSync(execFileSync('which', [program], { encoding: 'utf8' }).trim(), join(directory, program));
  }
  return directory;
}

test('without a sandbox nothing runs: exit 1, what is missing, and the command that mends it', async () => {
  const repository = repositoryWithHole();
  const ended = await runLathe(['make', ...at, '--model', 'agent:true', '--json'], {
    cwd: repository.root,
    env: { PATH: pathWith('git', 'unshare', 'setpriv', 'mount', 'prlimit', 'nsenter') },
  });
  expect(ended).toMatchObject({ status: 1, stdout: '' });
  expect(ended.stderr).toMatch(/bubblewrap: not found[\s\S]*install/);
  expect(repository.git('for-each-ref', 'refs/lathe')).toBe('');
});

describe('refusals before anything is made', () => {
  const refused: [string, () => TestRepository, string[], number, RegExp][] = [
    ['no task', repositoryWithHole, [...model], 2, /nothing to make/],
    ['a function that is not there', repositoryWithHole, ['--at', 'src/double.js:triple', ...model], 3, /triple/],
    ['a file that is not there', repositoryWithHole, ['--at', 'src/nothing.js:double', ...model], 3, /nothing\.js/],
    ['no check', withoutChecks, [...at, ...model], 2, /no check was named[\s\S]*--check/],
    ['a model of no known kind', repositoryWithHole, [...at, '--model', 'magic'], 2, /magic/],
    ['a dial beyond 1', repositoryWithHole, [...at, ...model, '--distinct', '2'], 2, /distinct/],
    [
      'candidates drawn to differ from an agent',
      repositoryWithHole,
      [...at, '--model', 'agent:true', '--distinct'],
      2,
      /local model/,
    ],
    ['a hosted model without a key', repositoryWithHole, [...at, ...model], 1, /OPENAI_API_KEY/],
    ['a repository without commits', withoutCommits, [...at, ...model], 1, /no commit/],
    ['a bare repository', bare, [...at, ...model], 1, /bare/],
    ['a merge with conflicts', midMerge, [...at, ...model], 1, /conflict/],
  ];

  test.each(refused)('%s', async (_title, prepare, args, status, message) => {
    const repository = prepare();
    const ended = await runLathe(['make', ...args, '--json'], { cwd: repository.root });
    expect(ended).toMatchObject({ status, stdout: '' });
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    if (existsSync(join(repository.root, '.git'))) expect(repository.git('for-each-ref', 'refs/lathe')).toBe('');
  });

  test('a folder that is no repository', async () => {
    const ended = await runLathe(['list'], { cwd: '/' });
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toMatch(/not in a git repository/);
  });

  function withoutChecks(): TestRepository {
    const repository = repositoryWithHole();
    repository.write('package.json', '{"name":"sample","type":"module"}\n');
    return repository;
  }

  function withoutCommits(): TestRepository {
    return initRepository();
  }

  function bare(): TestRepository {
    const repository = repositoryWithHole();
    const root = `${repository.root}.git`;
    repository.git('clone', '-q', '--bare', repository.root, root);
    return { ...repository, root };
  }

  function midMerge(): TestRepository {
    const repository = repositoryWithHole();
    repository.git('switch', '-q', '-c', 'other');
    repository.write('test.js', 'one\n');
    repository.git('commit', '-qam', 'One');
    repository.git('switch', '-q', 'main');
    repository.write('test.js', 'two\n');
    repository.git('commit', '-qam', 'Two');
    try {
      repository.git('merge', '-q', 'other');
    } catch {
      // It stops with the conflict that the test is about.
    }
    return repository;
  }
});

isolated(`repositories in unusual states${note}`, () => {
  test.each<[string, (repository: TestRepository) => void]>([
    ['a detached head', ({ git }) => git('switch', '-q', '--detach')],
    ['an index that another git has locked', ({ write }) => write('.git/index.lock', '')],
    [
      'a file deleted and another staged',
      ({ root, git, write }) => {
        write('more.txt', 'x');
        git('add', 'more.txt');
        git('rm', '-q', '--cached', 'package.json');
        write('package.json', readFileSync(join(root, 'package.json'), 'utf8'));
      },
    ],
  ])('%s: works, and nothing of the user is touched', async (_title, change) => {
    await using server = await startModelServer([right]);
    const repository = repositoryWithHole();
    change(repository);
    const before = repository.git('status', '--porcelain=v2', '--branch');
    const ended = await runLathe(['make', ...at, ...model, '-n', '1', '--check', 'node test.js', '--json'], {
      cwd: repository.root,
      env: { OPENAI_BASE_URL: server.url },
    });
    expect(ended.status, ended.stderr).toBe(0);
    expect(repository.git('status', '--porcelain=v2', '--branch')).toBe(before);
  });
});
