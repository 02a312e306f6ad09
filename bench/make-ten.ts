/**
 * One prompt of 512 tokens, 128 new tokens a candidate, one candidate and ten, from the same GGUF file: Lathe and
 * node-llama-cpp (one context, a sequence a candidate, decoded together; once as its API is simply used, once with the
 * prompt's state copied to the other sequences), in turn.
 *
 *   npm run bench -- make-ten [--model FILE] [--rounds R] [--threads T] [--precision P] [--n 1,10] [--peer-n 1,10]
 *                             [--curve] [--busy] [--no-spinning] [--svg FILE] [--device webgpu] [--ours] [--json]
 *
 * `--curve` stands for `--n 1,4,10,32,100 --peer-n 1,4,10`: at a hundred one round of the peer takes some five minutes.
 * `--busy` measures everything once more beside a process that computes without end. `--svg` draws what was measured.
 * `--no-spinning` lets Lathe's idle threads sleep, which is what `lathe make` does; the peer's always wait actively.
 * `--ours` leaves the peer out; `--device` is where Lathe computes. The peer is installed in bench/peers (its README says how).
 */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, homedir, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Device, openModel, type Precision } from '@lathe/transformer';
import { drawSpeeds, type Speed } from './make-ten/draw.ts';
import { median } from './median.ts';

const PROMPT_TOKENS = 512;
const NEW_TOKENS = 128;
const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const DEFAULT_MODEL = join(cache, 'lathe/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf');

/** One way to make n candidates. */
interface Side {
  readonly name: string;
  readonly sizes: readonly number[];
  make(n: number, round: number): Promise<Times>;
}

/** What peers/llama-peer.js gives. */
interface PeerModule {
  isInstalled(): boolean;
  load(path: string, threads: number): Promise<Peer>;
}

interface Peer {
  runTen(
    prompt: readonly number[],
    nNew: number,
    n: number,
    options: { seed: number; sharePrompt?: boolean },
  ): Promise<Times>;
  close(): Promise<void>;
}

interface Times {
  readonly totalMs: number;
  readonly promptMs: number;
}

/** What a side took for so many candidates, with or without a busy neighbour. */
interface Measured {
  readonly side: Side;
  readonly n: number;
  readonly isBusy: boolean;
  readonly runs: Times[];
}

const CURVE = '1,4,10,32,100';
const PEER_CURVE = '1,4,10';

const SOURCE = `
/** Splits a command line into words as a shell does: quotes group, a backslash takes the next character as it is. */
export function splitWords(line) {
  const words = [];
  let word = '';
  let quote = null;
  for (let i = 0; i < line.length; i++) {
    const char = line[i];
    if (quote !== null) {
      if (char === quote) quote = null;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
    } else if (/\\s/.test(char)) {
      if (word !== '') words.push(word);
      word = '';
    } else {
      word += char === '\\\\' ? line[++i] : char;
    }
  }
  if (quote !== null) throw new SyntaxError('a quote is not closed');
  return word === '' ? words : [...words, word];
}
`;

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: process.env.LATHE_TEST_MODEL ?? DEFAULT_MODEL },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
    precision: { type: 'string' },
    n: { type: 'string' },
    'peer-n': { type: 'string' },
    curve: { type: 'boolean', default: false },
    busy: { type: 'boolean', default: false },
    'no-spinning': { type: 'boolean', default: false },
    svg: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    ours: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
await main();

