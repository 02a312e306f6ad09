import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runLathe } from '../testing/run-lathe.ts';

/** A folder with the given files. */
function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = mkdtempSync(join(tmpdir(), 'lathe-train-'));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const source = (i: number) =>
  `export function area${i}(width, height) {\n  if (width < ${i}) return 0;\n  return width * height + ${i};\n}\n\n` +
  `export const names${i} = ['${'abcdefgh'.repeat((i % 3) + 1)}', 'value${i}'];\n`;
const SMALL = ['--layers', '1', '--heads', '2', '--width', '16', '--block', '16', '--vocab', '300', '--batch', '4'];

describe('lathe train', () => {
  test('trains, says what it needs and writes, and its model reads and refuses files', async () => {
    const cwd = folder({
      ...Object.fromEntries(Array.from({ length: 24 }, (_, i) => [`src/part${i}/area.js`, source(i)])),
      'text.js': source(3),
      'latin1.py': Buffer.from('caf\u00e9 = 1\n', 'latin1'),
      'empty.js': '',
    });
    const args = ['train', '--out', 'model', '--iterations', '4', '--accumulate', '2', '--recompute', ...SMALL, 'src'];
    const ended = await runLathe([...args, '--json'], { cwd });
    expect(ended.stderr).toMatch(/needs about \d+\.\d GB of memory/);
    expect(ended.stderr).toContain('it writes: ');
    expect(ended.status).toBe(0);
    const run = JSON.parse(ended.stdout);
    expect(run).toMatchObject({ schemaVersion: 1, reason: 'iterations', steps: 4 });
    const card = JSON.parse(readFileSync(join(cwd, 'model', 'data-card.json'), 'utf8'));
    expect(card).toEqual(run.card);
    expect(card).toMatchObject({ found: 24, kept: 24, licences: { NOASSERTION: 24 } });
    expect(card.tokens.training).toBeGreaterThan(card.tokens.validation);
    const listed = readFileSync(join(cwd, 'model', 'data-files.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(listed.map((line) => JSON.parse(line).part)).toEqual([
      ...Array.from({ length: 22 }, () => 'train'),
      'validation',
      'validation',
    ]);
    expect(readdirSync(join(cwd, 'model')).filter((name) => /part$|tokens$/.test(name))).toEqual([]);

    const read = await runLathe(['score', '--model', 'model', '--json', 'text.js'], { cwd });
    expect(JSON.parse(read.stdout).files[0].bitsPerToken).toBeGreaterThan(0);
    for (const [file, got] of [
      ['latin1.py', 'other bytes'],
      ['empty.js', 'an empty file'],
    ] as const) {
      const refused = await runLathe(['score', '--model', 'model', file], { cwd });
      expect([refused.status, refused.stderr]).toEqual([
        1,
        expect.stringContaining(`${file}: expected text in UTF-8, got ${got}`),
      ]);
    }

    for (const [file, got] of [
      ['src', 'a folder'],
      ['nowhere.js', 'nothing'],
    ] as const) {
      const missing = await runLathe(['score', '--model', 'model', file], { cwd });
      expect([missing.status, missing.stderr]).toEqual([
        3,
        expect.stringContaining(`expected a file at ${file}, found ${got}`),
      ]);
    }

    const other = await runLathe([...args, '--layers', '2'], { cwd });
    expect(other.status).toBe(1);
    expect(other.stderr).toMatch(/nLayer: expected 2, got 1\n.*→ Use the same sizes/);

    writeFileSync(join(cwd, 'src', 'part0', 'more.js'), source(99));
    const later = await runLathe([...args, '--iterations', '5'], { cwd });
    expect(later.status).toBe(0);
    expect(later.stderr).toContain('the files are not those this run was begun with');
  }, 180_000);

  const corpora: [what: string, files: Record<string, string | Uint8Array>, said: RegExp][] = [
    ['an empty folder', {}, /expected files to learn from and files to validate on, got 0 and 0/],
    ['one tiny file', { 'a.js': 'let x = 1;\n' }, /got 1 and 0\n.*→ Name more folders/],
    [
      'copies of one file',
      Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`f${i}.js`, source(1)])),
      /left out: 8 exact duplicate[\s\S]*got 1 and 0/,
    ],
    [
      'one giant file',
      { 'big.js': 'export const value = 1;\n'.repeat(40_000) },
      /left out: 1 too large[\s\S]*got 0 and 0/,
    ],
    [
      'bytes that are not UTF-8',
      { 'a.js': Buffer.from([0xff, 0xfe, 0x41, 0x00]), 'b.py': Buffer.from('caf\u00e9 = 1\n', 'latin1') },
      /left out: 2 binary or not UTF-8[\s\S]*got 0 and 0/,
    ],
    [
      'too little text for a block',
      { 'a.js': source(1), 'b.js': 'export class Empty {}\n' },
      /training data: expected more than 128 tokens, got \d+\n.*→ Give more text/,
    ],
  ];
  test.each(corpora)('%s: says so, and leaves no model', async (_, files, said) => {
    const cwd = folder(files);
    const ended = await runLathe(['train', '--out', 'model', '.'], { cwd });
    expect(ended.stderr).toMatch(said);
    expect([ended.status, ended.stdout]).toEqual([1, '']);
    expect(existsSync(join(cwd, 'model'))).toBe(false);
  });

  const wrong: [args: string[], status: number, said: string][] = [
    [['--heads', '3'], 1, 'nEmbd: expected a multiple of nHead 3, got 128'],
    [['--rate', '-1'], 2, 'Expected a number from 1e-9 to 10'],
    [['--layers', '0'], 2, 'Expected a whole number from 1 to 256'],
    [['--batch', '1e9'], 2, 'Expected a whole number from 1 to 4096'],
    [['--vocab', '10'], 2, 'Expected a whole number from 257 to 200000'],
    [['--dropout', '1'], 2, 'Expected a number from 0 to 0.99'],
    [['--exclude-licence', 'GPL3', '--seed', '1'], 2, 'Did you mean GPL-3.0?'],
    [['--language', 'java script', '--seed', '1'], 2, 'expected the name of a language, got "java script"'],
  ];
  test.each(wrong)('%j is refused before a file is read', async (args, status, said) => {
    const ended = await runLathe(['train', '--out', 'model', ...args, '.'], { cwd: folder({ 'a.js': source(1) }) });
    expect(ended.stderr).toContain(said);
    expect(ended.stderr).not.toContain('to learn from');
    expect(ended.status).toBe(status);
  });

  test.each([
    ['a.js', /expected a folder, .* is a file/],
    ['a.js/deeper', /expected a folder, .* is a file/],
    ['/proc/nowhere', /the folder cannot be written \(E[A-Z]+\)/],
  ])('--out %s, where no folder can be, is refused before a file is read', async (out, said) => {
    const ended = await runLathe(['train', '--out', out, '.'], { cwd: folder({ 'a.js': source(1) }) });
    expect(ended.stderr).toMatch(said);
    expect(ended.stderr).not.toContain('to learn from');
    expect(ended.status).toBe(1);
  });

  test('a path that is not there is said as such', async () => {
    const ended = await runLathe(['train', '--out', 'model', 'nowhere'], { cwd: folder({}) });
    expect([ended.status, ended.stderr]).toEqual([
      3,
      expect.stringContaining('expected files to learn from at nowhere, found nothing'),
    ]);
  });
});
