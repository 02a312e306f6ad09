/** One group's lives: how long each line was watched, and whether it ended. Durations in whole days. */
export interface Lives {
  /** deaths[d]: lines that ended on day d of their life. */
  readonly deaths: Map<number, number>;
  /** censored[d]: lines still alive when last seen, at age d. */
  readonly censored: Map<number, number>;
}

export function noLives(): Lives {
  return { deaths: new Map(), censored: new Map() };
}

export function countLife(lives: Lives, days: number, ended: boolean, lines = 1): void {
  const into = ended ? lives.deaths : lives.censored;
  into.set(days, (into.get(days) ?? 0) + lines);
}

export interface SurvivalPoint {
  readonly days: number;
  /** Lines watched at least this long. */
  readonly atRisk: number;
  /** Share still alive after this day. */
  readonly surviving: number;
  readonly low: number;
  readonly high: number;
}

/** Normal quantile of a two-sided 95 % interval. */
const Z = 1.959963984540054;

/**
 * Kaplan–Meier estimate with right-censoring.
 *
 *     S(t) = Π_{tᵢ ≤ t} (1 − dᵢ / nᵢ)          dᵢ deaths among nᵢ at risk on day tᵢ
 *     Var log S(t) = Σ dᵢ / (nᵢ (nᵢ − dᵢ))     Greenwood
 *
 * Intervals (95 %) on the log(−log S) scale (Kalbfleisch and Prentice, *The Statistical Analysis of Failure Time Data*,
 * §1.4), which keeps them inside 0…1. They treat lines as independent; lines of one commit are not, so they are narrower
 * than the truth where a few large commits dominate. A line censored on a day counts as at risk on that day.
 */
export function kaplanMeier(lives: Lives): SurvivalPoint[] {
  const days = [...new Set([...lives.deaths.keys(), ...lives.censored.keys()])].sort((a, b) => a - b);
  let atRisk = 0;
  for (const count of lives.deaths.values()) atRisk += count;
  for (const count of lives.censored.values()) atRisk += count;
  const points: SurvivalPoint[] = [];
  let surviving = 1;
  let greenwood = 0;
  for (const day of days) {
    const deaths = lives.deaths.get(day) ?? 0;
    if (deaths > 0) {
      surviving *= 1 - deaths / atRisk;
      greenwood += atRisk > deaths ? deaths / (atRisk * (atRisk - deaths)) : 0;
      points.push({ days: day, atRisk, surviving, ...interval(surviving, greenwood) });
    }
    atRisk -= deaths + (lives.censored.get(day) ?? 0);
  }
  return points;
}

function interval(surviving: number, greenwood: number): { low: number; high: number } {
  if (surviving >= 1) return { low: 1, high: 1 };
  if (surviving <= 0) return { low: 0, high: 0 };
  const log = Math.log(surviving);
  const width = (Z * Math.sqrt(greenwood)) / Math.abs(log);
  return { low: surviving ** Math.exp(width), high: surviving ** Math.exp(-width) };
}

/** The estimate on a given day: the last step at or before it, with the number at risk just before the day ends. */
export function survivalOn(lives: Lives, points: readonly SurvivalPoint[], days: number): SurvivalPoint {
  let atRisk = 0;
  for (const [day, count] of lives.deaths) if (day >= days) atRisk += count;
  for (const [day, count] of lives.censored) if (day >= days) atRisk += count;
  let last: SurvivalPoint = { days: 0, atRisk, surviving: 1, low: 1, high: 1 };
  for (const point of points) if (point.days <= days) last = point;
  return { ...last, days, atRisk };
}

export interface LogRank {
  /** Chi-squared with (groups − 1) degrees of freedom. */
  readonly chiSquared: number;
  readonly degreesOfFreedom: number;
  readonly p: number;
}

/**
 * Log-rank test of two groups (Mantel 1966):
 *
 *     χ² = (Σ dᵢ₁ − Σ dᵢ nᵢ₁ / nᵢ)² / Σ dᵢ (nᵢ₁/nᵢ)(1 − nᵢ₁/nᵢ)(nᵢ − dᵢ)/(nᵢ − 1)
 *
 * Null where either group has no lines or nothing ever ended.
 */
