import type { FileEdit, GateResult, Limits } from '@lathe/protocol';
import { afterAll, expect, it } from 'vitest';
import { edit, plainWorkspace, treeWith } from './__fixtures__/testing.ts';
import { defaultGateConfig } from './config.ts';
import { createGate, type LatheGate } from './gate.ts';

const gates: LatheGate[] = [];
const gate = createGate({ config: { ...defaultGateConfig, scanTimeoutMs: 60_000 } });
gates.push(gate);
afterAll(() => Promise.all(gates.map((one) => one.close())));

const BASE = {
  'package.json': '{"name": "demo", "dependencies": {"express": "1"}}',
  'src/old.js':
    "import express from 'express';\nexport function read(text) {\n  return eval(text);\n}\nread(express);\n",
  'src/use.js': "import { read } from './old.js';\nread('1');\n",
  'src/old.test.js': "it('reads', () => {\n  expect(read('1')).toBe(1);\n  expect(read('2')).toBe(2);\n});\n",
};

async function inspect(
  change: Record<string, string | null>,
  base: Record<string, string> = BASE,
  by = gate,
): Promise<GateResult> {
  const edits: FileEdit[] = Object.entries(change).map(([path, text]) => edit(path, text));
  const after: Record<string, string> = { ...base };
  for (const [path, text] of Object.entries(change)) {
    if (text === null) delete after[path];
    else after[path] = text;
  }
  return by.inspect({ base: treeWith(base), candidate: treeWith(after), edits, signal: new AbortController().signal });
}
const rules = (result: GateResult): string[] => result.findings.map(({ rule }) => rule);

it('shows what a candidate adds, and nothing the base already had', async () => {
  const result = await inspect({
    'src/old.js': `${BASE['src/old.js']}export const run = (text) => new Function(text)();\nrun('1');\n`,
    'src/use.js': `${BASE['src/use.js']}import { run } from './old.js';\nrun('2');\n`,
  });
  expect(rules(result).filter((rule) => rule.startsWith('lathe/'))).toEqual(['lathe/code-from-data']);
  expect(result.findings[0]).toMatchObject({ line: 6, severity: 'high', cwe: 'CWE-95' });
  expect(result.reject).toBeNull();
});

it('finds nothing new in a function that was moved to another file and indented', async () => {
  const result = await inspect({
    'src/old.js': null,
    'src/fresh.js':
      "import express from 'express';\nif (express) {\n  function read(text) {\n    return eval(text);\n  }\n  read(express);\n}\n",
  });
  expect(rules(result)).toEqual([]);
});

it('rejects a candidate that no longer parses, and says where', async () => {
  const result = await inspect({ 'src/old.js': 'export function read( {\n  return 1;\n}\n' });
  expect(result.reject).toMatch(/^src\/old\.js:\d+ does not parse: /);
});

it('does not blame a candidate for a file the base already broke', async () => {
  const base = { ...BASE, 'src/broken.js': 'const = 1;\n' };
  expect((await inspect({ 'src/broken.js': 'const = 2;\n' }, base)).reject).toBeNull();
});

it('rejects at the severity the base asks for, whatever the candidate writes into the settings', async () => {
  const own = createGate();
  gates.push(own);
  const base = { ...BASE, '.lathe/gates.yml': 'rejectAt: high\nscanTimeoutMs: 60000\n' };
  const result = await inspect(
    { 'src/a.js': 'export default (t) => eval(t);\n', '.lathe/gates.yml': 'rules:\n  "*": off\n' },
    base,
    own,
  );
  expect(result.reject).toMatch(/^src\/a\.js:1 .*lathe\/code-from-data, high/);
});

it('shows a finding that the candidate silences itself', async () => {
  const result = await inspect({
    'src/a.js':
      'export default (t) => eval(t); // lathe-ignore code-from-data, detect-eval-with-expression -- trust me\n',
  });
  expect(rules(result)).toEqual(['lathe/suppressed-in-change', 'lathe/suppressed-in-change']);
  expect(result.findings[0]!.message).toContain('trust me');
});

it('sees tests made weaker', async () => {
  const result = await inspect({ 'src/old.test.js': "it.skip('reads', () => {\n  expect(read('1')).toBe(1);\n});\n" });
  expect(result.findings).toContainEqual(
    expect.objectContaining({
      rule: 'lathe/test-weakened',
      message: expect.stringMatching(/1 of 2 assertions are gone, 1 more tests are skipped/),
    }),
  );
});

