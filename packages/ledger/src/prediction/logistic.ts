import { CholeskyDecomposition, Matrix } from 'ml-matrix';

/** One row: what is known (an intercept is added) and the share in [0, 1] that is to be explained. */
export interface Row {
  readonly x: Float64Array;
  readonly y: number;
}

const MOST_ITERATIONS = 50;
const CONVERGED = 1e-9;

/**
 * Logistic regression of shares with a ridge penalty: β minimises
 *
 *     Σᵢ wᵢ (log(1 + e^ηᵢ) − yᵢ ηᵢ) + λ/2 Σ_{j ≥ 1} βⱼ²,   ηᵢ = β₀ + Σⱼ βⱼ xᵢⱼ
 *
 * by Newton's method, the intercept unpenalised (le Cessie and van Houwelingen 1992; a share yᵢ in place of 0 or 1 is the
 * quasi-likelihood of Papke and Wooldridge 1996). Gives β, the intercept first.
 *
 * @param lambda above 0, so that there is a minimum where the rows can be told apart perfectly
 * @param weights how often each row counts; 1 each where left out
 * @param start where the search begins; zeros where left out
 */
export function fitLogistic(
  rows: readonly Row[],
  lambda: number,
  weights?: ArrayLike<number>,
  start?: Float64Array,
): Float64Array {
  const weightOf = (i: number) => weights?.[i] ?? 1;
  const beta = start === undefined ? new Float64Array((rows[0]?.x.length ?? 0) + 1) : Float64Array.from(start);
  let objective = objectiveOf(rows, beta, lambda, weightOf);
  for (let iteration = 0; iteration < MOST_ITERATIONS; iteration += 1) {
    const { gradient, hessian } = derivatives(rows, beta, lambda, weightOf);
    const step = new CholeskyDecomposition(hessian).solve(Matrix.columnVector(gradient)).to1DArray();
    // Halved until it descends: a full step may overshoot where most shares are 0.
    let scale = 1;
    let next = beta.map((value, j) => value - step[j]!);
    let reached = objectiveOf(rows, next, lambda, weightOf);
    while (reached > objective && scale > 1e-6) {
      scale /= 2;
      next = beta.map((value, j) => value - scale * step[j]!);
      reached = objectiveOf(rows, next, lambda, weightOf);
    }
    const gained = objective - reached;
    if (gained > 0) {
      beta.set(next);
      objective = reached;
    }
    if (!(gained > CONVERGED * (1 + Math.abs(objective)))) break;
  }
  return beta;
}

/**
 * For each row, the share that a fit to all the others would predict: one Newton step from the whole fit β,
 *
 *     η₋ᵢ = ηᵢ + aᵢ (pᵢ − yᵢ) / (1 − aᵢ pᵢ (1 − pᵢ)),   aᵢ = xᵢᵀ H⁻¹ xᵢ, H the Hessian at β
 *
 * (Pregibon 1981; Rad and Maleki 2020, arXiv 1801.10243, show how near that comes to leaving each row out in turn).
 */
export function predictLeftOut(rows: readonly Row[], lambda: number, beta: Float64Array): Float64Array {
  const { hessian } = derivatives(rows, beta, lambda, () => 1);
  const inverse = new CholeskyDecomposition(hessian).solve(Matrix.eye(beta.length));
  return Float64Array.from(rows, ({ x, y }) => {
    const eta = linear(beta, x);
    const p = sigmoid(eta);
    const leverage = quadraticForm(inverse, x);
    return sigmoid(eta + (leverage * (p - y)) / (1 - leverage * p * (1 - p)));
  });
}

/** −y log p − (1 − y) log(1 − p), in nats. */
export function logLoss(y: number, p: number): number {
  const bounded = Math.min(1 - 1e-12, Math.max(1e-12, p));
  return -y * Math.log(bounded) - (1 - y) * Math.log(1 - bounded);
}

function objectiveOf(
  rows: readonly Row[],
  beta: Float64Array,
  lambda: number,
  weightOf: (i: number) => number,
): number {
  let sum = 0;
  for (let j = 1; j < beta.length; j += 1) sum += (lambda / 2) * beta[j]! ** 2;
  for (const [i, { x, y }] of rows.entries()) {
    const eta = linear(beta, x);
    // log(1 + e^η) without overflow.
    sum += weightOf(i) * (Math.max(eta, 0) + Math.log1p(Math.exp(-Math.abs(eta))) - y * eta);
  }
  return sum;
}

function derivatives(rows: readonly Row[], beta: Float64Array, lambda: number, weightOf: (i: number) => number) {
  const width = beta.length;
  const gradient = new Array<number>(width).fill(0);
  const sums = new Float64Array(width * width);
  const withOne = new Float64Array(width);
  withOne[0] = 1;
  for (const [i, { x, y }] of rows.entries()) {
    const w = weightOf(i);
    if (w === 0) continue;
    withOne.set(x, 1);
    const p = sigmoid(linear(beta, x));
    const curvature = w * p * (1 - p);
    for (let j = 0; j < width; j += 1) {
      gradient[j]! += w * (p - y) * withOne[j]!;
      for (let k = 0; k <= j; k += 1) sums[j * width + k]! += curvature * withOne[j]! * withOne[k]!;
    }
  }
  const hessian = new Matrix(width, width);
  for (let j = 0; j < width; j += 1) {
    if (j > 0) gradient[j]! += lambda * beta[j]!;
    for (let k = 0; k <= j; k += 1) {
      const value = sums[j * width + k]! + (j !== k ? 0 : j > 0 ? lambda : 1e-9);
      hessian.set(j, k, value);
      hessian.set(k, j, value);
    }
  }
  return { gradient, hessian };
}

function linear(beta: Float64Array, x: Float64Array): number {
  let eta = beta[0]!;
  for (let j = 0; j < x.length; j += 1) eta += beta[j + 1]! * x[j]!;
  return eta;
}

/** [1 x]ᵀ M [1 x] */
function quadraticForm(m: Matrix, x: Float64Array): number {
  let sum = 0;
  const at = (j: number) => (j === 0 ? 1 : x[j - 1]!);
  for (let j = 0; j <= x.length; j += 1) for (let k = 0; k <= x.length; k += 1) sum += at(j) * m.get(j, k) * at(k);
  return sum;
}

function sigmoid(eta: number): number {
  return 1 / (1 + Math.exp(-eta));
}
