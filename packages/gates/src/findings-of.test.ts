import { afterAll, beforeAll, expect, it } from 'vitest';
import { treeWith } from './__fixtures__/testing.ts';
import { defaultGateConfig, type GateConfig } from './config.ts';
import { findingsOf } from './findings-of.ts';
import { createScannerPool, type ScannerPool } from './scanners/pool.ts';
import { SCANNER_NAMES } from './scanners/scanner.ts';

let pool: ScannerPool;
beforeAll(() => {
  pool = createScannerPool(2);
});
afterAll(() => pool.close());

const config: GateConfig = { ...defaultGateConfig, scanTimeoutMs: 60_000 };
/** Those that come with Lathe: whatever else is installed here. */
const OWN = SCANNER_NAMES.filter((name) => !['sonarjs', 'flawfinder', 'cppcheck'].includes(name));
const found = (files: Record<string, string>, over: Partial<GateConfig> = {}) =>
  findingsOf(treeWith(files), { config: { ...config, ...over }, pool, scanners: OWN });

it('finds weaknesses of several languages, with the symbol they are in', async () => {
  const { findings } = await found({
    'a.js':
      'class Store {\n  find(db, name) {\n    return db.query("SELECT * FROM t WHERE n = \'" + name + "\'");\n  }\n}\n',
    'b.ts': 'export const read = (text: string): unknown => eval(text);\n',
    'c.py': 'import pickle\n\n\ndef load(data):\n    return pickle.loads(data)\n',
    'd.c': 'char *f(void) { char b[8]; return b; }\n',
  });
  expect(findings.map(({ rule, path, line, symbol, cwe }) => [rule, path, line, symbol, cwe])).toEqual([
    ['lathe/sql-from-text', 'a.js', 3, 'Store.find', 'CWE-89'],
    ['lathe/code-from-data', 'b.ts', 1, 'read', 'CWE-95'],
    ['lathe/unsafe-deserialization', 'c.py', 5, 'load', 'CWE-502'],
    ['lathe/pointer-to-local', 'd.c', 1, 'f', 'CWE-562'],
  ]);
});

it('counts what comments suppress and shows it apart', async () => {
  const { findings, suppressed } = await found({
    'a.js': 'const f = (t) => eval(t); // lathe-ignore code-from-data -- a calculator\n',
    'b.js':
      '// eslint-disable-next-line no-new-func -- a template\nconst g = new Function(code);\n// eslint-disable-next-line no-script-url\nconst u = "javascript:x()";\n',
    'c.py': 'import subprocess\nsubprocess.Popen("ls", shell=True)  # noqa: S602\n',
  });
  expect(findings.map(({ path, rule }) => [path, rule])).toEqual(
    [
      ['b.js', 'lathe/code-from-data'],
      ['a.js', 'eslint/security/detect-eval-with-expression'],
    ].sort(),
  );
  expect(suppressed.map(({ by, reason, finding }) => [finding.path, by, reason]).sort()).toEqual([
    ['a.js', 'lathe-ignore', 'a calculator'],
    ['b.js', 'eslint-disable', null],
    ['b.js', 'eslint-disable', 'a template'],
    ['c.py', 'noqa', null],
  ]);
});

it('is not talked out of a finding by configuration in the file', async () => {
  const { findings } = await found({
    'a.js':
      '/* eslint no-new-func: "off", complexity: "off" */\nsetTimeout("go(" + x + ")", 1);\nconst g = new Function("return 1");\n',
  });
  expect(findings.map(({ rule }) => rule)).toContain('eslint/no-new-func');
});

it('leaves a rule out that the configuration turns off', async () => {
  const { findings } = await found(
    { 'a.py': 'def f(t):\n    return eval(t)\n' },
    { rules: { 'lathe/code-from-data': 'off', 'ruff/*': 'off' } },
  );
  expect(findings).toEqual([]);
});

it('reports code that does not parse, by line, as not looked at', async () => {
  const { syntaxErrors, notLookedFor } = await found({
    'a.js': 'const a = 1;\nconst b = ;\n',
    'b.py': 'def f(:\n  pass\n',
    'c.ts': 'let x: = 3;\n',
  });
  expect(syntaxErrors.map(({ path, line }) => [path, line]).sort()).toEqual([
    ['a.js', 2],
    ['b.py', 1],
    ['c.ts', 1],
  ]);
  expect(notLookedFor.map(({ what }) => what)).toEqual(
    expect.arrayContaining(['weaknesses in a.js', 'weaknesses in b.py', 'weaknesses in c.ts']),
  );
});

