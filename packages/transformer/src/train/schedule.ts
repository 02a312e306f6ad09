export type Schedule =
  /** Linear warm-up to `peak`, then half a cosine down to `floor` at the last iteration. */
  | {
      readonly kind: 'cosine';
      readonly peak: number;
      readonly floor: number;
      readonly warmup: number;
      readonly iterations: number;
    }
  /** C^−0.5 · min(t^−0.5, t · warmup^−1.5) · factor. Vaswani et al. 2017 §5.3, equation 3 */
  | { readonly kind: 'inverse-square-root'; readonly nEmbd: number; readonly warmup: number; readonly factor: number };

/** Learning rate of a step, numbered from 1. */
export function learningRate(schedule: Schedule, step: number): number {
  if (schedule.kind === 'inverse-square-root')
    return schedule.factor * schedule.nEmbd ** -0.5 * Math.min(step ** -0.5, step * schedule.warmup ** -1.5);
  const { peak, floor, warmup, iterations } = schedule;
  if (step <= warmup) return (peak * step) / Math.max(1, warmup);
  if (step >= iterations) return floor;
  const progress = (step - warmup) / Math.max(1, iterations - warmup);
  return floor + 0.5 * (1 + Math.cos(Math.PI * progress)) * (peak - floor);
}