it('sees imports nobody declares, names made to be mistaken, and exports nobody uses', async () => {
  const result = await inspect({
    'src/new.js':
      "import expresss from 'expresss';\nimport made from 'made-up-helper';\nimport fs from 'node:fs';\nexport const unused = [expresss, made, fs];\n",
  });
  expect(rules(result).sort()).toEqual(['lathe/dead-export', 'lathe/look-alike-package', 'lathe/undeclared-import']);
});

it('sees a block that already stands in an unchanged file', async () => {
  const block = Array.from({ length: 7 }, (_, index) => `  total += weigh(items[${index}], ${index});`).join('\n');
  const base = {
    ...BASE,
    'src/weigh.js': `export function weighAll(items) {\n  let total = 0;\n${block}\n  return total;\n}\n`,
    'src/w.js': "import { weighAll } from './weigh.js';\nweighAll([]);\n",
  };
  const result = await inspect(
    {
      'src/use.js': `${BASE['src/use.js']}function again(items) {\n  let total = 0;\n${block}\n  return total;\n}\nagain([]);\n`,
    },
    base,
  );
  expect(result.findings).toEqual([
    expect.objectContaining({
      rule: 'lathe/duplicate-block',
      path: 'src/use.js',
      message: expect.stringContaining('src/weigh.js'),
    }),
  ]);
});

it('sees comments that repeat the code, and lets those be that say why', async () => {
  const result = await inspect({
    'src/use.js': `${BASE['src/use.js']}// call read\nread('3');\n// The parser wants a number here.\nread('4');\n`,
  });
  expect(result.findings).toEqual([expect.objectContaining({ rule: 'lathe/comment-repeats-code', line: 3 })]);
});

it('attacks a changed function by running it where workspaces are given', async () => {
  const own = createGate({
    config: { ...defaultGateConfig, scanTimeoutMs: 60_000 },
    workspaces: { open: plainWorkspace },
  });
  gates.push(own);
  const result = await inspect(
    { 'files.py': 'def read(path):\n    if path.startswith("/srv/files/"):\n        return open(path)\n' },
    BASE,
    own,
  );
  expect(rules(result)).toEqual(
    expect.arrayContaining(['lathe/path-containment', 'lathe/probe-path-escape', 'lathe/probe-link-escape']),
  );
});

it("runs the repository's own linter on both sides, and shows what the change adds", async () => {
  const nodeModules = new URL('../../../node_modules', import.meta.url).pathname;
  const base = { ...BASE, 'biome.json': '{"files": {"includes": ["**"]}}', 'src/use.js': 'debugger;\n' };
  const own = createGate({
    config: { ...defaultGateConfig, scanTimeoutMs: 60_000 },
    workspaces: {
      async open() {
        const workspace = await plainWorkspace();
        await workspace.write(Object.entries(base).map(([path, text]) => edit(path, text)));
        await workspace.run(`ln -s '${nodeModules}' node_modules`, { limits: { timeMs: 5000 } as Limits });
        return workspace;
      },
    },
  });
  gates.push(own);
  const result = await inspect(
    { 'src/use.js': 'debugger;\nfor (const a of []) {\n  if (a == 1) debugger;\n}\n' },
    base,
    own,
  );
  expect(result.notLookedFor.filter(({ what }) => what.includes('biome'))).toEqual([]);
  expect(
    rules(result)
      .filter((rule) => rule.startsWith('lint/'))
      .sort(),
  ).toEqual(['lint/biome/suspicious/noDebugger', 'lint/biome/suspicious/noDoubleEquals']);
});

it('says that nothing was run where the sandbox fails, and keeps what it read', async () => {
  const own = createGate({
    config: { ...defaultGateConfig, scanTimeoutMs: 60_000 },
    workspaces: { open: () => Promise.reject(new Error('no user namespaces')) },
  });
  gates.push(own);
  const result = await inspect(
    { 'files.py': 'def read(path):\n    if path.startswith("/srv/files/"):\n        return open(path)\n' },
    BASE,
    own,
  );
  expect(rules(result)).toContain('lathe/path-containment');
  expect(result.notLookedFor).toContainEqual({ what: expect.stringContaining('probes'), why: 'no user namespaces' });
});

it('says that it did not read links and binary files', async () => {
  const result = await gate.inspect({
    base: treeWith(BASE),
    candidate: treeWith(BASE),
    edits: [
      { path: 'link', content: Buffer.from('/etc'), mode: '120000' },
      { path: 'x.bin', content: Buffer.from('a\0b'), mode: '100644' },
    ],
    signal: new AbortController().signal,
  });
  expect(result.notLookedFor.map(({ what }) => what)).toEqual(
    expect.arrayContaining(['weaknesses in link', 'weaknesses in x.bin']),
  );
});
