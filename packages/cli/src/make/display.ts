import type { RunView, ViewNews } from './view.ts';

/** What a user sees while a run goes on. */
export interface Display {
  /** A line that stays on the screen. */
  note(line: string): void;
  /** What is being done that takes a moment, before there are candidates: `loading smollm2-135m, 43 %`. */
  doing(what: string): void;
  /** From here on candidates are shown. */
  begin(view: RunView): void;
  update(news: ViewNews): void;
  /** The view as it stands; null before `begin`. */
  readonly view: RunView | null;
  /** Take away what does not stay. Safe to call twice. */
  close(): void;
}
