import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSettings } from './settings.ts';

const here = { cwd: '/repository/packages/a', root: '/repository' };

async function taskFile(text: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'lathe-settings-')), 'task.md');
  await writeFile(file, text);
  return file;
}

describe('the task', () => {
  test('a hole on the command line is meant from the directory one stands in', async () => {
    const settings = await readSettings(undefined, { at: 'src/slug.js:slugify' }, here);
    expect(settings.task).toEqual({
      kind: 'hole',
      instruction: '',
      at: { file: 'packages/a/src/slug.js', name: 'slugify' },
      files: [],
      allow: [],
    });
  });

  test('a hole in a task file is meant from the root of the repository', async () => {
    const settings = await readSettings(
      undefined,
      { task: await taskFile('---\nat: src/slug.js:slugify\n---\n') },
      here,
    );
    expect(settings.task.at).toEqual({ file: 'src/slug.js', name: 'slugify' });
  });

  test.each([
    ['src/slug.js', 'LATHE_USAGE_AT'],
    [':slugify', 'LATHE_USAGE_AT'],
    ['src/slug.js:', 'LATHE_USAGE_AT'],
    ['../../../elsewhere.js:slugify', 'LATHE_USAGE_OUTSIDE'],
    ['/etc/passwd:slugify', 'LATHE_USAGE_OUTSIDE'],
  ])('--at %s is refused with %s', async (at, code) => {
    await expect(readSettings(undefined, { at }, here)).rejects.toMatchObject({ code });
  });

  test('without a hole, an instruction or a task file it is refused, and three ways to say one are named', async () => {
    const error = await readSettings(undefined, { check: ['npm test'] }, here).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'LATHE_USAGE_NO_TASK',
      remedy: expect.stringMatching(/--at.*\n.*\n.*--task/),
    });
  });

  test('an instruction on the command line and another in the task file are refused', async () => {
    const task = await taskFile('Do that.\n');
    await expect(readSettings('do this', { task }, here)).rejects.toMatchObject({
      code: 'LATHE_USAGE_TWO_INSTRUCTIONS',
    });
  });
});

describe('values that follow an option', () => {
  test('the instruction may follow the last check where nothing else states the task', async () => {
    const settings = await readSettings(undefined, { check: ['npm test', 'npm run lint', 'add a retry'] }, here);
    expect(settings.checks).toEqual(['npm test', 'npm run lint']);
    expect(settings.task.instruction).toBe('add a retry');
  });

  test('with a hole every value of --check is a check', async () => {
    const settings = await readSettings(undefined, { at: 'a.js:f', check: ['npm test', 'npm run lint'] }, here);
    expect(settings.checks).toEqual(['npm test', 'npm run lint']);
    expect(settings.task.instruction).toBe('');
  });

  test('a word that names no kind of model is the instruction', async () => {
    const settings = await readSettings(undefined, { model: ['openai:a', 'local:b', 'add a retry'] }, here);
    expect(settings.models).toEqual(['openai:a', 'local:b']);
    expect(settings.task.instruction).toBe('add a retry');
  });
});

describe('the task file', () => {
  test('its options stand for those of the command line, which win', async () => {
    const task = await taskFile(
      '---\nn: 4\nmodel: [openai:a, openai:b]\ncheck: npm test\nmax-cost: 0.5\nmax-seconds: 60\nkeep: best\n---\n\nAdd a retry.\n',
    );
    expect(await readSettings(undefined, { task, n: 2 }, here)).toMatchObject({
      n: 2,
      models: ['openai:a', 'openai:b'],
      checks: ['npm test'],
      maxCostUsd: 0.5,
      maxSeconds: 60,
      keep: 'best',
      task: { kind: 'instruction', instruction: 'Add a retry.' },
    });
  });

  test.each<[string, number | true | undefined, number | null]>([
    ['', undefined, null],
    ['', true, 1],
    ['', 0.5, 0.5],
    ['distinct: 0.25\n', undefined, 0.25],
    ['distinct: true\n', undefined, 1],
    ['distinct: true\n', 0, 0],
  ])('the dial: %j in the file and %j on the command line is %j', async (line, distinct, expected) => {
    const task = await taskFile(`---\nn: 4\n${line}---\nDo it.\n`);
    const flags = { task, ...(distinct === undefined ? {} : { distinct }) };
    expect((await readSettings(undefined, flags, here)).distinct).toBe(expected);
  });

  test('the device is the processor where neither names one, and a name that is none is refused', async () => {
    const device = async (line: string, flags: object) =>
      (await readSettings(undefined, { task: await taskFile(`---\nn: 4\n${line}---\nDo it.\n`), ...flags }, here))
        .device;
    expect(await device('', {})).toBe('cpu');
    expect(await device('device: webgpu\n', {})).toBe('webgpu');
    expect(await device('device: webgpu\n', { device: 'cpu' })).toBe('cpu');
    await expect(device('device: gpu\n', {})).rejects.toMatchObject({ code: 'LATHE_USAGE_TASK_FILE' });
  });

  test.each([
    ['---\ncolour: red\n---\nx', 'colour'],
    ['---\nn: ten\n---\nx', 'n: '],
    ['---\nunsafe-no-sandbox: true\n---\nx', 'unsafe-no-sandbox'],
    ['---\nn: 3\nx', 'no closing'],
    ['---\nn: [3\n---\nx', 'line 1'],
    ['---\na: &a [x, x]\nb: *a\n---\nx', 'Alias'],
  ])('%j is refused, and %j is named', async (text, named) => {
    const error = await readSettings(undefined, { task: await taskFile(text) }, here).catch(
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ code: 'LATHE_USAGE_TASK_FILE', message: expect.stringContaining(named) });
  });

  test('one that is not there is not found', async () => {
    await expect(readSettings(undefined, { task: '/nowhere/task.md' }, here)).rejects.toMatchObject({
      code: 'LATHE_NOT_FOUND_TASK_FILE',
    });
  });
});
