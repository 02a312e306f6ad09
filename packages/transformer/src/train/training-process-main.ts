/** What `trainInProcess` starts: runs one job, tells its events, and ends. */
import process from 'node:process';
import { runLora } from './lora/run-lora.ts';
import { runTraining } from './run.ts';
import type { FromTraining, ToTraining, TrainingJob, TransferredError } from './training-process.ts';

const stopping = new AbortController();
// Ctrl-C reaches every process of the terminal; when to stop is for the parent to say. One that is gone says it too.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => stopping.abort());
process.on('message', (message: ToTraining) => {
  if (message.type === 'stop') stopping.abort();
  else void run(message.job);
});

async function run(job: TrainingJob): Promise<void> {
  const hooks = {
    signal: stopping.signal,
    onEvent: (event: Extract<FromTraining, { type: 'event' }>['event']) => tell({ type: 'event', event }),
  };
  try {
    const run = await (job.kind === 'scratch'
      ? runTraining(job.corpus, { ...job.options, ...hooks })
      : runLora(job.corpus, { ...job.options, ...hooks }));
    tell({ type: 'finished', run });
  } catch (error) {
    tell({ type: 'failed', error: transferred(error) });
  }
  if (process.connected) process.disconnect();
}

function tell(message: FromTraining): void {
  if (process.connected) process.send!(message);
}

function transferred(error: unknown): TransferredError {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const fields: Record<string, string | null> = {};
  for (const field of ['code', 'remedy', 'syscall', 'path']) {
    const value = (error as Record<string, unknown>)[field];
    if (typeof value === 'string' || value === null) fields[field] = value;
  }
  return { name, message, stack, fields };
}
