import { readFileSync } from 'node:fs';
import { openSession, type Session, type Value } from '@lathe/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adamW, type Optimiser, type Parameter, sgd } from './optimiser.ts';
import { type Preset, parameterSpecs, type TrainingConfig } from './training-config.ts';
import { trainingGraph } from './training-graph.ts';

interface Trajectory {
  readonly losses: readonly number[];
  readonly parameters: Readonly<Record<string, readonly number[]>>;
}

/** What `bench/peers/record_torch.py` wrote, in double precision. */
const recorded = JSON.parse(readFileSync(new URL('./__fixtures__/torch.json', import.meta.url), 'utf8')) as {
  readonly torch: string;
  readonly sizes: Omit<TrainingConfig, 'preset' | 'nKvHead' | 'dropout' | 'labelSmoothing'> & { batchSize: number };
  readonly adamw: { beta1: number; beta2: number; epsilon: number; weightDecay: number; rate: number };
  readonly sgd: { momentum: number; weightDecay: number; rate: number };
  readonly models: readonly {
    readonly preset: Preset;
    readonly labelSmoothing: number;
    readonly tokens: readonly number[];
    readonly targets: readonly number[];
    readonly parameters: Readonly<Record<string, readonly number[]>>;
    readonly loss: number;
    readonly gradients: Readonly<Record<string, readonly number[]>>;
    readonly adamw: Trajectory;
    readonly sgd: Trajectory;
  }[];
};

describe.each(recorded.models)(`$preset as PyTorch ${recorded.torch} computes it`, (model) => {
  const { batchSize, ...sizes } = recorded.sizes;
  const nKvHead = model.preset === 'llama' ? sizes.nHead / 2 : sizes.nHead;
  const config = { ...sizes, nKvHead, preset: model.preset, dropout: 0, labelSmoothing: model.labelSmoothing };
  const specs = parameterSpecs(config);
  let session: Session;
  beforeAll(async () => {
    session = await openSession(trainingGraph(config, batchSize, true).graph, { threads: 1, spinning: false });
  });
  afterAll(() => session.close());

  const parameters = (): Parameter[] =>
    specs.map(({ name, shape, decayed }) => ({
      name,
      shape,
      decayed,
      values: Float32Array.from(model.parameters[name]!),
    }));
  const evaluate = (at: readonly Parameter[]) => {
    const rows = batchSize * config.blockSize;
    const int64 = (dims: readonly number[], values: readonly number[]): Value => ({
      dataType: 'int64',
      dims,
      data: BigInt64Array.from(values, BigInt),
    });
    const weights = at.map(({ name, shape, values }): [string, Value] => [
      name,
      { dataType: 'float32', dims: shape, data: values },
    ]);
    return session.run({
      ...Object.fromEntries(weights),
      tokens: int64([rows], model.tokens),
      targets: int64([rows, 1], model.targets),
    });
  };
  const largestError = (got: ArrayLike<number>, expected: readonly number[]) => {
    expect(got.length).toBe(expected.length);
    return Math.max(...expected.map((value, i) => Math.abs(got[i]! - value)));
  };

  it('has the same parameters', () => {
    expect(specs.map(({ name }) => name).sort()).toEqual(Object.keys(model.parameters).sort());
  });

  it('has the same loss and gradients', async () => {
    const results = await evaluate(parameters());
    expect((results.loss!.data as Float32Array)[0]).toBeCloseTo(model.loss, 5);
    for (const { name } of specs) {
      const expected = model.gradients[name]!;
      const scale = Math.max(...expected.map(Math.abs));
      expect(scale, name).toBeGreaterThan(1e-4);
      expect(largestError(results[`d.${name}`]!.data as Float32Array, expected), name).toBeLessThan(2e-5 * (1 + scale));
    }
  });

  const optimisers: [name: 'adamw' | 'sgd', make: (parameters: readonly Parameter[]) => Optimiser, rate: number][] = [
    ['adamw', (at) => adamW(at, recorded.adamw), recorded.adamw.rate],
    ['sgd', (at) => sgd(at, recorded.sgd), recorded.sgd.rate],
  ];
  it.each(optimisers)('takes the same steps with %s', async (name, make, rate) => {
    const at = parameters();
    const optimiser = make(at);
    const expected = model[name];
    for (const [i, loss] of expected.losses.entries()) {
      const results = await evaluate(at);
      expect((results.loss!.data as Float32Array)[0], `loss of step ${i + 1}`).toBeCloseTo(loss, 4);
      const gradients = at.map(({ name }) => ({ data: results[`d.${name}`]!.data as Float32Array }));
      await optimiser.step(gradients, 1, rate, i + 1);
    }
    expect(expected.losses.at(-1)).toBeLessThan(expected.losses[0]! - 0.01);
    for (const { name: parameter, values } of at)
      expect(largestError(values, expected.parameters[parameter]!), parameter).toBeLessThan(2e-4);
  });
});