it('accepts modern syntax of every kind', async () => {
  const { syntaxErrors } = await found({
    'a.ts':
      'enum Colour { Red }\nabstract class A<const T> { declare x: T; @dec() m?(): void; }\nexport type { A };\nusing r = open();\nconst y = <T,>(v: T) => v satisfies T;\n',
    'b.tsx': 'export const B = <T extends object>(p: T) => <div {...p}>{"x"}</div>;\n',
    'n.ts':
      'class C {\n  constructor(@Inject() private readonly db: Db) {}\n  @Get(":id") find(@Param("id") id: string, @Body() body: unknown) {}\n}\n',
    'g.js': '// @flow\nexport const f = (x: ?string): number => (x: any).length;\n',
    'c.js': '#!/usr/bin/env node\nexport const v = a?.b ?? c;\nawait v;\nconst e = <p>hi</p>;\n',
    'd.cjs': 'if (x) return;\nmodule.exports = 1;\n',
    'e.d.ts': 'declare module "m" { export function f(): void; }\n',
    'f.py': 'match x:\n    case [1, *rest]:\n        pass\ntype A[T] = list[T]\n',
  });
  expect(syntaxErrors).toEqual([]);
});

it('says what it left out for its size, and does not look at binary or minified files', async () => {
  const { findings, notLookedFor } = await found(
    {
      'big.js': `// ${'x'.repeat(3000)}\neval(a);\n`,
      'bin.js': 'eval(a)\0',
      'lib.min.js': 'eval(a)',
      'long.js': `eval(a);${'x;'.repeat(11_000)}`,
      'node_modules/m/i.js': 'eval(a)',
    },
    { maxFileBytes: 2000 },
  );
  expect(findings).toEqual([]);
  expect(notLookedFor).toContainEqual({ what: 'weaknesses in big.js', why: '3013 bytes, more than 2000' });
});

it('survives source made to exhaust a parser', async () => {
  const { findings, notLookedFor } = await found({
    'deep.js': `const a = ${'('.repeat(6000)}1${')'.repeat(6000)};\n`,
    'deep.py': `a = ${'['.repeat(3000)}${']'.repeat(3000)}\n`,
    'wide.js': `let s = "SELECT a FROM b WHERE c = ";\n${'s = s + s + t;\n'.repeat(300)}db.query(s);\n`,
    'fine.js': 'const f = (t) => eval(t);\n',
  });
  expect(findings.map(({ path, rule }) => [path, rule])).toContainEqual(['fine.js', 'lathe/code-from-data']);
  for (const { what, why } of notLookedFor) if (what.includes('deep.js')) expect(why).not.toBe('');
});

it('blames the one file a scanner hangs or crashes on, and scans the others', async () => {
  const faulty = createScannerPool(2, new URL('./__fixtures__/misbehaving-worker.ts', import.meta.url).href);
  try {
    const names = ['a.js', 'hang.js', 'b.js', 'crash.js', 'c.js'];
    const { notLookedFor } = await findingsOf(treeWith(Object.fromEntries(names.map((name) => [name, 'x;\n']))), {
      config: { ...config, scanTimeoutMs: 1500 },
      pool: faulty,
      scanners: ['characters'],
    });
    expect(notLookedFor).toHaveLength(2);
    expect(notLookedFor).toContainEqual({ what: 'hidden characters, in hang.js', why: 'exceeded 1500 ms' });
    expect(notLookedFor).toContainEqual({
      what: 'hidden characters, in crash.js',
      why: expect.stringContaining('crashed'),
    });
  } finally {
    await faulty.close();
  }
});

it('sees characters that hide what code does', async () => {
  const { findings } = await found({
    'a.py': 'access = "user\u202e"  # \u2066check\n',
    'b.js': 'const a\u200b = 1;\n',
  });
  expect(findings.filter(({ cwe }) => cwe === 'CWE-1007').map(({ path, rule }) => [path, rule])).toEqual([
    ['a.py', 'lathe/bidirectional-character'],
    ['b.js', 'lathe/invisible-character'],
  ]);
});

it('finds secrets by form and by randomness, and never repeats them', async () => {
  // Put together here so that no secret-like text stands in this repository.
  const token = ['ghp', 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'].join('_');
  const random = ['Zx8', 'qT3', 'vN7', 'mK2', 'wP9'].join('');
  const { findings } = await found({
    'a.yml': `github: ${token}\n`,
    'b.js': `const apiKey = '${random}';\nconst password = 'changeme';\nconst tokenUrl = 'https://a.b/c9D8';\n`,
  });
  expect(findings.map(({ path, kind, line }) => [path, kind, line])).toEqual([
    ['a.yml', 'secret', 1],
    ['b.js', 'secret', 1],
  ]);
  expect(JSON.stringify(findings)).not.toContain(token);
  expect(JSON.stringify(findings)).not.toContain(random);
});
