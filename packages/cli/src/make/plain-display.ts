import type { Event } from '@lathe/protocol';
import { formatDiff, formatDuration, plural } from '../format.ts';
import { plainLine } from '../plain-text.ts';
import type { Output } from '../terminal.ts';
import type { Display } from './display.ts';
import { nextView, type RunView } from './view.ts';

/** A step that is over sooner is not worth a line, and a slow one gets a line this often at most. */
const STEP_MS = 2000;

/** One line for each thing that happened, for pipes and logs. */
export function openPlainDisplay(output: Output): Display {
  let view: RunView | null = null;
  let step = '';
  const timer = setInterval(() => {
    if (step !== '') output.write(`${step}\n`);
    step = '';
  }, STEP_MS);
  timer.unref();
  return {
    get view() {
      return view;
    },
    note(line) {
      step = '';
      output.write(`${line}\n`);
    },
    doing(what) {
      step = plainLine(what);
    },
    begin(first) {
      step = '';
      view = first;
    },
    update(news) {
      if (view === null) return;
      const before = view.waitingFor;
      view = nextView(view, news);
      // Each candidate of a batch tells the same of the server.
      if (view.waitingFor !== null && view.waitingFor !== before)
        output.write(`  note    ${plainLine(view.waitingFor)}\n`);
      const line = news.type === 'event' ? inWords(news.event, view) : null;
      if (line !== null) output.write(`${line}\n`);
    },
    close: () => clearInterval(timer),
  };
}

function inWords(event: Event, view: RunView): string | null {
  if (event.type === 'candidate-made') {
    const name = `c${event.index + 1}`;
    // Its end, which says why, follows at once.
    if (event.outcome !== 'made') return null;
    const tokens = event.tokens.completion === 0 ? '' : `${plural(event.tokens.completion, 'token')} `;
    return `${name} made by ${plainLine(event.model)}: ${tokens}in ${formatDuration(event.durationMs)}`;
  }
  if (event.type === 'candidate-finished') {
    const row = view.rows[event.index];
    const change = formatDiff(row?.diff ?? null);
    const why = event.sameAs === null ? plainLine(row?.detail ?? '') : `same code as c${event.sameAs + 1}`;
    return `c${event.index + 1} ${event.status}${change === '' ? '' : ` (${change})`}${why === '' ? '' : `: ${why}`}`;
  }
  return null;
}
