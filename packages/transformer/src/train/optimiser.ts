/** Numbers of one parameter; trained in place. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly decayed: boolean;
  readonly values: Float32Array;
}

export interface Optimiser {
  /** Names and lengths of the state kept between steps are those of the parameters. */
  readonly state: ReadonlyMap<string, Float32Array>;
  /** Applies one step, numbered from 1, of `gradients` · `scale`, in the order of `parameters`. */
  step(gradients: readonly Float32Array[], scale: number, learningRate: number, number: number): void;
}

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/**
 * AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101, Algorithm 2):
 *
 *     m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²
 *     θ ← θ − η (m̂ / (√v̂ + ε) + λ θ)  with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
 *
 * Decay λ on matrices alone. A plain loop: it is bound by memory, and was as fast as the same formula in a graph.
 */
export function adamW(
  parameters: readonly Parameter[],
  options: AdamWOptions,
  state = new Map<string, Float32Array>(),
): Optimiser {
  const { beta1, beta2, epsilon, weightDecay } = options;
  for (const { name, values } of parameters)
    for (const key of [`m.${name}`, `v.${name}`]) if (!state.has(key)) state.set(key, new Float32Array(values.length));
  return {
    state,
    step(gradients, scale, learningRate, number) {
      const correction1 = 1 - beta1 ** number;
      const correction2 = Math.sqrt(1 - beta2 ** number);
      const rate = (learningRate * correction2) / correction1;
      const epsilonHat = epsilon * correction2;
      for (const [i, { name, values, decayed }] of parameters.entries()) {
        const g = gradients[i]!;
        const m = state.get(`m.${name}`)!;
        const v = state.get(`v.${name}`)!;
        const keep = decayed ? 1 - learningRate * weightDecay : 1;
        for (let j = 0; j < values.length; j++) {
          const gj = g[j]! * scale;
          const mj = beta1 * m[j]! + (1 - beta1) * gj;
          const vj = beta2 * v[j]! + (1 - beta2) * gj * gj;
          m[j] = mj;
          v[j] = vj;
          values[j] = values[j]! * keep - (rate * mj) / (Math.sqrt(vj) + epsilonHat);
        }
      }
    },
  };
}

/** Stochastic gradient descent with momentum: u ← μ u + g + λ θ; θ ← θ − η u. */
export function sgd(
  parameters: readonly Parameter[],
  options: { momentum: number; weightDecay: number },
  state = new Map<string, Float32Array>(),
): Optimiser {
  for (const { name, values } of parameters)
    if (!state.has(`u.${name}`)) state.set(`u.${name}`, new Float32Array(values.length));
  return {
    state,
    step(gradients, scale, learningRate) {
      for (const [i, { name, values, decayed }] of parameters.entries()) {
        const g = gradients[i]!;
        const u = state.get(`u.${name}`)!;
        const decay = decayed ? options.weightDecay : 0;
        for (let j = 0; j < values.length; j++) {
          u[j] = options.momentum * u[j]! + g[j]! * scale + decay * values[j]!;
          values[j] = values[j]! - learningRate * u[j]!;
        }
      }
    },
  };
}

/** What gradients of the given norm are multiplied with so that it is at most `most`. Pascanu et al. 2013, §3.2 */
export function clipScale(norm: number, most: number): number {
  return norm > most ? most / norm : 1;
}

/** √(Σ g²) over all gradients. */
export function normOf(gradients: readonly Float32Array[]): number {
  let squares = 0;
  for (const gradient of gradients) for (let i = 0; i < gradient.length; i++) squares += gradient[i]! * gradient[i]!;
  return Math.sqrt(squares);
}
