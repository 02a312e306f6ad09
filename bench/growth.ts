/**
 * Loss against parameters, layers, context length and tokens, on one corpus: one axis is varied, the others stay at 4
 * layers of width 64, 64 tokens of context and 2^20 tokens of training. A power law is fitted to each axis.
 *
 *     npm run bench -- growth [--corpus PATH ...] [--language NAME ...] [--seeds 2] [--threads 1] [--out DIR] [--report] [--json]
 *
 * `--corpus` names repositories, folders, or one text file; without it Shakespeare is taken where it is at hand. Every
 * finished run is a file in `--out`, and a run that was cut off goes on from its last save: the same command again does
 * only what is missing. `--report` trains nothing and draws what is there.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readCorpus } from './growth/corpus.ts';
import { axes, FIRST_RATES, type Point, RATED_WIDTHS, rateProbe } from './growth/grid.ts';
import { type Result, trainPoint } from './growth/train-point.ts';

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
  const train = async (point: Point): Promise<Result> => {
    const { result, fresh } = await trainPoint(point, corpus, {
      directory: join(out, 'points'),
      threads: Number(values.threads),
    });
    if (fresh) console.log(line(result));
    return result;
  };

  const rates = new Map<number, number>();
  for (const nEmbd of RATED_WIDTHS) rates.set(nEmbd, await bestRate(nEmbd, train));
  const rateOf = (nEmbd: number) => interpolate(rates, nEmbd);
  for (let seed = 1; seed <= Number(values.seeds); seed++)
    for (const points of Object.values(axes(seed, rateOf))) for (const point of points) await train(point);
  writeFileSync(join(out, 'rates.json'), JSON.stringify([...rates]));
}

/** The best of the rates tried, each twice the one before; the row is made longer until the best stands between two worse. */
async function bestRate(nEmbd: number, train: (point: Point) => Promise<Result>): Promise<number> {
  const tried: Result[] = [];
  for (const rate of FIRST_RATES) tried.push(await train(rateProbe(nEmbd, rate)));
  for (;;) {
    const best = tried.reduce((a, b) => (b.bits < a.bits ? b : a));
    if (best === tried[0]) tried.unshift(await train(rateProbe(nEmbd, best.rate / 2)));
    else if (best === tried.at(-1)) tried.push(await train(rateProbe(nEmbd, best.rate * 2)));
    else return best.rate;
  }
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
