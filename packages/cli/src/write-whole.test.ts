import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeWhole } from './write-whole.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-whole-'));
const disk = join(folder, 'disk');
mkdirSync(disk);
const mounted =
  process.platform === 'linux' &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { stdio: 'ignore' }).status === 0;
afterAll(() => {
  if (mounted) spawnSync('umount', [disk]);
  rmSync(folder, { recursive: true, force: true });
});

test('follows a link, and writes to a device as it is', async () => {
  writeFileSync(join(folder, 'old'), 'old');
  symlinkSync('old', join(folder, 'link'));
  await writeWhole(join(folder, 'link'), 'new');
  expect(readFileSync(join(folder, 'old'), 'utf8')).toBe('new');
  await writeWhole('/dev/null', 'x');
  expect(readdirSync(folder).sort()).toEqual(['disk', 'link', 'old']);
});

test('where it cannot be written the error names the file that was asked for', async () => {
  const path = join(folder, 'none/file.html');
  await expect(writeWhole(path, 'x')).rejects.toMatchObject({ code: 'ENOENT', path });
});

test.skipIf(!mounted)('where the disk is full the old file stays, and nothing beside it', async () => {
  const path = join(disk, 'page.html');
  await writeWhole(path, 'old');
  await expect(writeWhole(path, 'x'.repeat(200_000))).rejects.toMatchObject({ code: 'ENOSPC', path });
  expect(readdirSync(disk)).toEqual(['page.html']);
  expect(readFileSync(path, 'utf8')).toBe('old');
});