async function main(): Promise<void> {
  if (!existsSync(values.model)) fail(`no model at ${values.model}: lathe models pull smollm2-135m, or --model FILE`);
  const { isInstalled, load } = (await import(new URL('./peers/llama-peer.js', import.meta.url).href)) as PeerModule;
  if (!values.ours && !isInstalled()) fail('node-llama-cpp is not installed: see bench/peers/README.md, or --ours');
  const threads = Number(values.threads);
  const sizesOf = (list: string) => list.split(',').map(Number);
  const sizes = sizesOf(values.n ?? (values.curve ? CURVE : '1,10'));
  const peerSizes = sizesOf(values['peer-n'] ?? (values.curve ? PEER_CURVE : sizes.join())).filter((n) =>
    sizes.includes(n),
  );

  const model = await openModel(values.model, {
    device: values.device as Device,
    threads,
    spinning: !values['no-spinning'],
    ...(values.precision === undefined ? {} : { precision: values.precision as Precision }),
  });
  console.error(`Lathe: ${model.precision}, loaded in ${model.loadMs.toFixed(0)} ms`);
  const prompt = model.tokenizer.encode(SOURCE.repeat(4)).slice(0, PROMPT_TOKENS);
  const sides: Side[] = [
    {
      name: 'Lathe',
      sizes,
      async make(n, round) {
        const started = performance.now();
        const request = { prompt, n, seed: round, temperature: 0.8, topP: 1, maxTokens: NEW_TOKENS, ignoreEnd: true };
        const { rows, timings } = await model.generate(request);
        if (rows.some((row) => row.tokens.length !== NEW_TOKENS)) throw new Error('internal: a row is short');
        return { totalMs: performance.now() - started, promptMs: timings.prefillMs };
      },
    },
  ];
  const peer = values.ours ? null : await load(values.model, threads);
  if (peer !== null) {
    sides.push({
      name: 'node-llama-cpp',
      sizes: peerSizes,
      make: (n, round) => peer.runTen(prompt, NEW_TOKENS, n, { seed: 100 * round }),
    });
    sides.push({
      name: 'node-llama-cpp, prompt copied',
      sizes: peerSizes,
      make: (n, round) => peer.runTen(prompt, NEW_TOKENS, n, { seed: 100 * round, sharePrompt: true }),
    });
  }

  const measured: Measured[] = [];
  for (const isBusy of values.busy ? [false, true] : [false]) {
    const neighbour = isBusy ? spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }) : null;
    measured.push(...(await measure(sides, isBusy)));
    neighbour?.kill();
  }
  await model.close();
  await peer?.close();

  console.log(
    `prompt ${prompt.length} tokens, ${NEW_TOKENS} new tokens, ${values.device === 'cpu' ? `${threads} threads` : values.device}, ${model.precision}`,
  );
  for (const one of measured) console.log(line(one));
  const of = (side: Side, n: number, isBusy: boolean) =>
    measured.find((one) => one.side === side && one.n === n && one.isBusy === isBusy);
  const [ours, ...peers] = sides as [Side, ...Side[]];
  for (const isBusy of new Set(measured.map((one) => one.isBusy))) {
    const where = isBusy ? ' beside a busy process' : '';
    for (const side of sides) {
      const [one, ten] = [of(side, 1, isBusy), of(side, 10, isBusy)];
      if (one !== undefined && ten !== undefined)
        console.log(`${side.name}: ten take ${inWords(ratios(ten, one))} the time of one${where}`);
    }
    for (const other of peers)
      for (const n of other.sizes) {
        const [theirs, mine] = [of(other, n, isBusy)!, of(ours, n, isBusy)!];
        const prompt = ratios(theirs, mine, ({ promptMs }) => promptMs);
        console.log(
          `n=${n}: Lathe is ${inWords(ratios(theirs, mine))} as fast as ${other.name}, its prompt ${inWords(prompt)}${where}`,
        );
      }
  }
  if (values.svg !== undefined)
    writeFileSync(
      values.svg,
      drawSpeeds(
        measured.map(
          (one): Speed => ({
            side: one.side.name,
            n: one.n,
            tokensPerSecond: (1000 * one.n * NEW_TOKENS) / totalOf(one),
            isBusy: one.isBusy,
          }),
        ),
      ),
    );
  if (values.json) {
    const most = peers.length === 0 ? Math.max(...sizes) : Math.max(...peerSizes);
    const mine = measured.find((one) => one.side === ours && one.n === most && !one.isBusy)!;
    console.log(
      JSON.stringify({
        name: 'make-ten',
        unit: `ms for ${most} candidates`,
        ours: totalOf(mine),
        peers: Object.fromEntries(peers.map((other) => [other.name, totalOf(of(other, most, false)!)])),
        ratio: Object.fromEntries(peers.map((other) => [other.name, median(ratios(mine, of(other, most, false)!))])),
        spread: spread(mine.runs),
        machine: `${cpus().length} × ${cpus()[0]?.model}, node ${process.version}, load ${loadavg()[0]!.toFixed(1)}`,
        curve: measured.map((one) => ({
          side: one.side.name,
          n: one.n,
          busy: one.isBusy,
          ms: totalOf(one),
          promptMs: promptOf(one),
          spread: spread(one.runs),
        })),
      }),
    );
  }
}

/** All sides in turn at every size; the first round warms up and does not count. */
async function measure(sides: readonly Side[], isBusy: boolean): Promise<Measured[]> {
  const measured = sides.flatMap((side) => side.sizes.map((n): Measured => ({ side, n, isBusy, runs: [] })));
  measured.sort((a, b) => a.n - b.n);
  for (let round = 0; round <= Number(values.rounds); round++)
    for (const { side, n, runs } of measured) {
      // Large jobs have warmed up by themselves.
      if (round === 0 && n > 10) continue;
      const run = await side.make(n, round);
      if (round > 0) runs.push(run);
      console.error(`round ${round}, ${side.name}, n=${n}${isBusy ? ', busy' : ''}: ${run.totalMs.toFixed(0)} ms`);
    }
  return measured.sort((a, b) => sides.indexOf(a.side) - sides.indexOf(b.side));
}

function line(one: Measured): string {
  const [all, read] = [totalOf(one), promptOf(one)];
  const perSecond = (ms: number) => ((1000 * one.n * NEW_TOKENS) / ms).toFixed(0);
  return `${one.side.name.padEnd(30)} n=${String(one.n).padEnd(4)}${one.isBusy ? ' busy' : ''} ${all.toFixed(0).padStart(7)} ms ± ${(100 * spread(one.runs)).toFixed(0)} %, prompt ${read.toFixed(0)} ms, ${perSecond(all)} tokens/s in all, ${perSecond(all - read)} after the prompt`;
}

/** Of the runs of each round, which passed side by side: what slows the machine for a while slows both. */
function ratios(of: Measured, to: Measured, what = ({ totalMs }: Times): number => totalMs): number[] {
  return of.runs.map((run, round) => what(run) / what(to.runs[round]!));
}

function inWords(all: readonly number[]): string {
  return `${median(all).toFixed(2)} × (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`;
}

function totalOf({ runs }: Measured): number {
  return median(runs.map(({ totalMs }) => totalMs));
}

function promptOf({ runs }: Measured): number {
  return median(runs.map(({ promptMs }) => promptMs));
}

/** Half the range over the median. */
function spread(runs: readonly Times[]): number {
  const totals = runs.map(({ totalMs }) => totalMs);
  return (Math.max(...totals) - Math.min(...totals)) / 2 / median(totals);
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