export function logRank(one: Lives, other: Lives): LogRank | null {
  const days = [...new Set([...one.deaths.keys(), ...other.deaths.keys()])].sort((a, b) => a - b);
  const risk = (lives: Lives) => {
    const exits = new Map<number, number>();
    let total = 0;
    for (const map of [lives.deaths, lives.censored]) {
      for (const [day, count] of map) {
        exits.set(day, (exits.get(day) ?? 0) + count);
        total += count;
      }
    }
    const sorted = [...exits].sort((a, b) => a[0] - b[0]);
    let at = 0;
    return (day: number) => {
      while (at < sorted.length && sorted[at][0] < day) total -= sorted[at++][1];
      return total;
    };
  };
  const riskOne = risk(one);
  const riskOther = risk(other);
  if (riskOne(0) === 0 || riskOther(0) === 0 || days.length === 0) return null;
  let difference = 0;
  let variance = 0;
  for (const day of days) {
    const n1 = riskOne(day);
    const n = n1 + riskOther(day);
    const d1 = one.deaths.get(day) ?? 0;
    const d = d1 + (other.deaths.get(day) ?? 0);
    difference += d1 - (d * n1) / n;
    if (n > 1) variance += (d * (n1 / n) * (1 - n1 / n) * (n - d)) / (n - 1);
  }
  if (variance <= 0) return null;
  const chiSquared = (difference * difference) / variance;
  return { chiSquared, degreesOfFreedom: 1, p: erfc(Math.sqrt(chiSquared / 2)) };
}

/** Complementary error function, relative error below 1.2e-7 (Numerical Recipes §6.2, Chebyshev fit). */
function erfc(x: number): number {
  const t = 1 / (1 + x / 2);
  const c = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
  ];
  let sum = 0;
  for (let i = c.length - 1; i >= 0; i--) sum = sum * t + c[i];
  return t * Math.exp(-x * x + sum);
}

export interface ClusteredRate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * A share over clusters, for lines that stand or fall with the commit that brought them: the ratio estimator
 * r = Σ yᵢ / Σ mᵢ with Var r = k/(k−1) · Σ (yᵢ − r mᵢ)² / (Σ mᵢ)² (Cochran, *Sampling Techniques*, §2.11). The interval is
 * Wilson's at 95 % with as many independent lines as would vary alike, n = r(1 − r) / Var r, at most as many as there are
 * (Korn & Graubard 1998, *Survey Methodology* 24, for why the effective number serves near 0 and 1). Where no line or every
 * line fell they cannot be told apart from their commits: n = k. With fewer than two clusters nothing is known: 0…1.
 */
export function clusteredRate(clusters: Iterable<{ events: number; size: number }>): ClusteredRate {
  const kept = [...clusters].filter((cluster) => cluster.size > 0);
  const size = kept.reduce((sum, cluster) => sum + cluster.size, 0);
  const events = kept.reduce((sum, cluster) => sum + cluster.events, 0);
  if (size === 0) return { value: 0, low: 0, high: 1 };
  const value = events / size;
  if (kept.length < 2) return { value, low: 0, high: 1 };
  if (events === 0 || events === size) return { value, ...wilson(value, kept.length) };
  const squares = kept.reduce((sum, cluster) => sum + (cluster.events - value * cluster.size) ** 2, 0);
  const variance = ((kept.length / (kept.length - 1)) * squares) / size ** 2;
  return { value, ...wilson(value, Math.min(size, (value * (1 - value)) / variance)) };
}

/** (r + z²/2n ± z √(r(1 − r)/n + z²/4n²)) / (1 + z²/n). Wilson 1927, JASA 22. */
function wilson(rate: number, n: number): { low: number; high: number } {
  const z2 = Z * Z;
  const middle = rate + z2 / (2 * n);
  const half = Z * Math.sqrt((rate * (1 - rate)) / n + z2 / (4 * n * n));
  return { low: Math.max(0, (middle - half) / (1 + z2 / n)), high: Math.min(1, (middle + half) / (1 + z2 / n)) };
}
