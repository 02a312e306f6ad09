import { describe, expect, it } from 'vitest';
import { REQUEST, TableModel, textsOf } from './__fixtures__/table-model.ts';
import { generateDistinct } from './distinct.ts';
import { inverseTemperature, type RowRequest } from './row.ts';

async function draw(
  n: number,
  {
    model = new TableModel(),
    distinct = 1,
    isCancelled = () => false,
    ...change
  }: Partial<RowRequest> & { model?: TableModel; distinct?: number; isCancelled?: () => boolean } = {},
) {
  const requests = Array.from({ length: n }, (_, index) => ({ ...REQUEST, ...change, index }));
  const told: string[] = Array(n).fill('');
  const made = await generateDistinct(
    model,
    model.vocabulary,
    model.prompt([inverseTemperature(requests[0]!)]),
    requests,
    {
      distinct,
      isCancelled,
      onStep: (news) => {
        for (const one of news) told[one.index] += one.text;
      },
      onProgress: () => {},
    },
  );
  return { ...made, told };
}

/** Chi-square of counts against expected ones; cells below 5 expected are put together. Returns the statistic and its cells. */
function chiSquare(counts: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>) {
  let statistic = 0;
  let cells = 0;
  let [restCount, restExpected] = [0, 0];
  for (const [key, mean] of expected) {
    const count = counts.get(key) ?? 0;
    if (mean < 5) {
      restCount += count;
      restExpected += mean;
      continue;
    }
    statistic += (count - mean) ** 2 / mean;
    cells++;
  }
  if (restExpected > 0) {
    statistic += (restCount - restExpected) ** 2 / restExpected;
    cells++;
  }
  return { statistic, cells };
}

/** 99.99 % quantile of chi-square, Wilson & Hilferty 1931. */
function quantile(freedom: number): number {
  const a = 2 / (9 * freedom);
  return freedom * (1 - a + 3.719 * Math.sqrt(a)) ** 3;
}

const SEEDS = 3000;
const seeds = Array.from({ length: SEEDS }, (_, i) => i);

