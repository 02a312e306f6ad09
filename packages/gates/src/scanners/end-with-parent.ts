import { isMainThread, Worker, workerData } from 'node:worker_threads';

const POLL_MS = 500;

/**
 * Ends this process soon after its parent is gone, even while it is busy: a scan that never ends would otherwise outlive
 * a parent that was killed. A thread watches, because a busy event loop cannot.
 */
export function endWithParent(): void {
  new Worker(new URL(import.meta.url), { workerData: { parent: process.ppid } }).unref();
}

if (!isMainThread && typeof workerData?.parent === 'number') {
  setInterval(() => {
    if (process.ppid !== workerData.parent) process.kill(process.pid, 'SIGKILL');
  }, POLL_MS);
}
