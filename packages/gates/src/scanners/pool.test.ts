import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { batchesOf } from './pool.ts';

function childrenOf(pid: number): number[] {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' });
  return table.split('\n').flatMap((line) => {
    const [child, parent] = line.trim().split(/\s+/).map(Number);
    return parent === pid && child ? [child] : [];
  });
}

function isAlive(pid: number): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z');
  } catch {
    return false;
  }
}

it('leaves no scanner behind when its parent is killed in the middle of a scan that never ends', async () => {
  const parent = spawn(process.execPath, [new URL('../__fixtures__/hanging-scan.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(parent.stdout, 'data');
  await sleep(300);
  const scanners = childrenOf(parent.pid!);
  expect(scanners).toHaveLength(1);
  parent.kill('SIGKILL');
  for (let waited = 0; waited < 100 && scanners.some(isAlive); waited++) await sleep(100);
  expect(scanners.filter(isAlive)).toEqual([]);
});

it('cuts batches by number and by size', () => {
  const file = (size: number) => ({ path: 'a', text: 'x'.repeat(size), language: 'text' as const });
  expect(batchesOf(Array.from({ length: 41 }, () => file(1))).map((batch) => batch.length)).toEqual([40, 1]);
  expect(batchesOf([file(200_000), file(200_000)]).map((batch) => batch.length)).toEqual([1, 1]);
  expect(batchesOf([])).toEqual([]);
});
