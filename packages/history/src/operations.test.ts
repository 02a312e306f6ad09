import { afterEach, describe, expect, it } from 'vitest';
import { auditRepository } from './audit-repository.ts';
import { wordChange } from './operations.ts';
import { ScriptedRepository } from './repository.fixture.ts';

const repositories: ScriptedRepository[] = [];
afterEach(() => {
  for (const repository of repositories.splice(0)) repository.remove();
});

function lines(...words: string[]): string {
  return `${words.join('\n')}\n`;
}

async function operationsOf(
  ...commits: { files: Record<string, string | null>; days?: number }[]
): Promise<Record<string, number>> {
  const repository = new ScriptedRepository();
  repositories.push(repository);
  for (const { files, days } of commits) repository.commit(files, { days });
  const { document } = await auditRepository({
    directory: repository.directory,
    cacheDirectory: null,
    nowMs: 1_900_000_000_000,
  });
  return Object.fromEntries(Object.entries(document.operations).filter(([, count]) => count > 0));
}

const COUNT = 'const total = items.length + offset';
const PRICE = 'const price = basket.sum(vat, discount)';
const NAME = 'return person.firstName.concat(person.lastName)';

describe('operations, one hand-checked repository each', () => {
  it('added: lines nobody wrote before; brackets and blank lines do not count', async () => {
    expect(await operationsOf({ files: { 'a.js': lines(COUNT, '', '{', PRICE, '}') } })).toEqual({ added: 2 });
  });

  it('deleted: gone and not back within two weeks', async () => {
    expect(await operationsOf({ files: { 'a.js': lines(COUNT, PRICE) } }, { files: { 'a.js': lines(COUNT) } })).toEqual(
      { added: 2, deleted: 1 },
    );
  });

  it('moved: the same line in another file, in one commit', async () => {
    expect(
      await operationsOf(
        { files: { 'a.js': lines(COUNT, PRICE), 'b.js': lines(NAME) } },
        { files: { 'a.js': lines(COUNT), 'b.js': lines(NAME, `    ${PRICE}`) } },
      ),
    ).toEqual({ added: 3, moved: 1 });
  });

  it('moved: taken out in one commit, back in another a week later', async () => {
    expect(
      await operationsOf(
        { files: { 'a.js': lines(COUNT, PRICE) } },
        { files: { 'a.js': lines(COUNT) } },
        { files: { 'b.js': lines(PRICE) }, days: 7 },
      ),
    ).toEqual({ added: 2, moved: 1 });
  });

  it('deleted and added: back only after three weeks', async () => {
    expect(
      await operationsOf(
        { files: { 'a.js': lines(COUNT, PRICE) } },
        { files: { 'a.js': lines(COUNT) } },
        { files: { 'b.js': lines(PRICE) }, days: 21 },
      ),
    ).toEqual({ added: 3, deleted: 1 });
  });

  it('updated: three words or fewer changed', async () => {
    expect(
      await operationsOf(
        { files: { 'a.js': lines(COUNT, PRICE) } },
        { files: { 'a.js': lines(COUNT, PRICE.replace('discount', 'rebate')) } },
      ),
    ).toEqual({ added: 2, updated: 1 });
  });

  it('deleted and added: a line rewritten', async () => {
    expect(
      await operationsOf({ files: { 'a.js': lines(COUNT, PRICE) } }, { files: { 'a.js': lines(COUNT, NAME) } }),
    ).toEqual({ added: 3, deleted: 1 });
  });

  it('find/replaced: one string replaced in three places', async () => {
    const use = (name: string) => lines(`open(${name}, 1)`, COUNT, `read(${name}, 22)`, PRICE, `close(${name}, 333)`);
    expect(await operationsOf({ files: { 'a.js': use('file') } }, { files: { 'a.js': use('handle') } })).toEqual({
      added: 5,
      findReplaced: 3,
    });
  });

  it('copy/pasted: the same content in two files of one commit', async () => {
    expect(
      await operationsOf({ files: { 'a.js': lines(COUNT, '}', PRICE), 'b.js': lines(COUNT, '}', NAME) } }),
    ).toEqual({ copyPasted: 2, added: 2 });
  });

  it('copy/pasted: the same content in two functions of one new file', async () => {
    const inFunction = (name: string) => [`function ${name}() {`, `  ${COUNT}`, '}'];
    expect(await operationsOf({ files: { 'a.js': lines(...inFunction('one'), ...inFunction('two')) } })).toEqual({
      copyPasted: 2,
      added: 2,
    });
  });

  it('added: the same content twice in one function', async () => {
    const body = (...inner: string[]) => lines('function one() {', '  start(here);', ...inner, '}');
    expect(
      await operationsOf(
        { files: { 'a.js': body('  middle(here);') } },
        { files: { 'a.js': body(`  ${COUNT}`, '  middle(here);', `  ${COUNT}`) } },
      ),
    ).toEqual({ added: 5 });
  });

  it('find/replaced: three places in two lines', async () => {
    const use = (name: string) => lines(`copy(${name}, ${name}, 1)`, COUNT, `read(${name}, 22)`);
    expect(await operationsOf({ files: { 'a.js': use('file') } }, { files: { 'a.js': use('handle') } })).toEqual({
      added: 3,
      findReplaced: 2,
    });
  });

  it('no-op: white space alone', async () => {
    expect(
      await operationsOf({ files: { 'a.js': lines(COUNT, PRICE) } }, { files: { 'a.js': lines(`\t${COUNT}`, PRICE) } }),
    ).toEqual({ added: 2, noop: 1 });
  });

  it('leaves generated, vendored and lock files out, by name and by .gitattributes', async () => {
    expect(
      await operationsOf({
        files: {
          '.gitattributes': 'made/*.js linguist-generated\n',
          'package-lock.json': lines(COUNT),
          'vendor/x.js': lines(PRICE),
          'made/y.js': lines(NAME),
        },
      }),
    ).toEqual({ added: 1 });
  });
});

describe('wordChange', () => {
  it('counts a replaced word once', () => {
    expect(wordChange('let x = one', 'let x = two')).toMatchObject({ changed: 1, from: ['one'], to: ['two'] });
  });
  it('counts what was put in', () => {
    expect(wordChange('call(a)', 'call(a, b)')).toMatchObject({ changed: 2, from: [], to: [',', 'b'] });
  });
});
