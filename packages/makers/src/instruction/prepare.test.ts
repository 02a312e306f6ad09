import type { Task } from '@lathe/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { prepareTask } from '../prepare.ts';
import { memoryTree } from '../testing/memory-tree.ts';

const FENCE = '```';
const block = (search: string, replace: string) =>
  `<<<<<<< SEARCH\n${search}\n=======\n${replace}\n>>>>>>> REPLACE`.replaceAll('\n\n', '\n');

const CLIENT =
  'export class Client {\n  get(url) {\n    return fetch(url);\n  }\n}\n\nexport const a = 1;\nexport const b = 1;\nexport const b = 1;\n';
const FILES: Record<string, string> = {
  'AGENTS.md': 'Two spaces.\n',
  'README.md': `# Title\n${FENCE}js\nold();\n${FENCE}\n`,
  'src/client.js': CLIENT,
  'src/retry.js': 'export function backoff(attempt) {\n  return 2 ** attempt;\n}\n',
  'src/colours.py': 'class Colour:\n    def mix(self, other):\n        pass\n',
  'win.txt': '\uFEFFone\r\ntwo\r\nthree',
};

async function prepared(
  files: string[] = ['src/client.js'],
  contextTokens = 4_000,
  instruction = 'Add a retry to the client',
) {
  const task: Task = { kind: 'instruction', instruction, files, checks: [], allow: [] };
  return prepareTask(task, memoryTree(FILES), { contextTokens, countTokens: (text) => Math.ceil(text.length / 3) });
}

/** Contents by path, null for a deleted file; or the reason. */
async function edits(answer: string): Promise<Record<string, string | null> | string> {
  const result = await (await prepared()).toEdits(answer);
  if ('invalid' in result) return result.invalid;
  const decode = (content: Uint8Array | null) =>
    content === null ? null : new TextDecoder('utf-8', { ignoreBOM: true }).decode(content);
  return Object.fromEntries(result.edits.map(({ path, content }) => [path, decode(content)]));
}

describe('changes are read whatever stands around them', () => {
  const replaced = { 'src/client.js': CLIENT.replace('fetch(url)', 'retry(url)') };
  const one = block('    return fetch(url);', '    return retry(url);');
  const answers: [what: string, answer: string][] = [
    ['as asked', `src/client.js\n${FENCE}js\n${one}\n${FENCE}`],
    ['with prose', `Sure:\n\nsrc/client.js\n\n${FENCE}js\n${one}\n${FENCE}\n\nThat retries.`],
    ['with a bold path', `**src/client.js**\n${FENCE}\n${one}\n${FENCE}`],
    ['under a heading', `### \`src/client.js\`\n${FENCE}js\n${one}\n${FENCE}`],
    ['with a label', `File: src/client.js\n${FENCE}js\n${one}\n${FENCE}`],
    ['with the path in a sentence', `In \`src/client.js\`, change this:\n${FENCE}js\n${one}\n${FENCE}`],
    ['with the path in the fence', `${FENCE}js\nsrc/client.js\n${one}\n${FENCE}`],
    ['with the path as a comment', `${FENCE}js\n// src/client.js\n${one}\n${FENCE}`],
    ['with the path behind the fence', `${FENCE}js title="src/client.js"\n${one}\n${FENCE}`],
    ['without a fence', `src/client.js\n${one}`],
    ['in an unclosed fence', `src/client.js\n${FENCE}js\n${one}`],
    ['from the current folder', `./src/client.js\n${FENCE}js\n${one}\n${FENCE}`],
    ['with backslashes', `src\\client.js\n${FENCE}js\n${one}\n${FENCE}`],
    ['with CRLF', `src/client.js\n${FENCE}js\n${one}\n${FENCE}`.replaceAll('\n', '\r\n')],
    [
      'after thoughts',
      `<think>\nsrc/x.js\n${FENCE}\nno\n${FENCE}\n</think>\nsrc/client.js\n${FENCE}js\n${one}\n${FENCE}`,
    ],
  ];
  test.each(answers)('%s', async (_what, answer) => {
    expect(await edits(answer)).toEqual(replaced);
  });

  test('several blocks in one fence, and in the next under the same path', async () => {
    const answer = `src/client.js\n${FENCE}js\n${block('export const a = 1;', 'export const a = 2;')}\n${block('export const a = 2;', 'export const a = 3;')}\n${FENCE}\nand\n${FENCE}js\n${block('export class Client {', 'export class C {')}\n${FENCE}`;
    expect(await edits(answer)).toEqual({ 'src/client.js': CLIENT.replace('a = 1', 'a = 3').replace('Client', 'C') });
  });

  test('fences inside what is searched, a new file, a whole file, and a deletion', async () => {
    const answer = `README.md\n${FENCE}md\n${block(`${FENCE}js\nold();\n${FENCE}`, `${FENCE}js\nnew();\n${FENCE}`)}\n${FENCE}\n\nsrc/new.js\n${FENCE}js\nexport {};\n${FENCE}\n\nsrc/colours.py:\n${FENCE}py\nclass Colour:\n    pass\n${FENCE}\n\n- DELETE \`src/retry.js\``;
    expect(await edits(answer)).toEqual({
      'README.md': FILES['README.md']!.replace('old', 'new'),
      'src/new.js': 'export {};\n',
      'src/colours.py': 'class Colour:\n    pass\n',
      'src/retry.js': null,
    });
  });

  test('an empty REPLACE part deletes lines, an empty SEARCH part makes a file', async () => {
    expect(await edits(`src/client.js\n${FENCE}\n${block('export const a = 1;', '')}\n${FENCE}`)).toEqual({
      'src/client.js': CLIENT.replace('export const a = 1;\n', ''),
    });
    expect(await edits(`src/x.js\n${FENCE}\n${block('', 'export {};')}\n${FENCE}`)).toEqual({
      'src/x.js': 'export {};\n',
    });
  });

  test('line ends, byte order mark and a missing last line end stay', async () => {
    expect(await edits(`win.txt\n${FENCE}\n${block('two', '2\n2')}\n${FENCE}`)).toEqual({
      'win.txt': '\uFEFFone\r\n2\r\n2\r\nthree',
    });
    expect(await edits(`win.txt\n${FENCE}\n${block('three', '3')}\n${FENCE}`)).toEqual({
      'win.txt': '\uFEFFone\r\ntwo\r\n3',
    });
    expect(await edits(`win.txt\n${FENCE}\none\n2\n${FENCE}`)).toEqual({ 'win.txt': '\uFEFFone\r\n2\r\n' });
  });
});