describe('rows drawn without replacement', () => {
  it('are all different, whole, and carry their probability', async () => {
    const sequences = new TableModel().enumerate(REQUEST);
    for (const seed of seeds.slice(0, 60)) {
      const { rows, told } = await draw(10, { seed });
      expect(rows.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(new Set(rows.map(({ text }) => text)).size).toBe(10);
      expect(told).toEqual(rows.map(({ text }) => text));
      for (const { tokens, finish, draw } of rows) {
        const path = [...tokens, ...(finish === 'end' ? [4] : [])].join();
        const { probability } = sequences.find((one) => one.path === path)!;
        expect(draw!.logProbability).toBeCloseTo(Math.log(probability), 4);
      }
    }
  });

  it.each<[string, Partial<RowRequest>]>([
    ['at temperature 1', {}],
    ['at temperature 0.6', { temperature: 0.6 }],
    ['with top-k 3 and top-p 0.8', { topK: 3, topP: 0.8 }],
  ])('%s: the first two follow p(x) · p(y) / (1 − p(x))', async (_, change) => {
    const texts = textsOf(new TableModel().enumerate({ ...REQUEST, ...change }));
    const counts = new Map<string, number>();
    for (const seed of seeds) {
      const { rows } = await draw(2, { seed, ...change });
      const key = rows.map(({ text }) => text).join(' ');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const expected = new Map<string, number>();
    for (const [x, p] of texts)
      for (const [y, q] of texts) if (x !== y) expected.set(`${x} ${y}`, (SEEDS * p * q) / (1 - p));
    const { statistic, cells } = chiSquare(counts, expected);
    expect([...counts.keys()].filter((key) => !expected.has(key))).toEqual([]);
    expect(cells).toBeGreaterThan(10);
    expect(statistic).toBeLessThan(quantile(cells - 1));
  });

  it('are the beginning of the order of all sequences, however many are asked for', async () => {
    const count = textsOf(new TableModel().enumerate(REQUEST)).size;
    for (const seed of [3, 4, 5]) {
      const all = await draw(count, { seed });
      expect(all.rows.length).toBe(count);
      for (const n of [1, 4, 9]) {
        const { rows } = await draw(n, { seed });
        expect(rows.map(({ tokens }) => tokens)).toEqual(all.rows.slice(0, n).map(({ tokens }) => tokens));
      }
    }
  });

  it('are fewer where the distribution holds fewer', async () => {
    const { rows } = await draw(50, { maxTokens: 1, topK: 3 });
    expect(rows.length).toBe(3);
    expect(rows.reduce((sum, { draw }) => sum + Math.exp(draw!.logWeight!), 0)).toBeCloseTo(1, 5);
  });

  it.each<[string, readonly string[] | undefined]>([
    ['', undefined],
    [', also where a text has many sequences', ['a', 'b', 'a', 'b', '']],
  ])(
    'have weights whose sums over the rows are unbiased%s: means over seeds within 4.5 standard errors',
    async (_, words) => {
      const model = new TableModel(words === undefined ? {} : { words });
      const texts = textsOf(model.enumerate(REQUEST));
      const some = [...texts].sort(([, a], [, b]) => b - a).map(([text]) => text);
      const targets: [string, (text: string) => number][] = [
        ['1', () => 1],
        ['length', (text) => text.length],
        ...[0, 1, 5, 12].map((i): [string, (text: string) => number] => [some[i]!, (text) => Number(text === some[i])]),
      ];
      const estimates = targets.map((): number[] => []);
      for (const seed of seeds) {
        const { rows } = await draw(4, { seed, model });
        for (const [i, [, f]] of targets.entries())
          estimates[i]!.push(rows.reduce((sum, { text, draw }) => sum + Math.exp(draw!.logWeight!) * f(text), 0));
      }
      for (const [i, [, f]] of targets.entries()) {
        const values = estimates[i]!;
        const mean = values.reduce((a, b) => a + b) / SEEDS;
        const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / SEEDS;
        const truth = [...texts].reduce((sum, [text, p]) => sum + p * f(text), 0);
        expect(Math.abs(mean - truth)).toBeLessThan(4.5 * Math.sqrt(variance / SEEDS));
      }
    },
  );

  it('read every shared beginning once', async () => {
    const model = new TableModel({ sharpness: 6 });
    const { rows, rowSteps } = await draw(8, { model, seed: 9, maxTokens: 6 });
    const beginnings = new Set(
      rows.flatMap(({ tokens }) => tokens.slice(0, -1).map((_, i) => tokens.slice(0, i + 1).join())),
    );
    const separately = rows.reduce((sum, { tokens }) => sum + tokens.length - 1, 0);
    expect(beginnings.size).toBeLessThan(separately);
    for (const beginning of beginnings) expect(model.evaluated.filter((path) => path === beginning).length).toBe(1);
    expect(rowSteps).toBe(model.evaluated.length);
  });

  it('are the same in batches of at least two rows', async () => {
    const alone = await draw(5, { seed: 12 });
    const padded = await draw(5, { seed: 12, model: new TableModel({ minRows: 2 }) });
    expect(padded.rows).toEqual(alone.rows);
  });

  it('keep what they have when they are cancelled', async () => {
    let left = 2;
    const { rows } = await draw(4, { seed: 2, isCancelled: () => left-- <= 0 });
    expect(rows.length).toBe(4);
    for (const { tokens, finish } of rows) expect(finish === 'cancelled' ? tokens.length : 2).toBeLessThanOrEqual(2);
    expect(rows.some(({ finish }) => finish === 'cancelled')).toBe(true);
  });
});

describe('the dial', () => {
  it.each([0.0001, 0.5, 0.9])('at %d takes that share of a text away each time it is drawn', async (distinct) => {
    const model = new TableModel({ words: ['a', 'b', 'a', 'c', ''] });
    const texts = textsOf(model.enumerate({ ...REQUEST, maxTokens: 2 }));
    const counts = new Map<string, number>();
    for (const seed of seeds) {
      const { rows } = await draw(3, { seed, distinct, model, maxTokens: 2 });
      const key = `${rows[0]!.text} ${rows[2]!.text}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    // First and third draw; the second is summed over.
    const expected = new Map<string, number>();
    for (const [x, px] of texts)
      for (const [y, py] of texts)
        for (const [z, pz] of texts) {
          const kept = 1 - distinct;
          const second = (py * (y === x ? kept : 1)) / (1 - distinct * px);
          const taken = px * distinct + (y === x ? px * kept * distinct : py * distinct);
          const weight = pz * kept ** (Number(z === x) + Number(z === y));
          const key = `${x} ${z}`;
          expected.set(key, (expected.get(key) ?? 0) + (SEEDS * px * second * weight) / (1 - taken));
        }
    const { statistic, cells } = chiSquare(counts, expected);
    expect(cells).toBeGreaterThan(20);
    expect(statistic).toBeLessThan(quantile(cells - 1));
  });

  it('makes more different texts the further it is turned', async () => {
    const different = async (distinct: number) => {
      let sum = 0;
      for (const seed of seeds.slice(0, 200))
        sum += new Set((await draw(8, { seed, distinct, temperature: 0.4 })).rows.map(({ text }) => text)).size;
      return sum / 200;
    };
    const [low, middle, high] = [await different(0.01), await different(0.6), await different(1)];
    expect(low).toBeLessThan(middle - 0.5);
    expect(middle).toBeLessThan(high - 0.5);
    expect(high).toBe(8);
  });
});
