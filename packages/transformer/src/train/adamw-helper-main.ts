/** The thread of `AdamWHelper`. */
import { parentPort } from 'node:worker_threads';
import { type AdamWPart, type AdamWStep, adamWUpdate } from './adamw.ts';
import { buffersOf } from './adamw-helper.ts';

parentPort!.on('message', ({ parts, step }: { parts: readonly AdamWPart[]; step: AdamWStep }) => {
  for (const part of parts) adamWUpdate(part, step);
  parentPort!.postMessage(parts, buffersOf(parts));
});