describe('what does not apply exactly is invalid, with block, file and number of matches', () => {
  const answers: [answer: string, reason: RegExp][] = [
    [
      `src/client.js\n${FENCE}\n${block('export const b = 1;', 'x')}\n${FENCE}`,
      /^change 1 of 1 \(src\/client\.js\): its SEARCH text occurs 2 times \(lines 8, 9\)/,
    ],
    [
      `src/client.js\n${FENCE}\n${block('const c = 1;', 'x')}\n${FENCE}`,
      /does not occur in src\/client\.js and must occur exactly once$/,
    ],
    [
      `src/client.js\n${FENCE}\n${block('return fetch(url);', 'x')}\n${FENCE}`,
      /with other white space it does, at line 3$/,
    ],
    [`src/client.js\n${FENCE}\n${block('fetch', 'x')}\n${FENCE}`, /does not occur/],
    [`src/none.js\n${FENCE}\n${block('a', 'b')}\n${FENCE}`, /there is no such file to search/],
    [`src/client.js\n${FENCE}\n${block('', 'b')}\n${FENCE}`, /empty SEARCH part, but the file has content/],
    [`src/client.js\n${FENCE}\n<<<<<<< SEARCH\na\n${FENCE}`, /block 1 of src\/client\.js is not complete/],
    [`${FENCE}\n${block('a', 'b')}\n${FENCE}`, /does not say which file/],
    [`src/client.js\n${FENCE}js\nexport class Client {\n  // ... existing code ...\n}\n${FENCE}`, /leaves code out/],
    [
      `src/client.js\n${FENCE}js\nexport class Client {\n  // rest of the code unchanged\n}\n${FENCE}`,
      /leaves code out/,
    ],
    [`src/client.js\n${FENCE}js\nexport class`, /the new content of src\/client\.js is cut off/],
    [`src/client.js\n${FENCE}\n${CLIENT}${FENCE}`, /the answer changes nothing/],
    ['DELETE src/none.js', /deletes a file that is not there/],
    [`src/client.js/x.js\n${FENCE}\na\n${FENCE}\nsrc/client.js\n${FENCE}\nb\n${FENCE}`, /would be a file and a folder/],
    ['I would add a retry.', /there is no change in the answer/],
    [`Run this:\n${FENCE}sh\nnpm test\n${FENCE}`, /there is no change in the answer/],
  ];
  test.each(answers)('%j', async (answer, reason) => {
    expect(await edits(answer)).toMatch(reason);
  });
});

test('where whole files are wanted, the answer to one named file goes on inside its fence', async () => {
  const task: Task = { kind: 'instruction', instruction: 'x', files: ['src/retry.js'], checks: [], allow: [] };
  const options = { contextTokens: 4_000, countTokens: (text: string) => text.length / 3, wholeFiles: true };
  const whole = await prepareTask(task, memoryTree(FILES), options);
  expect(whole.messages[0]!.content).not.toContain('SEARCH');
  expect(whole.prefill).toBe(`src/retry.js\n${FENCE}js\n`);
  const kept = 'export const backoff = () => 1;';
  const content = new TextEncoder().encode(`${kept}\n`);
  expect(await whole.toEdits(kept, 'prefilled')).toMatchObject({ edits: [{ path: 'src/retry.js', content }] });
  expect(await whole.toEdits('export const other = 1;', 'prefilled')).toEqual({
    invalid: 'the new content of src/retry.js lacks backoff, which it was not told to remove',
  });
  expect(await whole.toEdits('export const a', 'prefilled', true)).toHaveProperty('invalid');
  expect(await whole.toEdits('// ... existing code ...', 'prefilled')).toHaveProperty('invalid');
});

