import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { livingOwner, owningRun } from './run-owner.ts';

const module = join(import.meta.dirname, 'run-owner.ts');

test('a run has one owner, and none once it is let go', async () => {
  const latheDir = await mkdtemp(join(tmpdir(), 'lathe-owner-'));
  await owningRun('abc', latheDir, async () => {
    expect(await livingOwner('abc', latheDir)).toBe(process.pid);
    await expect(owningRun('abc', latheDir, async () => {})).rejects.toMatchObject({
      code: 'LATHE_RUN_BUSY',
      message: expect.stringContaining(String(process.pid)),
    });
  });
  expect(await livingOwner('abc', latheDir)).toBeNull();
  expect(await readdir(join(latheDir, 'owners'))).toEqual([]);
});

test('the owner of a killed process is gone at once', async () => {
  const latheDir = await mkdtemp(join(tmpdir(), 'lathe-owner-'));
  const script = `import { owningRun } from ${JSON.stringify(module)};
    await owningRun('abc', ${JSON.stringify(latheDir)}, () => { console.log('owned'); return new Promise((resolve) => setTimeout(resolve, 60000)); });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(await livingOwner('abc', latheDir)).toBe(child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await livingOwner('abc', latheDir)).toBeNull();
  await owningRun('abc', latheDir, async () => expect(await livingOwner('abc', latheDir)).toBe(process.pid));
});

test('a process that was given the same id later is not the owner', async () => {
  const latheDir = await mkdtemp(join(tmpdir(), 'lathe-owner-'));
  await owningRun('abc', latheDir, async () => {
    await writeFile(join(latheDir, 'owners', 'abc'), JSON.stringify({ pid: process.pid, started: '1' }));
    expect(await livingOwner('abc', latheDir)).toBeNull();
  });
});
