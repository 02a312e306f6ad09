/**
 * One prompt of 512 tokens, 128 new tokens a candidate, one candidate and ten, from the same GGUF file: Lathe and
 * node-llama-cpp (one context, a sequence a candidate, decoded together; once as its API is simply used, once with the
 * prompt's state copied to the other sequences), in turn.
 *
 *   npm run bench -- make-ten [--model FILE] [--rounds R] [--threads T] [--precision P] [--n 1,10] [--device webgpu] [--ours] [--json]
 *
 * `--ours` leaves the peer out; `--device` is where Lathe computes. The peer is installed in bench/peers (its README says how).
 */
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, homedir, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Device, openModel, type Precision } from '@lathe/transformer';
import { median } from './median.ts';

const PROMPT_TOKENS = 512;
const NEW_TOKENS = 128;
const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const DEFAULT_MODEL = join(cache, 'lathe/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf');

/** One way to make n candidates. */
interface Side {
  readonly name: string;
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
    n: { type: 'string', default: '1,10' },
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
  const sizes = values.n.split(',').map(Number);

  const model = await openModel(values.model, {
    device: values.device as Device,
    threads,
    spinning: true,
    ...(values.precision === undefined ? {} : { precision: values.precision as Precision }),
  });
  console.error(`Lathe: ${model.precision}, loaded in ${model.loadMs.toFixed(0)} ms`);
  const prompt = model.tokenizer.encode(SOURCE.repeat(4)).slice(0, PROMPT_TOKENS);
  const sides: Side[] = [
    {
      name: 'Lathe',
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
      make: (n, round) => peer.runTen(prompt, NEW_TOKENS, n, { seed: 100 * round }),
    });
    sides.push({
      name: 'node-llama-cpp, prompt copied',
      make: (n, round) => peer.runTen(prompt, NEW_TOKENS, n, { seed: 100 * round, sharePrompt: true }),
    });
  }

  const times = new Map<Side, Map<number, Times[]>>(sides.map((side) => [side, new Map(sizes.map((n) => [n, []]))]));
  // The first round warms up.
  for (let round = 0; round <= Number(values.rounds); round++)
    for (const n of sizes)
      for (const side of sides) {
        const run = await side.make(n, round);
        if (round > 0) times.get(side)!.get(n)!.push(run);
        console.error(`round ${round}, ${side.name}, n=${n}: ${run.totalMs.toFixed(0)} ms`);
      }
  await model.close();
  await peer?.close();

  const total = (side: Side, n: number) =>
    median(
      times
        .get(side)!
        .get(n)!
        .map(({ totalMs }) => totalMs),
    );
  console.log(
    `prompt ${prompt.length} tokens, ${NEW_TOKENS} new tokens, ${values.device === 'cpu' ? `${threads} threads` : values.device}, ${model.precision}`,
  );
  for (const side of sides)
    for (const n of sizes) {
      const runs = times.get(side)!.get(n)!;
      const all = total(side, n);
      const read = median(runs.map(({ promptMs }) => promptMs));
      const speed = (1000 * n * NEW_TOKENS) / (all - read);
      console.log(
        `${side.name.padEnd(30)} n=${String(n).padEnd(4)} ${all.toFixed(0).padStart(7)} ms ± ${(100 * spread(runs)).toFixed(0)} %, prompt ${read.toFixed(0)} ms, then ${speed.toFixed(0)} tokens/s`,
      );
    }
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  if (most > least)
    for (const side of sides)
      console.log(
        `${side.name}: ${most} take ${(total(side, most) / total(side, least)).toFixed(2)} × the time of ${least}`,
      );
  const [ours, ...peers] = sides as [Side, ...Side[]];
  for (const other of peers)
    for (const n of sizes)
      console.log(`n=${n}: Lathe is ${(total(other, n) / total(ours, n)).toFixed(2)} × as fast as ${other.name}`);
  if (values.json)
    console.log(
      JSON.stringify({
        name: 'make-ten',
        unit: `ms for ${most} candidates`,
        ours: total(ours, most),
        peers: Object.fromEntries(peers.map((other) => [other.name, total(other, most)])),
        ratio: Object.fromEntries(peers.map((other) => [other.name, total(ours, most) / total(other, most)])),
        spread: spread(times.get(ours)!.get(most)!),
        machine: `${cpus().length} × ${cpus()[0]?.model}, node ${process.version}, load ${loadavg()[0]!.toFixed(1)}`,
      }),
    );
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
