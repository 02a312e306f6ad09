import type { Output } from '../terminal.ts';
import type { Display } from './display.ts';

/** Live rows where the stream is a terminal that can repaint, lines elsewhere. */
export async function openDisplay(output: Output): Promise<Display> {
  if (output.stream !== null) {
    const { openLiveDisplay } = await import('./live-display.ts');
    return openLiveDisplay(output, output.stream);
  }
  const { openPlainDisplay } = await import('./plain-display.ts');
  return openPlainDisplay(output);
}
