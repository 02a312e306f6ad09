import { fileURLToPath } from 'node:url';
import { HOUSE_SIGNAL, RunDocument } from '@lathe/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import { withoutIsolation } from '../testing/isolation.ts';
import { startModelServer } from '../testing/model-server.ts';
import { repositoryWithHole, type TestRepository } from '../testing/repository.ts';
import { type Ended, runLathe } from '../testing/run-lathe.ts';

/** A tiny model of this project's own code. */
const tiny = fileURLToPath(
  new URL('../../../transformer/src/train/__fixtures__/exported/scratch.gguf', import.meta.url),
);
const plain = '```js\nexport function double(number) {\n  return number * 2;\n}\n```';
const strange =
  '```js\nexport function double(number) {\n  return ~-~[..."ZQ".repeat(number)].length; // $%^ qQxXzZ 0x7f\n}\n```';

function parsed({ stdout, stderr }: Ended): unknown {
  expect(stdout, stderr).not.toBe('');
  return JSON.parse(stdout);
}

describe.skipIf(withoutIsolation !== null)(`a model of the house reads candidates${withoutIsolation ?? ''}`, () => {
  let repository: TestRepository;
  beforeAll(() => {
    repository = repositoryWithHole();
    const helpers = Array.from(
      { length: 12 },
      (_, i) => `export function plus${i}(number) {\n  return number + ${i};\n}\n`,
    );
    const hole = 'export function double(number) {\n  throw new Error("not written yet");\n}\n';
    repository.write('src/double.js', `${helpers.join('\n')}\n/** Returns twice the number. */\n${hole}`);
    repository.git('commit', '-q', '-am', 'Helpers');
  });
  const make = async (...options: string[]) => {
    await using server = await startModelServer([strange, plain]);
    const args = ['make', '--at', 'src/double.js:double', '--model', 'openai:scripted', '-n', '2', '--json'];
    return await runLathe([...args, ...options], { cwd: repository.root, env: { OPENAI_BASE_URL: server.url } });
  };

  test('what it measured is in the evidence of every candidate and does not rank without the ledger', async () => {
    const ended = await make('--house', tiny);
    const run = RunDocument.parse(parsed(ended));
    const measured = new Map(run.candidates.map(({ id, signals }) => [id, signals?.[HOUSE_SIGNAL]]));
    expect(
      [...measured.values()].every((value) => typeof value === 'number'),
      ended.stderr,
    ).toBe(true);
    for (const { id, reasons } of run.ranking)
      expect(reasons.join('\n')).toMatch(
        new RegExp(
          `${Math.abs(measured.get(id)!).toFixed(2)} bits a token .*not used for ranking: the ledger has no evidence`,
        ),
      );
    expect(ended.stderr).toMatch(/house .*not used for ranking: the ledger has no evidence yet, 0 of 30 kept/);
    const again = await runLathe(['show', run.runId, '--json'], { cwd: repository.root });
    expect(RunDocument.parse(JSON.parse(again.stdout))).toEqual(run);
  });

  test("git's setting lathe.house names it for the repository", async () => {
    repository.git('config', 'lathe.house', tiny);
    const run = RunDocument.parse(parsed(await make()));
    repository.git('config', '--unset', 'lathe.house');
    expect(run.candidates.every(({ signals }) => signals !== undefined)).toBe(true);
    const without = RunDocument.parse(parsed(await make()));
    expect(without.candidates.some(({ signals }) => signals !== undefined)).toBe(false);
  });

  test('a model that is not there is said before anything is made', async () => {
    const ended = await make('--house', './no-such-model');
    expect(ended.status).toBe(3);
    expect(ended.stderr).toMatch(/expected a GGUF file at .*no-such-model, found none/);
  });
});
