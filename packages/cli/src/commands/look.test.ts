import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditDocument } from '@lathe/history';
import { Finding, NotLookedFor } from '@lathe/protocol';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { initRepository, repositoryWithHole } from '../testing/repository.ts';
import { runLathe, startLathe } from '../testing/run-lathe.ts';

const ScanDocument = z.object({
  schemaVersion: z.literal(1),
  findings: z.array(Finding),
  notLookedFor: z.array(NotLookedFor),
  suppressed: z.int(),
});

const safe = 'export const find = (db, name) => db.query("SELECT id FROM users WHERE name = ?", [name]);\n';
const injectable = `export const find = (db, name) => db.query("SELECT id FROM users WHERE name = '" + name + "'");\n`;

describe('scan', () => {
  test('a folder that is no repository: the findings of the contract, SARIF beside them, and 12 where asked to fail', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'lathe-scan-'));
    writeFileSync(join(cwd, 'users.js'), injectable);
    const args = ['scan', '.', '--json', '--sarif', 'out.sarif', '--fail-on', 'high'];
    const ended = await runLathe(args, { cwd });
    expect(ended.status, ended.stderr).toBe(12);
    const { findings } = ScanDocument.parse(JSON.parse(ended.stdout));
    expect(findings).toMatchObject([{ kind: 'security', cwe: 'CWE-89', path: 'users.js', line: 1 }]);
    const sarif = JSON.parse(readFileSync(join(cwd, 'out.sarif'), 'utf8'));
    expect(sarif).toMatchObject({ version: '2.1.0', runs: [{ results: [{ ruleId: findings[0]!.rule }] }] });
  });

  test('against a base only what the checkout adds is found, ignored files left out', async () => {
    const repository = initRepository();
    repository.write('old.js', injectable);
    repository.write('new.js', safe);
    repository.write('.gitignore', 'made.js\n');
    repository.git('add', '-A');
    repository.git('commit', '-q', '-m', 'First');
    repository.write('new.js', injectable.replaceAll('users', 'groups'));
    repository.write('made.js', injectable);
    const ended = await runLathe(['scan', '.', '--base', 'HEAD', '--json'], { cwd: repository.root });
    expect(ended.status, ended.stderr).toBe(0);
    const { findings } = ScanDocument.parse(JSON.parse(ended.stdout));
    expect(findings.filter(({ kind }) => kind === 'security').map(({ path }) => path)).toEqual(['new.js']);
  });

  test('against a base the dirt of the change is found: weaker tests, dead exports, copies, empty comments', async () => {
    const repository = initRepository();
    const block = Array.from({ length: 6 }, (_, i) => `  const part${i} = list[${i}].trim().toUpperCase();`).join('\n');
    repository.write('src/names.js', `export function names(list) {\n${block}\n  return part0 + part5;\n}\n`);
    repository.write('src/use.js', "import { names } from './names.js';\nnames([]);\n");
    repository.write('src/names.test.js', "it('works', () => {\n  expect(a()).toBe(1);\n  expect(b()).toBe(2);\n});\n");
    repository.git('add', '-A');
    repository.git('commit', '-q', '-m', 'First');
    repository.write('src/names.test.js', "it.skip('works', () => {\n  expect(true).toBe(true);\n});\n");
    repository.write(
      'src/more.js',
      `export function more(list) {\n${block}\n  // return the part\n  return part;\n}\n`,
    );
    const ended = await runLathe(['scan', '.', '--base', 'HEAD', '--json'], { cwd: repository.root });
    const { findings } = ScanDocument.parse(JSON.parse(ended.stdout));
    expect(findings.map(({ rule, path }) => [rule, path])).toEqual([
      ['lathe/dead-export', 'src/more.js'],
      ['lathe/duplicate-block', 'src/more.js'],
      ['lathe/comment-repeats-code', 'src/more.js'],
      ['lathe/test-weakened', 'src/names.test.js'],
    ]);
  });

  test('settings turn rules off and weigh them otherwise; comments with a reason silence and are counted', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'lathe-scan-'));
    writeFileSync(join(cwd, 'users.js'), injectable);
    writeFileSync(join(cwd, 'run.js'), 'export const run = (text) => eval(text);\n');
    writeFileSync(
      join(cwd, 'known.js'),
      'export const run = (text) => eval(text); // lathe-ignore code-from-data, detect-eval-with-expression -- a calculator\n',
    );
    mkdirSync(join(cwd, '.lathe'));
    writeFileSync(
      join(cwd, '.lathe/gates.yml'),
      'rules:\n  lathe/sql-from-text: off\n  lathe/sql-text: off\n  lathe/code-from-data: critical\n  eslint/*: off\n',
    );
    const read = await runLathe(['scan', '.'], { cwd });
    expect(read.stdout).toMatch(/\d more silenced by comments/);
    const ended = await runLathe(['scan', '.', '--json', '--fail-on', 'critical'], { cwd });
    expect(ended.status, ended.stderr).toBe(12);
    const document = ScanDocument.parse(JSON.parse(ended.stdout));
    expect(document.findings.map(({ rule, path, severity }) => [rule, path, severity])).toEqual([
      ['lathe/code-from-data', 'run.js', 'critical'],
    ]);
    expect(document.suppressed).toBe(1);
    writeFileSync(join(cwd, '.lathe/gates.yml'), 'rules: {lathe/ssrf: sometimes}\n');
    expect(await runLathe(['scan', '.'], { cwd })).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/gates\.yml/),
    });
  });

  test.each([
    [['scan', 'nothing'], 3, /nothing does not exist/],
    [['scan', '.', '--base', 'nothing'], 3, /No commit is named nothing/],
    [['scan', '.', '--fail-on', 'terrible'], 2, /critical/],
  ])('%j ends with %i', async (args, status, message) => {
    const ended = await runLathe(args, { cwd: repositoryWithHole().root });
    expect(ended).toMatchObject({ status, stdout: '' });
    expect(ended.stderr).toMatch(message);
  });
});

