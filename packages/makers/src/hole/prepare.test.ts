import type { Task } from '@lathe/protocol';
import { describe, expect, test } from 'vitest';
import { prepareTask } from '../prepare.ts';
import { memoryTree } from '../testing/memory-tree.ts';

const SHOP = [
  "import { tax } from './tax.js';",
  '',
  '/** What is for sale. */',
  'export interface Item {',
  '  readonly price: number;',
  '}',
  '',
  '/** Price with tax. */',
  'export function gross(item: Item): number {',
  '  return item.price * tax;',
  '}',
  '',
  'export class Basket {',
  '  /**',
  '   * Sum of all prices.',
  '   */',
  '  total(items: readonly Item[]): number {',
  '    return 0; // not yet',
  '  }',
  '}',
  '',
].join('\n');
const FILES: Record<string, string> = {
  'src/shop.ts': SHOP,
  'test/shop.test.ts': "test('total', () => expect(new Basket().total([])).toBe(0));\n",
  'test/other.test.ts': "test('x', () => {});\n",
  'notes.md': 'Prices are in cents.\n',
};
const TASK: Task = {
  kind: 'hole',
  instruction: 'Round to cents.',
  at: { file: 'src/shop.ts', name: 'Basket.total' },
  files: ['notes.md'],
  checks: [],
  allow: [],
};
const options = (contextTokens: number) => ({
  contextTokens,
  countTokens: (text: string) => Math.ceil(text.length / 3),
});
const prepare = (contextTokens = 2_000, task: Task = TASK) =>
  prepareTask(task, memoryTree(FILES), options(contextTokens));

describe('what the model is shown', () => {
  test('words, imports, types of the signature, neighbours, tests that mention it, named files, and the function without its body', async () => {
    const user = (await prepare()).messages.at(-1)!.content;
    for (const part of [
      'Write the TypeScript function `Basket.total` of `src/shop.ts`.\n\nRound to cents.',
      "import { tax } from './tax.js';",
      'interface Item {\n  readonly price: number;\n}',
      '// Price with tax.\nexport function gross(item: Item): number',
      'new Basket().total([])',
      'Prices are in cents.',
      '/**\n * Sum of all prices.\n */\ntotal(items: readonly Item[]): number {\n}',
    ]) {
      expect(user).toContain(part);
    }
    expect(user).not.toContain('not yet');
    expect(user).not.toContain('other.test');
  });

  test('a continuation begins where the body does', async () => {
    const { prefill, completionPrompt, continuationStop, continuationEnd } = await prepare();
    const end = 'total(items: readonly Item[]): number {';
    expect(prefill).toBe(`\`\`\`ts\n/**\n * Sum of all prices.\n */\n${end}`);
    expect(completionPrompt!.startsWith("import { tax } from './tax.js';")).toBe(true);
    expect(completionPrompt!.endsWith(`  // Round to cents.\n  /**\n   * Sum of all prices.\n   */\n  ${end}`)).toBe(
      true,
    );
    expect(continuationStop).toEqual(['\n```']);
    expect(continuationEnd).toMatchObject({ language: 'typescript', opening: expect.stringMatching(/\{$/) });
  });

  test('what does not fit is left out, the least telling first, and named', async () => {
    const all = await prepare();
    const some = await prepare(230);
    expect(all.leftOut).toEqual([]);
    expect(some.leftOut.length).toBeGreaterThan(0);
    expect(some.messages.at(-1)!.content).toContain('interface Item');
    expect(some.messages.at(-1)!.content).toContain('Sum of all prices');
    expect(some.contextTooLong).toBeUndefined();
    const tokens = options(0).countTokens(some.messages.map(({ content }) => content).join('\n'));
    expect(tokens).toBeLessThanOrEqual(230);
  });

  test('a completion starts later in the file where the window is small', async () => {
    const { completionPrompt } = await prepare(80);
    expect(completionPrompt).not.toContain('import { tax }');
    expect(completionPrompt!.endsWith('total(items: readonly Item[]): number {')).toBe(true);
  });

  test('too long says by how much', async () => {
    const { contextTooLong } = await prepare(50);
    expect(contextTooLong).toMatchObject({ contextTokens: 50, tokens: expect.any(Number) });
  });
});

describe('an answer becomes one edit of the file', () => {
  test('of the hole alone, with the mode the file has', async () => {
    const tree = { ...memoryTree(FILES), mode: async () => '100755' as const };
    const prepared = await prepareTask(TASK, tree, options(2_000));
    const result = await prepared.toEdits('```ts\ntotal(items) {\n  return items.length;\n}\n```');
    if ('invalid' in result) throw new Error(result.invalid);
    expect(result.edits).toHaveLength(1);
    expect(result.edits[0]).toMatchObject({ path: 'src/shop.ts', mode: '100755' });
    expect(new TextDecoder().decode(result.edits[0]!.content!)).toBe(
      SHOP.replace('return 0; // not yet', 'return items.length;'),
    );
  });
});

describe('what the user can mend is an error', () => {
  test.each([
    ['src/none.ts', 'f', 'LATHE_NOT_FOUND_FILE'],
    ['src/shop.ts', 'totl', 'LATHE_NOT_FOUND_FUNCTION'],
    ['notes.md', 'f', 'LATHE_USAGE_HOLE_LANGUAGE'],
  ])('%s:%s', async (file, name, code) => {
    await expect(prepare(2_000, { ...TASK, at: { file, name } })).rejects.toMatchObject({ code });
  });
});
