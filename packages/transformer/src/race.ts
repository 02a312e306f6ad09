/**
 * Times of a race in logarithms. An outcome of probability p crosses the line after Exp(1) / p; the k that come first are
 * k draws without replacement in proportion to p, in that order. Minus the logarithm of such a time is the perturbed
 * log-probability log p + Gumbel(0, 1) of Kool, van Hoof & Welling 2019, https://arxiv.org/abs/1903.06059 (§2.3).
 * Probabilities of long texts do not fit into a number, their logarithms do.
 */

/** log(eᵃ + eᵇ) */
export function logAddExp(a: number, b: number): number {
  const larger = Math.max(a, b);
  return larger === Number.NEGATIVE_INFINITY ? larger : larger + Math.log1p(Math.exp(-Math.abs(a - b)));
}

/** log(eᵃ − eᵇ), a ≥ b */
export function logSubExp(a: number, b: number): number {
  if (b === Number.NEGATIVE_INFINITY) return a;
  return a + log1mExp(a - b);
}

/** log(1 − e⁻ˣ), x ≥ 0, by Mächler 2012, https://cran.r-project.org/package=Rmpfr (vignette log1mexp-note) */
export function log1mExp(x: number): number {
  return x > Math.LN2 ? Math.log1p(-Math.exp(-x)) : Math.log(-Math.expm1(-x));
}

/** Logarithm of the moment at which something of log-rate `logRate` happens first after `logStart`; `u` uniform in (0, 1). */
export function laterLogTime(logStart: number, logRate: number, u: number): number {
  return logAddExp(logStart, Math.log(-Math.log(u)) - logRate);
}

/** log P(an outcome of log-probability `logP` has come before `logTime`) = log(1 − exp(−p · time)) */
export function logInclusion(logP: number, logTime: number): number {
  return log1mExp(Math.exp(logP + logTime));
}
