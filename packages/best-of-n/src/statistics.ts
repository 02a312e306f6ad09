import type { Rate } from '@lathe/protocol';

/**
 * Unbiased estimate of the probability that at least one of k tries passes, from n tries of which c passed:
 *
 *   pass@k = 1 − C(n−c, k) / C(n, k) = 1 − ∏_{i=n−c+1..n} (1 − k/i)
 *
 * (Chen et al. 2021, arXiv 2107.03374, §2.1). The product form neither overflows nor cancels.
 *
 * @throws RangeError unless 0 ≤ c ≤ n and 1 ≤ k ≤ n, all integers
 */
export function passAtK(n: number, c: number, k: number): number {
  if (![n, c, k].every(Number.isInteger) || c < 0 || c > n || k < 1 || k > n) {
    throw new RangeError(`expected integers with 0 ≤ c ≤ n and 1 ≤ k ≤ n, got n=${n}, c=${c}, k=${k}`);
  }
  if (n - c < k) return 1;
  let allFail = 1;
  for (let i = n - c + 1; i <= n; i += 1) allFail *= 1 - k / i;
  return 1 - allFail;
}

/**
 * Clopper–Pearson interval of a proportion: the p for which seeing c or more, and c or fewer, of n still has
 * probability (1 − level)/2 (Clopper and Pearson 1934). Exact for every n, so it covers at least as often as it says
 * also for the ten tries of a run, where the Wilson and normal intervals can fall short.
 */
export function proportionInterval(n: number, c: number, level = 0.95): { low: number; high: number } {
  if (n === 0) return { low: 0, high: 1 };
  const tail = (1 - level) / 2;
  const low = c === 0 ? 0 : bisect((p) => atLeast(n, c, p) - tail);
  // P(X ≤ c | p) = P(n − X ≥ n − c | 1 − p)
  const high = c === n ? 1 : 1 - bisect((q) => atLeast(n, n - c, q) - tail);
  return { low, high };
}

/**
 * pass@k with an interval for one task: p ↦ 1 − (1 − p)^k rises with p, so it carries the interval of c/n over. Near
 * k = n the unbiased estimate can lie above that interval's end; the interval is then widened to hold it, which only
 * makes it cover more.
 */
export function passAtKRate(n: number, c: number, k: number, level = 0.95): Rate {
  const value = passAtK(n, c, k);
  const { low, high } = proportionInterval(n, c, level);
  const transformed = (p: number) => -Math.expm1(k * Math.log1p(-p));
  return { value, low: Math.min(value, transformed(low)), high: Math.max(value, transformed(high)) };
}

/** P(X ≥ c) for X ~ Binomial(n, p), summed from its largest logarithm down. */
function atLeast(n: number, c: number, p: number): number {
  if (p <= 0) return c === 0 ? 1 : 0;
  if (p >= 1) return 1;
  const logTerms: number[] = [];
  let logChoose = 0;
  for (let i = 0; i <= n; i += 1) {
    if (i > 0) logChoose += Math.log((n - i + 1) / i);
    if (i >= c) logTerms.push(logChoose + i * Math.log(p) + (n - i) * Math.log1p(-p));
  }
  const largest = logTerms.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return logTerms.reduce((sum, term) => sum + Math.exp(term - largest), 0) * Math.exp(largest);
}

/** Root of an increasing function on [0, 1], to the last bit of a double. */
function bisect(increasing: (p: number) => number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (increasing(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
