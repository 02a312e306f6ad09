export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** The numbers of a step that are the same for every parameter but for decay. */
export interface AdamWStep extends AdamWOptions {
  readonly scale: number;
  readonly learningRate: number;
  readonly number: number;
}

/** One parameter's arrays. */
export interface AdamWPart {
  readonly values: Float32Array;
  readonly gradient: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
  readonly decayed: boolean;
}

/**
 * AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101, Algorithm 2) for one parameter, in place:
 *
 *     m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²
 *     θ ← θ − η (m̂ / (√v̂ + ε) + λ θ)  with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
 */
export function adamWUpdate({ values, gradient, m, v, decayed }: AdamWPart, step: AdamWStep): void {
  const { beta1, beta2, epsilon, weightDecay, scale, learningRate, number } = step;
  const correction1 = 1 - beta1 ** number;
  const correction2 = Math.sqrt(1 - beta2 ** number);
  const rate = (learningRate * correction2) / correction1;
  const epsilonHat = epsilon * correction2;
  const keep = decayed ? 1 - learningRate * weightDecay : 1;
  for (let j = 0; j < values.length; j++) {
    const gj = gradient[j]! * scale;
    const mj = beta1 * m[j]! + (1 - beta1) * gj;
    const vj = beta2 * v[j]! + (1 - beta2) * gj * gj;
    m[j] = mj;
    v[j] = vj;
    values[j] = values[j]! * keep - (rate * mj) / (Math.sqrt(vj) + epsilonHat);
  }
}