test('Ctrl-C ends a command that only looks at once, with 4', async () => {
  const { process: started, ended } = startLathe(['scan', join(import.meta.dirname, '../../..')], {
    cwd: import.meta.dirname,
  });
  // Said after two seconds: by then it is at work.
  started.stderr!.once('data', () => started.kill('SIGINT'));
  expect(await ended).toMatchObject({ status: 4, stdout: '' });
});

describe('audit', () => {
  test('tells what happened to the lines, as the document of the contract', async () => {
    const repository = initRepository();
    repository.write('a.js', 'one();\ntwo();\nthree();\n');
    repository.git('add', '-A');
    repository.git('commit', '-q', '-m', 'First');
    repository.write('a.js', 'one();\nthree();\n');
    repository.git('commit', '-qam', 'Second');
    const ended = await runLathe(['audit', '--json'], { cwd: repository.root });
    expect(ended.status, ended.stderr).toBe(0);
    const audit = AuditDocument.parse(JSON.parse(ended.stdout));
    expect(audit).toMatchObject({ commits: 2, lines: 2, operations: { added: 3, deleted: 1 } });
    const words = await runLathe(['audit', '--since', '90d'], { cwd: repository.root });
    expect(words.stdout).toMatch(/2 commits since .*, 2 lines at the head/);
    expect(words.stdout).not.toContain('\u001b');
  });

  test('--findings says since when a weakness stands and when one went, in JSON, in words and as SARIF', async () => {
    const repository = initRepository();
    const commit = (message: string, date: string) => {
      repository.git('add', '-A');
      repository.git('commit', '-q', '-m', message, '--date', date);
    };
    const cipher = (name: string) =>
      `import { createCipheriv } from 'node:crypto';\nexport const ${name} = (key, text) => {\n  const cipher = createCipheriv('aes-256-cbc', key, Buffer.alloc(16));\n  return cipher.update(text, 'utf8', 'hex') + cipher.final('hex');\n};\n`;
    repository.write('a.js', 'export const one = 1;\n');
    commit('First', '2026-01-01T00:00:00Z');
    repository.write('stays.js', cipher('stays'));
    repository.write('goes.js', cipher('goes'));
    commit('Second', '2026-03-01T00:00:00Z');
    repository.write('goes.js', 'export const goes = 1;\n');
    commit('Third', '2026-05-01T00:00:00Z');
    // Trees are chosen by the committer's clock.
    repository.git('rebase', '-q', '--root', '--committer-date-is-author-date');
    const came = repository.git('rev-parse', 'HEAD~').trim();
    const ended = await runLathe(['audit', '--findings', '--json', '--sarif', 'audit.sarif'], { cwd: repository.root });
    expect(ended.status, ended.stderr).toBe(0);
    const { findings, findingSamples } = AuditDocument.parse(JSON.parse(ended.stdout));
    expect(findingSamples.length).toBeGreaterThan(1);
    expect(findings.filter(({ status }) => status === 'open').map(({ path }) => path)).toContain('stays.js');
    expect(findings.filter(({ path }) => path === 'stays.js')).toSatisfy((all: { lineWrittenIn: string }[]) =>
      all.every(({ lineWrittenIn }) => lineWrittenIn === came),
    );
    expect(new Set(findings.filter(({ path }) => path === 'goes.js').map(({ status }) => status))).toEqual(
      new Set(['gone']),
    );
    const sarif = JSON.parse(readFileSync(join(repository.root, 'audit.sarif'), 'utf8'));
    expect(JSON.stringify(sarif.runs[0].results)).toContain('stays.js');
    expect(JSON.stringify(sarif.runs[0].results)).not.toContain('goes.js');
    const words = await runLathe(['audit', '--findings'], { cwd: repository.root });
    expect(words.stdout).toMatch(/findings +\d+ open at the head, \d+ came and went, in \d trees/);
    expect(words.stdout).toContain('stays.js:3');
  });

  test.each([
    ['a folder that is no repository', () => mkdtempSync(join(tmpdir(), 'lathe-none-')), /not inside a git repository/],
    ['a repository without a commit', () => initRepository().root, /no commit yet/],
  ])('%s: a message, no document, no stack', async (_what, make, said) => {
    const ended = await runLathe(['audit', '--json'], { cwd: make() });
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toMatch(said);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  test.each([
    ['nowhere', 'nothing'],
    ['file.txt', 'a file'],
  ])('a path that is no folder, %s, is not found', async (path, found) => {
    const repository = initRepository();
    repository.write('file.txt', 'x');
    const ended = await runLathe(['audit', path], { cwd: repository.root });
    expect(ended).toMatchObject({ status: 3, stdout: '' });
    expect(ended.stderr).toContain(`expected the folder of a repository at ${path}, found ${found}`);
  });

  test('counts in words what could not be followed, and keeps to the width', async () => {
    const repository = initRepository();
    repository.write('a.js', 'one();\n');
    repository.git('add', '-A');
    repository.git('commit', '-q', '-m', 'First', '--date', '@1 +0000');
    const ended = await runLathe(['audit'], { cwd: repository.root });
    expect(ended.status, ended.stderr).toBe(0);
    expect(ended.stdout).toContain('1 commit with an impossible date');
    for (const line of ended.stdout.split('\n').slice(1)) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('a date that is none is a usage error', async () => {
    const ended = await runLathe(['audit', '--since', 'long ago'], { cwd: repositoryWithHole().root });
    expect(ended).toMatchObject({ status: 2, stdout: '' });
  });
});

describe('models', () => {
  const { root: cwd } = repositoryWithHole();

  test('the catalogue says for each model its licence, hash, sources and whether it is here', async () => {
    const { models } = JSON.parse((await runLathe(['models', 'list', '--json'], { cwd })).stdout);
    expect(models.map(({ name }: { name: string }) => name)).toContain('smollm2-135m');
    for (const model of models) {
      expect(model).toMatchObject({
        licence: expect.any(String),
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        cached: false,
      });
      expect(model.sources.length).toBeGreaterThan(0);
    }
  });

  test('an unknown model is not found, and the known ones are named', async () => {
    for (const verb of ['info', 'pull']) {
      const ended = await runLathe(['models', verb, 'gpt-17'], { cwd });
      expect(ended).toMatchObject({ status: 3, stdout: '' });
      expect(ended.stderr).toMatch(/gpt-17.*smollm2-135m/);
    }
  });

  test('a file that is no GGUF is refused: what was expected and what was found', async () => {
    writeFileSync(join(cwd, 'broken.gguf'), 'GGML and then nothing of use');
    const ended = await runLathe(['models', 'info', './broken.gguf'], { cwd });
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toMatch(/expected/);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  test('without any source the download says what failed where, and how to use a file of one\u2019s own', async () => {
    const env = {
      HF_ENDPOINT: 'http://127.0.0.1:9',
      PIP_INDEX_URL: 'http://127.0.0.1:9',
      PIP_RETRIES: '0',
      PIP_TIMEOUT: '1',
    };
    const ended = await runLathe(['models', 'pull', 'smollm2-135m'], { cwd, env });
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toMatch(/hub repository[\s\S]*Python package[\s\S]*LATHE_MODEL_FILES/);
  });
});