test('an answer that was cut off is invalid even where every block in it is whole', async () => {
  const answer = `src/client.js\n${FENCE}\n${block('export const a = 1;', 'export const a = 2;')}\n${FENCE}\n`;
  expect(await (await prepared()).toEdits(answer, 'chat', false)).toHaveProperty('edits');
  expect(await (await prepared()).toEdits(answer, 'chat', true)).toHaveProperty('invalid');
});

describe('paths that leave the repository are refused', () => {
  test.each([
    '../x.js',
    'src/../../x.js',
    '/etc/passwd',
    'C:/x.js',
    '~/x.js',
    '.git/hooks/pre-commit',
    'src/.GIT/config',
    '.git./config',
    'git~1/config',
    '.g\u200cit/config',
  ])('%s', async (path) => {
    expect(await edits(`${FENCE}js path=${path}\na\n${FENCE}`)).toMatch(
      /leaves the repository|not a path inside|is inside \.git/,
    );
  });

  test('whatever a model writes, no edit leaves the repository', async () => {
    const scraps = fc.constantFrom(
      'src/a.js',
      '../',
      '/',
      '..\\',
      '.git/',
      'x.js',
      '\n',
      FENCE,
      'DELETE ',
      `${FENCE}js\n`,
      '\n```\n',
      '**',
      '`',
      '# ',
      block('a', 'b'),
      'C:',
      '~/',
      'win.txt',
      '.',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(scraps, { maxLength: 10 }), async (parts) => {
        const result = await edits(parts.join(''));
        if (typeof result === 'string') return;
        for (const path of Object.keys(result))
          expect(path).toMatch(/^(?!\/|~|[A-Za-z]:)(?!(.*\/)?(\.\.|\.git)(\/|$))[^\\]+$/);
      }),
      { numRuns: 300 },
    );
  });
});

describe('what the model is told', () => {
  test('the words, the named file in full, the rules of the repository, and what else there is', async () => {
    const { messages, leftOut } = await prepared();
    const user = messages.at(-1)!.content;
    expect(user).toContain('Do this:\nAdd a retry to the client');
    expect(user).toContain(`src/client.js\n${FENCE}js\n${CLIENT}${FENCE}`);
    expect(user).toContain('Rules of the repository (`AGENTS.md`):\nTwo spaces.');
    expect(user).toContain('src/colours.py: Colour, Colour.mix');
    expect(leftOut).toEqual([]);
  });

  test('files with the words of the instruction come first in the map', async () => {
    const user = (await prepared()).messages.at(-1)!.content;
    expect(user.indexOf('src/retry.js: backoff')).toBeLessThan(user.indexOf('src/colours.py'));
    const other = (await prepared([], 4_000, 'Mix colours')).messages.at(-1)!.content;
    expect(other).toContain(`src/colours.py\n${FENCE}py\nclass Colour`);
  });

  test('the nearest AGENTS.md', async () => {
    const task: Task = { kind: 'instruction', instruction: 'x', files: ['a/b/c.js'], checks: [], allow: [] };
    const tree = memoryTree({ 'AGENTS.md': 'root', 'a/AGENTS.md': 'near', 'a/b/c.js': '' });
    const { messages } = await prepareTask(task, tree, {
      contextTokens: 4_000,
      countTokens: (text) => text.length / 3,
    });
    expect(messages.at(-1)!.content).toContain('Rules of the repository (`a/AGENTS.md`):\nnear');
  });

  test('what does not fit is left out and named; smaller parts still go in', async () => {
    const task: Task = { kind: 'instruction', instruction: 'x', files: ['a.js'], checks: [], allow: [] };
    const tree = memoryTree({ 'AGENTS.md': 'rule '.repeat(1_000), 'a.js': 'one();\n', 'b.js': 'function two() {}\n' });
    const options = { contextTokens: 1_000, countTokens: (text: string) => text.length / 3 };
    const { messages, leftOut, contextTooLong } = await prepareTask(task, tree, options);
    expect(messages.at(-1)!.content).toContain('one();');
    expect(messages.at(-1)!.content).toContain('b.js: two');
    expect(leftOut).toEqual(['AGENTS.md']);
    expect(contextTooLong).toBeUndefined();
  });

  test('where not even that fits, how many tokens it takes', async () => {
    const { contextTooLong } = await prepared(['src/client.js'], 100);
    expect(contextTooLong).toMatchObject({ contextTokens: 100 });
    expect(contextTooLong!.tokens).toBeGreaterThan(100);
  });

  test('a named file that is missing is the user’s to mend', async () => {
    await expect(prepared(['src/none.js'])).rejects.toMatchObject({ code: 'LATHE_NOT_FOUND_FILE' });
  });
});
