import { endWithParent } from '../scanners/end-with-parent.ts';
import type { ScanAnswer, ScanTask } from '../scanners/worker.ts';

endWithParent();

/** A scanner that hangs on one file and takes its process down on another. */
export default async function scan({ files }: ScanTask): Promise<ScanAnswer> {
  if (files.some((file) => file.path === 'hang.js')) for (;;);
  if (files.some((file) => file.path === 'crash.js')) process.kill(process.pid, 'SIGKILL');
  return { reports: files.map(({ path }) => ({ path, findings: [], suppressed: [], syntaxError: null })), failed: [] };
}
