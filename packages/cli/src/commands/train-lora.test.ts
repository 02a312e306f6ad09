import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { runLathe } from '../testing/run-lathe.ts';

const cwd = mkdtempSync(join(tmpdir(), 'lathe-lora-'));
afterAll(() => rmSync(cwd, { recursive: true }));

/** A tiny model of this project's own code. */
const base = fileURLToPath(
  new URL('../../../transformer/src/train/__fixtures__/exported/scratch.gguf', import.meta.url),
);
for (const name of ['alpha', 'beta', 'gamma', 'delta'])
  writeFileSync(
    join(cwd, `${name}.js`),
    Array.from(
      { length: 12 },
      (_, i) =>
        `export function ${name}${i}(${name}Items) {\n  return ${name}Items.filter((item) => item > ${i});\n}\n`,
    ).join('\n'),
  );

describe('lathe train --lora', () => {
  test('leaves adapters, a model that scores, and a data card with tokens', async () => {
    const options = ['--from', base, '--lora', '--out', 'mine', '--iterations', '2', '--block', '32', '--threads', '1'];
    const trained = await runLathe(['train', ...options, '--store', 'f32', '.', '--json'], { cwd });
    expect(trained.status, trained.stderr).toBe(0);
    expect(JSON.parse(trained.stdout)).toMatchObject({ reason: 'iterations', steps: 2, card: { kept: 4 } });
    expect(readdirSync(join(cwd, 'mine'))).toEqual(
      expect.arrayContaining(['adapter_config.json', 'adapter_model.safetensors', 'model.gguf', 'last.safetensors']),
    );
    const card = JSON.parse(readFileSync(join(cwd, 'mine/data-card.json'), 'utf8'));
    expect(card.train.files + card.validation.files).toBe(4);
    expect(card.tokens.training).toBeGreaterThan(card.tokens.validation);

    const scored = await runLathe(['score', '--model', 'mine', '--json', 'alpha.js'], { cwd });
    expect(scored.status, scored.stderr).toBe(0);
    const { files } = JSON.parse(scored.stdout);
    expect(files[0]).toMatchObject({ path: 'alpha.js', lines: expect.any(Array) });
    expect(Object.keys(files[0].lines[0]).sort()).toEqual(['bits', 'excess', 'line', 'tokens']);
  });

  test.each([
    [['--lora'], /--lora needs a base/],
    [['--from', base], /--from needs --lora/],
    [['--from', base, '--lora', '--layers', '2'], /--layers does not go with --lora/],
    [['--rank', '4'], /--rank needs --lora/],
    [['--hold', 'blocks'], /--hold needs --lora/],
  ])('%j is refused with what to do', async (options, message) => {
    const ended = await runLathe(['train', '--out', 'other', ...options, '.'], { cwd });
    expect(ended.status).toBe(2);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).toContain('→');
  });

  test.each([
    [['--block', '65'], /block size: expected at most the base's window of 64, got 65\n.*→ Give --block 64/],
    [['--block', '32', '--rank', '500'], /LoRA rank: expected at most 32, .*got 500\n.*→ Give a lower --rank/],
    [['--out', 'alpha.js'], /--out alpha\.js: expected a folder, .*alpha\.js is a file\n.*→ Name a folder/],
    [
      ['--from', './stopped'],
      /expected a GGUF file at .*stopped.model\.gguf, found none\n.*→ Training leaves it at its end/,
    ],
  ])('%j is refused before the corpus is read', async (options, message) => {
    mkdirSync(join(cwd, 'stopped'), { recursive: true });
    const ended = await runLathe(['train', '--from', base, '--lora', '--out', 'other', ...options, '.'], { cwd });
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toContain('to learn from');
    expect(ended.status).not.toBe(0);
    expect(existsSync(join(cwd, 'other'))).toBe(false);
  });

  test('the same adapters whichever way the base is held, and it says which', async () => {
    const options = ['--lora', '--iterations', '2', '--block', '32', '--threads', '1', 'alpha.js', 'beta.js'];
    const eight = await runLathe(['train', '--from', base, '--store', 'q8_0', '--out', 'eight', ...options], { cwd });
    expect(eight.status, eight.stderr).toBe(0);
    for (const [how, said] of [
      ['f32', 'the base is held as f32'],
      ['blocks', 'the base is held in the blocks of its file'],
    ] as const) {
      const trained = await runLathe(['train', '--from', './eight', '--hold', how, '--out', how, ...options], { cwd });
      expect(trained.status, trained.stderr).toBe(0);
      expect(trained.stderr).toContain(said);
    }
    const adapters = (how: string) => readFileSync(join(cwd, how, 'adapter_model.safetensors'));
    expect(adapters('blocks').equals(adapters('f32'))).toBe(true);
  });
});
