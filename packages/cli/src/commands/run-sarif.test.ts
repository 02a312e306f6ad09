import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RunDocument } from '@lathe/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import { withoutIsolation } from '../testing/isolation.ts';
import { startModelServer } from '../testing/model-server.ts';
import { initRepository, type TestRepository } from '../testing/repository.ts';
import { runLathe } from '../testing/run-lathe.ts';

const body = (statement: string): string =>
  `\`\`\`js\nexport function addStudent(db, name, age) {\n${statement}\n}\n\`\`\``;
const parameters = "  db.run('INSERT INTO students (name, age) VALUES (?, ?)', [name, age]);";
// biome-ignore lint/suspicious/noTemplateCurlyInString: a candidate's code
const text = "  db.run(`INSERT INTO students (name, age) VALUES ('${name}', ${age})`);";
const joined = `  db.run('INSERT INTO students (name, age) VALUES (\\'' + name + '\\', ' + age + ')');`;
const silenced = `  // lathe-ignore sql-from-text, sql-text -- it is fine\n${joined}`;
describe.skipIf(withoutIsolation !== null)(`gates inside make${withoutIsolation ?? ''}`, () => {
  let repository: TestRepository;
  let run: RunDocument;

  beforeAll(async () => {
    await using server = await startModelServer([body(text), body(parameters), body(silenced)]);
    repository = initRepository();
    repository.write(
      'src/students.js',
      '/** Adds a row to the table students (name, age). */\nexport function addStudent(db, name, age) {\n  throw new Error("not written yet");\n}\n',
    );
    repository.write('package.json', '{"name":"sample","type":"module","scripts":{"test":"node test.js"}}\n');
    repository.write(
      'test.js',
      'import { addStudent } from "./src/students.js";\nlet calls = 0;\naddStudent({ run: () => calls++ }, "Bob", 25);\nif (calls !== 1) process.exit(1);\n',
    );
    repository.git('add', '-A');
    repository.git('commit', '-q', '-m', 'First');
    const args = ['make', '--at', 'src/students.js:addStudent', '--model', 'openai:scripted', '-n', '3', '--json'];
    const ended = await runLathe(args, { cwd: repository.root, env: { OPENAI_BASE_URL: server.url } });
    run = RunDocument.parse(JSON.parse(ended.stdout));
  });

  const findings = (id: string) => run.candidates.find((one) => one.id === id)!.findings;

  test('a candidate that builds SQL from text is attacked in the sandbox; the finding names the value that broke it', () => {
    expect(findings('c1')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ rule: 'lathe/sql-from-text', cwe: 'CWE-89', line: 3 }),
        expect.objectContaining({
          rule: 'lathe/probe-sql-injection',
          message: expect.stringMatching(/^addStudent with the value ".*": 2 rows instead of one$/),
        }),
      ]),
    );
    expect(findings('c2')).toEqual([]);
  });

  test('what a candidate silences itself is shown', () => {
    expect(findings('c3')).toContainEqual(expect.objectContaining({ rule: 'lathe/suppressed-in-change' }));
  });

  test('the candidate without a weakness is ranked first, with the reason', () => {
    expect(run.best).toBe('c2');
    expect(run.ranking[0]!.reasons).toContain('no new weakness found');
    expect(run.ranking.at(-1)!.reasons.join()).toMatch(/new high \(addStudent with the value/);
  });

  test('show writes an analysis for each candidate, or for one', async () => {
    const all = await runLathe(['show', 'last', '--sarif', 'all.sarif'], { cwd: repository.root });
    expect(all.status, all.stderr).toBe(0);
    const log = JSON.parse(readFileSync(join(repository.root, 'all.sarif'), 'utf8'));
    expect(log.version).toBe('2.1.0');
    expect(log.runs.map((one: { automationDetails: { id: string } }) => one.automationDetails.id)).toEqual(
      ['c1', 'c2', 'c3'].map((id) => `lathe/${run.runId}/${id}`),
    );
    expect(log.runs.map((one: { results: unknown[] }) => one.results.length)).toEqual(
      ['c1', 'c2', 'c3'].map((id) => findings(id).length),
    );
    const one = await runLathe(['show', 'last', 'c1', '--sarif', 'one.sarif'], { cwd: repository.root });
    expect(one.status, one.stderr).toBe(0);
    expect(JSON.parse(readFileSync(join(repository.root, 'one.sarif'), 'utf8')).runs).toHaveLength(1);
  });
});
