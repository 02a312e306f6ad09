import { type AdamWOptions, type AdamWPart, adamWUpdate } from './adamw.ts';
import { AdamWHelper, sharedWithHelper } from './adamw-helper.ts';

/** Numbers of one parameter; trained in place, or in an array that takes this one's place. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly decayed: boolean;
  values: Float32Array;
}

/** A gradient, in the order of the parameters; its array may be another after a step. */
export interface Gradient {
  data: Float32Array;
}

export interface Optimiser {
  /** Names and lengths of the state kept between steps are those of the parameters. */
  readonly state: ReadonlyMap<string, Float32Array>;
  /** Applies one step, numbered from 1, of `gradients` · `scale`, in the order of `parameters`. */
  step(gradients: readonly Gradient[], scale: number, learningRate: number, number: number): Promise<void>;
  close(): Promise<void>;
}

/** Fewer numbers are not worth handing half of them to another thread. */
const WORTH_HELP = 500_000;

/** AdamW (`adamWUpdate`), decay on matrices alone, on two threads where `threads` allows and it is worth it. */
export function adamW(
  parameters: readonly Parameter[],
  options: AdamWOptions,
  state = new Map<string, Float32Array>(),
  threads = 1,
): Optimiser {
  for (const { name, values } of parameters)
    for (const key of [`m.${name}`, `v.${name}`]) if (!state.has(key)) state.set(key, new Float32Array(values.length));
  const count = parameters.reduce((sum, { values }) => sum + values.length, 0);
  const helper = threads > 1 && count >= WORTH_HELP ? new AdamWHelper() : null;
  // Parameters that begin in the second half are the helper's.
  let before = 0;
  const helped = parameters.map(({ values }) => {
    const second = helper !== null && before >= count / 2;
    before += values.length;
    return second;
  });
  for (const [i, { name }] of parameters.entries())
    for (const key of helped[i] ? [`m.${name}`, `v.${name}`] : []) state.set(key, sharedWithHelper(state.get(key)!));
  return {
    state,
    async step(gradients, scale, learningRate, number) {
      const step = { ...options, scale, learningRate, number };
      const parts = parameters.map(({ name, values, decayed }, i): AdamWPart => {
        const [m, v] = [state.get(`m.${name}`)!, state.get(`v.${name}`)!];
        return { values, gradient: gradients[i]!.data, m, v, decayed };
      });
      const help = helper?.step(
        parts.filter((_, i) => helped[i]),
        step,
      );
      for (const [i, part] of parts.entries()) if (!helped[i]) adamWUpdate(part, step);
      const back = (await help)?.values();
      for (const [i, parameter] of parameters.entries()) {
        if (!helped[i]) continue;
        const { values, gradient } = back!.next().value!;
        parameter.values = values;
        gradients[i]!.data = gradient;
      }
    },
    async close() {
      await helper?.close();
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
    async step(gradients, scale, learningRate) {
      for (const [i, { name, values, decayed }] of parameters.entries()) {
        const g = gradients[i]!.data;
        const u = state.get(`u.${name}`)!;
        const decay = decayed ? options.weightDecay : 0;
        for (let j = 0; j < values.length; j++) {
          u[j] = options.momentum * u[j]! + g[j]! * scale + decay * values[j]!;
          values[j] = values[j]! - learningRate * u[j]!;
        }
      }
    },
    async close() {},
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
