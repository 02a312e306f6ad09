import wrapAnsi from 'wrap-ansi';

/** Narrower than this, words would be torn to pieces: a terminal wraps by itself. */
const NARROWEST = 20;

/**
 * Lines of `text` no wider than `width`, broken between words. Its first `hang` columns, which hold no colours, stand on
 * the first line alone; the others begin below them.
 */
export function wrapLine(text: string, width: number, hang: number): string[] {
  return wrapAnsi(text.slice(hang), Math.max(NARROWEST, width - hang), { hard: true })
    .split('\n')
    .map((part, i) => `${i === 0 ? text.slice(0, hang) : ' '.repeat(hang)}${part}`);
}
