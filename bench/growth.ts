/**
 * Loss against parameters, layers, context length and tokens, on one corpus: one axis is varied, the others stay at 4
 * layers of width 64, 64 tokens of context and 2^20 tokens of training. A power law is fitted to each axis.
 *
 *     npm run bench -- growth [--corpus PATH ...] [--language NAME ...] [--seeds 2] [--threads 1] [--out DIR] [--report] [--json]
 *
 * `--corpus` names repositories, folders, or one text file; without it Shakespeare is taken where it is at hand. Every
 * finished run is a file in `--out`, and a run that was cut off goes on from its last save: the same command again does
 * only what is missing. Pictures and tables are written to `--out` as well; `--report` trains nothing and makes them of
 * the runs that are there.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readCorpus } from './growth/corpus.ts';
import { type Axis, axes, costOf, FIRST_RATES, nameOf, type Point, RATED_WIDTHS, rateProbe } from './growth/grid.ts';
import { drawn, figuresOf, tables } from './growth/report.ts';
import { type Result, trainPoint } from './growth/train-point.ts';
import { median } from './median.ts';

const self = fileURLToPath(import.meta.url);
const shakespeare = join(
  process.env.LATHE_SHARED_DATA ?? fileURLToPath(new URL('../../shared/data', import.meta.url)),
  'shakespeare/input.txt',
);

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      corpus: { type: 'string', multiple: true },
      language: { type: 'string', multiple: true, default: [] },
      seeds: { type: 'string', default: '2' },
      threads: { type: 'string', default: '1' },
      out: { type: 'string', default: 'bench/results/growth' },
      report: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const paths = values.corpus ?? [shakespeare];
  const missing = paths.find((path) => !existsSync(path));
  if (missing !== undefined) {
    console.log(`skipped: there is no ${missing}; --corpus PATH names a repository, a folder or a text file`);
    return;
  }
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const corpus = await readCorpus(paths, values.language);
  console.log(`corpus: ${corpus.description}, sha256 ${corpus.digest.slice(0, 8)}`);
  const setup = { directory: join(out, 'points'), threads: Number(values.threads), trains: !values.report };
  const train = async (point: Point): Promise<Result | null> => {
    const { result, fresh } = await trainPoint(point, corpus, setup);
    if (fresh) console.log(line(result!));
    return result;
  };

  const probes = new Map<number, readonly Result[]>();
  for (const nEmbd of RATED_WIDTHS) probes.set(nEmbd, await tryRates(nEmbd, train));
  const rates = new Map([...probes].map(([nEmbd, tried]) => [nEmbd, best(tried).rate]));
  const rateOf = (nEmbd: number) => interpolate(rates, nEmbd);
  const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => axes(i + 1, rateOf));
  // One seed of everything first, then the others from the cheapest on: a grid that is cut short has what it needs most.
  const all = seeds.map((one) => Object.values(one).flat());
  for (const point of [
    ...(all[0] ?? []),
    ...all
      .slice(1)
      .flat()
      .sort((a, b) => costOf(a) - costOf(b)),
  ])
    await train(point);
  const results: Record<Axis, Result[]> = { parameters: [], layers: [], context: [], tokens: [] };
  for (const one of seeds)
    for (const [axis, points] of Object.entries(one))
      for (const point of points) {
        const result = await train(point);
        if (result !== null) results[axis as Axis].push(result);
      }

  const figures = figuresOf(results);
  const text = tables(figures, results, probes);
  writeFileSync(join(out, 'growth.md'), text);
  for (const figure of figures) writeFileSync(join(out, `growth-${figure.name}.svg`), drawn(figure));
  const runs = new Map([...Object.values(results), ...probes.values()].flat().map((run) => [nameOf(run), run]));
  const seconds = (of: 'wallSeconds' | 'cpuSeconds') => [...runs.values()].reduce((sum, run) => sum + run[of], 0);
  console.log(text);
  console.log(
    `${runs.size} runs, ${(seconds('wallSeconds') / 60).toFixed(0)} minutes, ${(seconds('cpuSeconds') / 60).toFixed(0)} of them on the processor; pictures and tables in ${out}`,
  );
  if (values.json)
    console.log(
      JSON.stringify({
        name: 'growth',
        unit: 'bits a byte at 4 layers of width 64, 64 bytes of context and 2^20 tokens',
        ours: median(results.tokens.filter(({ tokens }) => tokens === 2 ** 20).map(({ bits }) => bits)),
        peers: {},
        ratio: {},
        spread: Object.fromEntries(
          figures.map(({ name, fits }) => [name, fits && { floor: fits.preferred.floor, b: fits.preferred.b }]),
        ),
        machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, node ${process.version}`,
      }),
    );
}

/** Learning rates, each twice the one before; the row is made longer until the best stands between two worse. */
async function tryRates(nEmbd: number, train: (point: Point) => Promise<Result | null>): Promise<readonly Result[]> {
  const tried: Result[] = [];
  const attempt = async (rate: number): Promise<Result> => {
    const result = await train(rateProbe(nEmbd, rate));
    if (result === null) throw new Error(`the rates for width ${nEmbd} are not all there: leave --report out`);
    return result;
  };
  for (const rate of FIRST_RATES) tried.push(await attempt(rate));
  for (;;) {
    const { rate } = best(tried);
    if (rate === tried[0]!.rate) tried.unshift(await attempt(rate / 2));
    else if (rate === tried.at(-1)!.rate) tried.push(await attempt(rate * 2));
    else return tried;
  }
}

function best(tried: readonly Result[]): Result {
  return tried.reduce((a, b) => (b.bits < a.bits ? b : a));
}

/** Straight lines between the known widths, both in logarithms. */
function interpolate(rates: ReadonlyMap<number, number>, nEmbd: number): number {
  const known = [...rates].sort(([a], [b]) => a - b);
  const at = Math.min(
    Math.max(
      1,
      known.findIndex(([width]) => width >= nEmbd),
    ),
    known.length - 1,
  );
  const [[w0, r0], [w1, r1]] = [known[at - 1]!, known[at]!];
  const share = Math.log(nEmbd / w0) / Math.log(w1 / w0);
  return Number((r0 * (r1 / r0) ** share).toPrecision(3));
}

function line({ nLayer, nEmbd, blockSize, tokens, seed, rate, bits, wallSeconds, cpuSeconds }: Result): string {
  return `layers ${nLayer}, width ${nEmbd}, context ${blockSize}, tokens ${tokens}, rate ${rate}, seed ${seed}: ${bits.toFixed(4)} bits a byte, ${wallSeconds.toFixed(0)} s (${cpuSeconds.toFixed(0)} s of CPU)`;
}

if (process.argv[1] === self) await main(process.argv.slice(2));
