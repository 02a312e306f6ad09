import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { playground, processesWith } from './__fixtures__/checkout.ts';
import { detectIsolation, removeWorkDirectory } from './index.ts';

const isolation = await detectIsolation();
const owner = fileURLToPath(new URL('./__fixtures__/owner.ts', import.meta.url));

describe.skipIf(!isolation.available)('kill -9 of the process that owns a copy', () => {
  // From before the namespaces exist to well into the command: setting up takes 10 to 60 ms.
  it.each([0, 3, 6, 10, 15, 20, 30, 45, 70, 150])(
    '%i ms after it started a command: no process, no mount',
    async (delayMs) => {
      await using ground = await playground();
      const mark = `16.${String(delayMs).padStart(3, '0')}${process.pid}`;
      const command = `setsid sleep ${mark} & nohup sleep ${mark} & sleep ${mark}`;
      const child = spawn(
        process.execPath,
        [owner, ground.base, ground.checkout, join(ground.root, 'second'), command],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      await once(child.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      child.kill('SIGKILL');
      await once(child, 'exit');
      // The kernel takes a moment to end a namespace; a survivor would sleep for 16 s.
      await expect.poll(() => processesWith(mark), { timeout: 5_000, interval: 20 }).toEqual([]);
      await expect.poll(() => processesWith(join(ground.root, 'second')), { timeout: 5_000, interval: 20 }).toEqual([]);
      expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain('lathe-sandbox-');
      await removeWorkDirectory(join(ground.root, 'second'));
      expect(await readdir(ground.root)).not.toContain('second');
    },
  );
});
