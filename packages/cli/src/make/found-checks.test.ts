import type { Tree } from '@lathe/protocol';
import { expect, test } from 'vitest';
import { findChecks } from './found-checks.ts';

function tree(files: Record<string, string>): Tree {
  return {
    list: async () => Object.keys(files).sort(),
    read: async (path) => (files[path] === undefined ? null : new TextEncoder().encode(files[path])),
  };
}

const withTests = JSON.stringify({ scripts: { test: 'node --test' } });

test.each<[string, Record<string, string>, string[]]>([
  ['the test script', { 'package.json': withTests }, ['npm test']],
  [
    'the test script, run by the manager whose lockfile is there',
    { 'package.json': withTests, 'pnpm-lock.yaml': '' },
    ['pnpm test'],
  ],
  [
    'pytest where pyproject.toml sets it up',
    { 'pyproject.toml': '[tool.pytest.ini_options]\naddopts = "-x"\n' },
    ['python3 -m pytest -q'],
  ],
  [
    'pytest where it is a development dependency',
    { 'pyproject.toml': '[dependency-groups]\ndev = ["pytest>=8"]\n' },
    ['python3 -m pytest -q'],
  ],
  ['both', { 'package.json': withTests, 'pytest.ini': '' }, ['npm test', 'python3 -m pytest -q']],
  [
    "not npm's placeholder",
    { 'package.json': '{"scripts":{"test":"echo \\"Error: no test specified\\" && exit 1"}}' },
    [],
  ],
  ['nothing in files that do not parse', { 'package.json': '{', 'pyproject.toml': '[' }, []],
  ['nothing in an empty repository', {}, []],
])('finds %s', async (_title, files, commands) => {
  expect((await findChecks(tree(files))).map((check) => check.command)).toEqual(commands);
});
