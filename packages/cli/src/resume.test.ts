import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { RunDocument } from '@lathe/protocol';
import { describe, expect, test } from 'vitest';
import { withoutIsolation } from './testing/isolation.ts';
import { startModelServer } from './testing/model-server.ts';
import { repositoryWithHole } from './testing/repository.ts';
import { cacheHome, runLathe, startLathe } from './testing/run-lathe.ts';

const right = '```js\nexport function double(number) {\n  return number * 2;\n}\n```';
const other = '```js\nexport function double(number) {\n  return number + number;\n}\n```';
const task = ['--at', 'src/double.js:double', '--json'];

/** Waits until what a process has written to stderr matches. */
function until(child: ReturnType<typeof startLathe>, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = '';
    child.process.stderr!.on('data', (text) => {
      seen += text;
      if (pattern.test(seen)) resolve();
    });
    child.process.on('close', () => reject(new Error(`it ended without ${pattern}: ${seen}`)));
  });
}

describe.skipIf(withoutIsolation !== null)(`a run that stops half-way${withoutIsolation ?? ''}`, () => {
  test('Ctrl-C: exit 4, what was made stays, and resume makes only the rest', async () => {
    const repository = repositoryWithHole();
    const models = ['--model', 'openai:fast', 'openai:slow'];
    await using stuck = await startModelServer({ fast: [right], slow: ['hang'] });
    const first = startLathe(['make', ...task, ...models, '-n', '2'], {
      cwd: repository.root,
      env: { OPENAI_BASE_URL: stuck.url },
    });
    await until(first, /c1 passed/);
    first.process.kill('SIGINT');
    const stopped = await first.ended;
    expect(stopped.status, stopped.stderr).toBe(4);
    const before = RunDocument.parse(JSON.parse(stopped.stdout));
    expect(before.candidates).toMatchObject([{ id: 'c1', status: 'passed' }]);
    expect(stopped.stderr).toContain(`lathe resume ${before.runId}`);
    expect(readdirSync(join(cacheHome, 'lathe/work'))).toEqual([]);

    await using server = await startModelServer({ fast: [right], slow: [other] });
    const resumed = await runLathe(['resume', 'last', '--json'], {
      cwd: repository.root,
      env: { OPENAI_BASE_URL: server.url },
    });
    expect(resumed.status, resumed.stderr).toBe(0);
    const after = RunDocument.parse(JSON.parse(resumed.stdout));
    expect(after.candidates.map(({ status }) => status)).toEqual(['passed', 'passed']);
    expect(after.candidates[0]).toEqual(before.candidates[0]);
    expect(server.requests.map(({ model }) => model)).toEqual(['slow']);

    const again = await runLathe(['resume', 'last', '--json'], { cwd: repository.root });
    expect(again.status, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toEqual(after);
  });

  test('a second process does not touch a run that is at work', async () => {
    const repository = repositoryWithHole();
    await using stuck = await startModelServer(['hang']);
    const env = { OPENAI_BASE_URL: stuck.url };
    const first = startLathe(['make', ...task, '--model', 'openai:a', '-n', '1'], { cwd: repository.root, env });
    await until(first, /^ {2}copies/m);
    const second = await runLathe(['resume', 'last'], { cwd: repository.root, env });
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(`process ${first.process.pid} is at work`);
    const cleaned = await runLathe(['clean', '--json'], { cwd: repository.root, env });
    expect(JSON.parse(cleaned.stdout).removed).toEqual([]);
    first.process.kill('SIGTERM');
    expect((await first.ended).status).toBe(4);
  });

  test('clean removes the copies of a killed run and leaves its evidence', async () => {
    const repository = repositoryWithHole();
    const cwd = repository.root;
    await using stuck = await startModelServer(['hang']);
    const env = { OPENAI_BASE_URL: stuck.url };
    const killed = startLathe(['make', ...task, '--model', 'openai:a', '-n', '1'], { cwd, env });
    await until(killed, /fails on the base/);
    killed.process.kill('SIGKILL');
    await killed.ended;
    const [runId] = readdirSync(join(cacheHome, 'lathe/work'));
    const plan = JSON.parse((await runLathe(['clean', '--dry-run', '--json'], { cwd })).stdout);
    expect(plan.removed[0].what).toContain(runId);
    expect(readdirSync(join(cacheHome, 'lathe/work'))).toEqual([runId]);
    const done = JSON.parse((await runLathe(['clean', '--json'], { cwd })).stdout);
    expect(done).toMatchObject({ dryRun: false, removed: plan.removed });
    expect(done.left).toMatchObject([{ why: expect.stringContaining(`lathe resume ${runId}`) }]);
    expect(readdirSync(join(cacheHome, 'lathe/work'))).toEqual([]);
  });
});
