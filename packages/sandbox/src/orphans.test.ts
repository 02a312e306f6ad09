import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createWorkDirectory, removeWorkDirectory } from './index.ts';

it.skipIf(process.platform !== 'linux')(
  'removing a work directory ends the sandboxes left in it, and no other process',
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'lathe-orphans-'));
    const started: ChildProcess[] = [];
    const start = async (name: string, argument: string) => {
      const script = join(root, name);
      // Waits on its input for ever and ends at once when killed. The kernel takes its name from the script's.
      await writeFile(script, '#!/bin/sh\necho ready\nread -r line\n');
      await chmod(script, 0o755);
      const child = spawn(script, [argument], { stdio: ['pipe', 'pipe', 'inherit'] });
      started.push(child);
      await once(child.stdout, 'data');
      expect(readFileSync(`/proc/${child.pid}/comm`, 'utf8')).toBe(`${name}\n`);
      return child;
    };
    try {
      const path = join(root, 'run-1');
      await createWorkDirectory(path);
      const orphan = await start('bwrap', join(path, 'copies/c1/merged'));
      const ofAnotherRun = await start('bwrap', join(root, 'run-10/copies/c1/merged'));
      const editor = await start('vim', join(path, 'copies/c1/merged'));
      const ended = once(orphan, 'exit');
      await removeWorkDirectory(path);
      expect((await ended)[1]).toBe('SIGKILL');
      for (const child of [ofAnotherRun, editor]) expect(child.exitCode ?? child.signalCode).toBeNull();
    } finally {
      for (const child of started) child.kill('SIGKILL');
      await rm(root, { recursive: true, force: true });
    }
  },
);
