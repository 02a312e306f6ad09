/** Temperatures between which the default ones are spread. */
const LOWEST = 0.2;
const HIGHEST = 0.8;
/** Fractional parts of its multiples fill an interval evenly, however many are taken (a Kronecker sequence). */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/** Of candidates that are drawn together, where the user gave none: they differ by themselves and share one distribution. */
export const DRAWN_TEMPERATURE = 0.6;

/**
 * Temperature of a candidate where the user gave none: 0 for the first, which is the model's single most likely answer
 * and would only be made again by a second greedy one; the others between 0.2 and 0.8, evenly for any number of them. It
 * depends on the index alone, so a run that is resumed, or asked for more, goes on as it began.
 */
export function defaultTemperature(index: number): number {
  if (index === 0) return 0;
  const place = ((index - 1) * GOLDEN_RATIO) % 1;
  return Math.round((LOWEST + (HIGHEST - LOWEST) * place) * 100) / 100;
}
