import type { Task } from '@lathe/protocol';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadXGrammar, type XGrammarModule } from '../../../transformer/src/constraint/xgrammar.ts';
import { prepareTask } from '../prepare.ts';
import { memoryTree } from '../testing/memory-tree.ts';

const FENCE = '```';
const TEXT = 'const a = 1;\n\nfunction f() {\n  return 1;\n}\n\nfunction g() {\n  return 1;\n}\n';
let grammars: XGrammarModule;
beforeAll(() => {
  grammars = loadXGrammar().module;
});

const options = { contextTokens: 4_000, countTokens: (text: string) => Math.ceil(text.length / 3) };

async function held(files: Record<string, string>, { instruction = 'Change it.', named = Object.keys(files) } = {}) {
  const task: Task = { kind: 'instruction', instruction, files: named, checks: [], allow: [] };
  const prepared = await prepareTask(task, memoryTree(files), { ...options, withGrammar: true });
  const grammar = prepared.grammar;
  if (grammar?.kind !== 'ebnf') throw new Error('expected a grammar');
  const compiled = await grammars.Grammar.fromEBNF(grammar.text);
  return {
    prepared,
    accepts: (answer: string) => grammars.Testings.isGrammarAcceptString(compiled, answer),
  };
}

const block = (search: readonly string[], replace: readonly string[]) =>
  `<<<<<<< SEARCH\n${search.map((line) => `${line}\n`).join('')}=======\n${replace.map((line) => `${line}\n`).join('')}>>>>>>> REPLACE\n`;
const answer = (path: string, ...blocks: string[]) => `${path}\n${FENCE}js\n${blocks.join('')}${FENCE}`;

describe('an answer the grammar takes', () => {
  it('changes lines that are there once, in their order', async () => {
    const { accepts, prepared } = await held({ 'src/a.js': TEXT });
    const two = answer(
      'src/a.js',
      block(['const a = 1;'], ['const a = 2;']),
      block(['function g() {', '  return 1;'], ['function g() {']),
    );
    expect(await accepts(two)).toBe(true);
    expect(await prepared.toEdits(two)).toMatchObject({ edits: [{ path: 'src/a.js' }] });
    const compared = answer('src/a.js', block(['const a = 1;'], ['const a =', '  b', '  >= 1 && c', '  === d;']));
    expect(await accepts(compared)).toBe(true);
    for (const wrong of [
      answer('src/a.js', block(['const a = 1;'], ['  =======', 'x'])),
      answer('src/a.js', block(['  return 1;'], ['  return 2;'])),
      answer('src/a.js', block(['const a = 3;'], [])),
      answer('src/b.js', block(['const a = 1;'], [])),
      answer('src/a.js', block(['function g() {'], []), block(['const a = 1;'], [])),
      answer('src/a.js', block([], ['x'])),
      answer('src/a.js'),
      `Sure!\n${two}`,
      `src/a.js\n${FENCE}js\nconst a = 2;\n${FENCE}`,
    ])
      expect(await accepts(wrong), wrong).toBe(false);
  });

  it('creates files where none is named or one is asked for', async () => {
    const created = `src/new.js\n${FENCE}js\nexport const b = 1;\n${FENCE}`;
    expect(await (await held({ 'src/a.js': TEXT })).accepts(created)).toBe(false);
    const { accepts, prepared } = await held({ 'src/a.js': TEXT }, { instruction: 'Add a file for b.' });
    expect(await accepts(created)).toBe(true);
    expect(await prepared.toEdits(created)).toMatchObject({ edits: [{ path: 'src/new.js' }] });
    expect(await accepts(`../new.js\n${FENCE}js\nx\n${FENCE}`)).toBe(false);
    expect(await (await held({}, { instruction: 'Write a.js' })).accepts(created)).toBe(true);
  });

  it('can be applied, whatever the files: lines repeat and need quotes, new ones look like marks', async () => {
    const line = fc.constantFrom(
      '',
      '}',
      '  return "a\\n";',
      '\tx',
      '<<<<<<< SEARCH',
      '=======',
      'é ü',
      "it's `x`",
      'a',
      'b',
      'c',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 12 }),
        fc.array(
          fc.tuple(
            fc.nat(11),
            fc.integer({ min: 1, max: 4 }),
            fc.array(
              fc.constantFrom('new', '', 'x < y', '> z', '= 1', '`q`', ' =======', '  >= 1', '>>>>>>> REPLACE'),
              { maxLength: 3 },
            ),
          ),
          { minLength: 1, maxLength: 3 },
        ),
        async (lines, edits) => {
          // A file that holds the marks of a block, or nothing that can be found in it, has no grammar.
          fc.pre(!lines.some((one) => /^(<{5}|={5})/.test(one)));
          const isSearchable = lines.some(
            (one, i) => one !== '' && lines.indexOf(one) === i && lines.lastIndexOf(one) === i,
          );
          fc.pre(isSearchable);
          const text = `${lines.join('\n')}\n`;
          const { accepts, prepared } = await held({ 'a.js': text });
          const given = answer(
            'a.js',
            ...edits.map(([start, length, fresh]) => block(lines.slice(start, start + length), fresh)),
          );
          if (!(await accepts(given))) return;
          const made = await prepared.toEdits(given);
          if ('invalid' in made) expect(made.invalid).toMatch(/changes nothing|and must occur exactly once/);
          if ('invalid' in made && edits.length === 1) expect(made.invalid).toMatch(/changes nothing/);
        },
      ),
      { numRuns: 150 },
    );
  });
});

it('is not asked for where a file is too long, or holds code blocks, marks or control characters', async () => {
  for (const text of ['x\n'.repeat(500), `a\n${FENCE}\nb\n`, 'a\u0001\n', 'a\n =======\n']) {
    const task: Task = { kind: 'instruction', instruction: 'x', files: ['a.md'], checks: [], allow: [] };
    const prepared = await prepareTask(task, memoryTree({ 'a.md': text }), { ...options, withGrammar: true });
    expect(prepared.grammar).toBeUndefined();
  }
});

it('is asked of a small model too, but for one short file, which it is to write in full', async () => {
  const task: Task = { kind: 'instruction', instruction: 'x', files: ['a.js'], checks: [], allow: [] };
  const ask = (lines: number, withGrammar: boolean) =>
    prepareTask(task, memoryTree({ 'a.js': Array.from({ length: lines }, (_, i) => `const x${i} = 1;\n`).join('') }), {
      ...options,
      wholeFiles: true,
      withGrammar,
    });
  const short = await ask(20, true);
  expect(short.grammar).toBeUndefined();
  expect(short.prefill).toContain('a.js');
  const long = await ask(100, true);
  expect(long.grammar).toBeDefined();
  expect(long.messages[0]!.content).toContain('SEARCH');
  expect(long.prefill).toBeUndefined();
  expect((await ask(100, false)).prefill).toContain('a.js');
});
