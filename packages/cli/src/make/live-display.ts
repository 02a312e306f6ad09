import type { WriteStream } from 'node:tty';
import cliTruncate from 'cli-truncate';
import { createLogUpdate } from 'log-update';
import { plainLine } from '../plain-text.ts';
import type { Output } from '../terminal.ts';
import type { Display } from './display.ts';
import { drawFrame } from './draw.ts';
import { nextView, type RunView } from './view.ts';

/** Often enough to feel alive, seldom enough to cost nothing while the model has all cores. */
const FRAME_MS = 150;

/** Repaints a block at the bottom of a terminal; notes scroll away above it. */
export function openLiveDisplay(output: Output, stream: WriteStream): Display {
  const paint = createLogUpdate(stream);
  let view: RunView | null = null;
  let doing = '';
  let closed = false;

  const draw = () => {
    if (closed) return;
    // One column is left free: some terminals wrap a line that fills the last one.
    const size = { width: Math.max(20, stream.columns - 1), height: Math.max(4, stream.rows - 1) };
    if (view !== null) paint(`\n${drawFrame(view, { ...size, nowMs: Date.now(), colors: output.colors })}`);
    else if (doing !== '') paint(cliTruncate(`${output.colors.cyan('▸')} ${doing}`, size.width));
  };
  const timer = setInterval(draw, FRAME_MS);
  timer.unref();
  stream.on('resize', draw);

  return {
    get view() {
      return view;
    },
    note(line) {
      paint.clear();
      output.write(`${line}\n`);
      draw();
    },
    doing(what) {
      doing = plainLine(what);
    },
    begin(first) {
      doing = '';
      paint.clear();
      view = first;
      draw();
    },
    update(news) {
      if (view !== null) view = nextView(view, news);
    },
    close() {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      stream.off('resize', draw);
      paint.clear();
      paint.done();
    },
  };
}
