import { LatheError } from '@lathe/protocol';
import type { Colors, Terminal } from '../terminal.ts';
import type { Display } from './display.ts';
import { watchInterrupt } from './interrupt.ts';
import { openDisplay } from './open-display.ts';

/** One `make` or `resume` as the user sees it: what stays on the screen, what moves, and Ctrl-C. */
export interface Session {
  readonly terminal: Terminal;
  readonly display: Display;
  /** Fires at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Colours of where notes go. */
  readonly colors: Colors;
  note(line: string): void;
  /** A name and what there is to say about it, aligned with the others. */
  fact(name: string, value: string): void;
  warn(text: string): void;
  /** Throws `LATHE_CANCELLED` once Ctrl-C was pressed. */
  throwIfStopped(): void;
}

export async function withSession<T>(terminal: Terminal, work: (session: Session) => Promise<T>): Promise<T> {
  const display = await openDisplay(terminal.err);
  const { colors } = terminal.err;
  const note = (line: string) => display.note(line);
  const interrupt = watchInterrupt(() =>
    note(colors.yellow('Stopping. What is made stays; once more to end at once.')),
  );
  const session: Session = {
    terminal,
    display,
    signal: interrupt.signal,
    colors,
    note,
    fact: (name, value) => note(`  ${colors.dim(name.padEnd(7))} ${value}`),
    warn: (text) => note(`  ${colors.yellow('note')}    ${text}`),
    throwIfStopped() {
      if (interrupt.signal.aborted) throw new LatheError('LATHE_CANCELLED', 'cancelled before anything was made');
    },
  };
  try {
    return await work(session);
  } finally {
    display.close();
    interrupt.ignore();
  }
}
