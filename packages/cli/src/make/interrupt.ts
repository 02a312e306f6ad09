import process from 'node:process';
import { EXIT } from '../exit-status.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * One press of Ctrl-C often arrives twice: from the terminal, and from npm, npx or an older Node that hands its
 * signals on. Two presses closer than this are one.
 */
const SAME_PRESS_MS = 500;

/**
 * Turns the first Ctrl-C (or SIGTERM, SIGHUP) into an abort that lets what is made be recorded, and the second into an
 * immediate end. `onStop` is called at the first.
 */
export function watchInterrupt(onStop: () => void): { readonly signal: AbortSignal; ignore(): void } {
  const controller = new AbortController();
  let firstAtMs = 0;
  const onSignal = () => {
    const nowMs = Date.now();
    if (!controller.signal.aborted) {
      firstAtMs = nowMs;
      onStop();
      controller.abort();
    } else if (nowMs - firstAtMs > SAME_PRESS_MS) process.exit(EXIT.cancelled);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    ignore() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

/** For commands that only look: Ctrl-C ends them at once, with the status of the contract. */
export function endAtInterrupt(): void {
  for (const signal of SIGNALS) process.on(signal, () => process.exit(EXIT.cancelled));
}
