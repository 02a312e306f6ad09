import { spawnSync } from 'node:child_process';
import type { Limits, Workspace } from '@lathe/protocol';
import { afterAll, expect, it } from 'vitest';
import { edit, plainWorkspace, treeWith } from '../__fixtures__/testing.ts';
import { defaultGateConfig } from '../config.ts';
import { configuredLinters, lintFiles } from './repository-lint.ts';

const opened: Pick<Workspace, 'close'>[] = [];
afterAll(() => Promise.all(opened.map((one) => one.close())));

async function lint(files: Record<string, string>) {
  const workspace = await plainWorkspace();
  opened.push(workspace);
  await workspace.write(Object.entries(files).map(([path, text]) => edit(path, text)));
  const nodeModules = new URL('../../../../node_modules', import.meta.url).pathname;
  await workspace.run(`ln -s '${nodeModules}' node_modules`, { limits: { timeMs: 5000 } as Limits });
  const linters = await configuredLinters(treeWith(files));
  const paths = Object.keys(files).filter((path) => path.startsWith('src/'));
  return lintFiles(linters, paths, workspace, defaultGateConfig, new AbortController().signal);
}

it("runs the repository's ESLint, and reads more than the end of a long answer", async () => {
  const lines = Array.from({ length: 300 }, (_, index) => `var unused${index} = 'text that makes the answer long';`);
  const result = await lint({
    'eslint.config.mjs': "export default [{ rules: { 'no-unused-vars': 'error' } }];\n",
    'src/a.js': `${lines.join('\n')}\n`,
  });
  expect(result.notLookedFor).toEqual([]);
  expect(result.findings).toHaveLength(300);
  expect(result.findings[7]).toMatchObject({ rule: 'lint/eslint/no-unused-vars', path: 'src/a.js', line: 8 });
});

it('says that a linter gave no answer: a configuration that cannot be read is not clean code', async () => {
  const result = await lint({ 'eslint.config.mjs': 'export default [{ rules: ;\n', 'src/a.js': 'x;\n' });
  expect(result.findings).toEqual([]);
  expect(result.notLookedFor).toEqual([
    { what: "what the repository's own eslint finds", why: expect.stringContaining('no readable answer') },
  ]);
});

it.skipIf(spawnSync('ruff', ['--version']).status !== 0)("runs the repository's Ruff (needs ruff)", async () => {
  const result = await lint({
    'pyproject.toml': '[tool.ruff.lint]\nselect = ["F401"]\n',
    'src/a.py': 'import os\nimport sys\n\nprint(sys.path)\n',
  });
  expect(result.notLookedFor).toEqual([]);
  expect(result.findings).toEqual([
    expect.objectContaining({ rule: 'lint/ruff/F401', path: 'src/a.py', line: 1, kind: 'quality' }),
  ]);
});
