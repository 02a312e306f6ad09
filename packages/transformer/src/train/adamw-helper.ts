import { Worker } from 'node:worker_threads';
import type { AdamWPart, AdamWStep } from './adamw.ts';

/**
 * A thread that applies AdamW to the parts it is handed. Values and gradients move there and back without a copy: until
 * the answer comes, those handed over are empty. State is `sharedWithHelper` and stays.
 */
export class AdamWHelper {
  readonly #worker = new Worker(new URL('./adamw-helper-main.ts', import.meta.url));

  constructor() {
    // A process may end while its helper is idle.
    this.#worker.unref();
  }

  step(parts: readonly AdamWPart[], step: AdamWStep): Promise<readonly AdamWPart[]> {
    return new Promise((resolve, reject) => {
      this.#worker.ref();
      const settle = (act: () => void) => {
        this.#worker.off('message', onMessage).off('error', onError).off('exit', onExit);
        this.#worker.unref();
        act();
      };
      const onMessage = (back: readonly AdamWPart[]) => settle(() => resolve(back));
      const onError = (error: unknown) => settle(() => reject(error));
      const onExit = (code: number) =>
        settle(() => reject(new Error(`internal: the optimiser's thread ended with ${code}`)));
      this.#worker.on('message', onMessage).on('error', onError).on('exit', onExit);
      this.#worker.postMessage({ parts, step }, buffersOf(parts));
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** What moves. The runtime reads no shared memory. */
export function buffersOf(parts: readonly AdamWPart[]): ArrayBuffer[] {
  return parts.flatMap(({ values, gradient }) => [values, gradient].map(({ buffer }) => buffer as ArrayBuffer));
}

/**
 * The same numbers where both threads see them. Moved, they would count as new memory at every arrival, and both
 * threads would stop some 20 ms a step to look for garbage.
 */
export function sharedWithHelper(values: Float32Array): Float32Array {
  const shared = new Float32Array(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  return shared;
}
