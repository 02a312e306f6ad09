/**
 * Training speed: the 10.65 M parameter configuration on characters, Lathe and PyTorch on the same CPU and threads, in
 * turn. Each side runs in a process of its own, so that its memory is its own.
 *
 *     npm run bench -- train [--json] [--rounds 5] [--steps 2] [--batch 8] [--threads 2] [--recompute]
 *
 * PyTorch is looked for in the Python that LATHE_BENCH_PYTHON names (python3 otherwise): `pip install torch`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Trainer, trainingRuntime } from '@lathe/transformer';
import { median } from './median.ts';

const self = fileURLToPath(import.meta.url);
const here = fileURLToPath(new URL('.', import.meta.url));

const SIZES = { nLayer: 6, nHead: 6, nKvHead: 6, nEmbd: 384, nFeedForward: 1024, vocabSize: 65, blockSize: 256 };

interface Answer {
  readonly ms: number;
  readonly loss: number;
  readonly rss: number;
}

class Side {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  hello: Record<string, unknown> = {};

  static async start(command: string, args: readonly string[], sizes: object, env = process.env): Promise<Side> {
    const side = new Side(spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env }));
    side.#child.stdin!.write(`${JSON.stringify(sizes)}\n`);
    side.hello = (await side.#next()) as Record<string, unknown>;
    return side;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  async run(steps: number): Promise<Answer> {
    this.#child.stdin!.write(`${steps}\n`);
    return (await this.#next()) as Answer;
  }

  async #next(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the other side ended early; its message stands above');
    return JSON.parse(value);
  }

  close(): void {
    this.#child.stdin!.end();
    this.#child.kill();
  }
}

async function lathe(): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const sizes = JSON.parse((await lines.next()).value ?? '') as typeof SIZES & {
    batchSize: number;
    threads: number;
    recompute: boolean;
    data: string;
  };
  const data = Uint16Array.from(readFileSync(sizes.data));
  const { batchSize, threads, nLayer, nHead, nKvHead, nEmbd, nFeedForward, vocabSize, blockSize } = sizes;
  const trainer = await Trainer.start({
    config: {
      preset: 'llama',
      nLayer,
      nHead,
      nKvHead,
      nEmbd,
      nFeedForward,
      vocabSize,
      blockSize,
      dropout: 0,
      labelSmoothing: 0,
    },
    batchSize,
    accumulation: 1,
    optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
    schedule: { kind: 'cosine', peak: 1e-3, floor: 1e-3, warmup: 0, iterations: 1e9 },
    clip: 1,
    seed: 1,
    threads,
    // PyTorch's threads wait actively too.
    spinning: true,
    recompute: sizes.recompute,
    train: data,
    validation: data,
  });
  console.log(JSON.stringify({ parameters: trainer.parameters.reduce((sum, { values }) => sum + values.length, 0) }));
  for (;;) {
    const { value, done } = await lines.next();
    if (done) break;
    const started = performance.now();
    let loss = 0;
    for (let i = 0; i < Number(value); i++) ({ loss } = await trainer.step());
    console.log(JSON.stringify({ ms: performance.now() - started, loss, rss: process.resourceUsage().maxRSS * 1024 }));
  }
  await trainer.close();
}

/** Shakespeare where it is at hand, else characters that cost the same. */
function characters(): { path: string; source: string } {
  const shared = join(process.env.LATHE_SHARED_DATA ?? join(here, '../../shared/data'), 'shakespeare/input.txt');
  const path = join(tmpdir(), 'lathe-bench-characters.bin');
  if (existsSync(shared)) {
    const text = readFileSync(shared, 'latin1');
    const letters = [...new Set(text)].sort();
    // lathe-ignore guessable-temporary-file -- kept between runs of the benchmark under the same name
    writeFileSync(
      path,
      Uint8Array.from(text, (letter) => letters.indexOf(letter)),
    );
    return { path, source: 'Shakespeare' };
  }
  // lathe-ignore guessable-temporary-file -- as above
  writeFileSync(
    path,
    Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * i) % 65),
  );
  return { path, source: 'made-up characters' };
}

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '2' },
      batch: { type: 'string', default: '8' },
      threads: { type: 'string', default: '2' },
      recompute: { type: 'boolean', default: false },
    },
  });
  const { path, source } = characters();
  const sizes = {
    ...SIZES,
    batchSize: Number(values.batch),
    threads: Number(values.threads),
    recompute: values.recompute,
    data: path,
  };
  // As `lathe train` starts its process.
  const { execArgv, env } = trainingRuntime();
  const ours = await Side.start(process.execPath, [...execArgv, self, '--lathe'], sizes, env);
  const torch = await Side.start(
    process.env.LATHE_BENCH_PYTHON ?? 'python3',
    [join(here, 'peers/torch_train.py')],
    sizes,
  );
  const steps = Number(values.steps);
  const tokens = steps * sizes.batchSize * sizes.blockSize;
  try {
    await ours.run(1);
    await torch.run(1);
    const rounds: { ours: Answer; torch: Answer }[] = [];
    for (let round = 0; round < Number(values.rounds); round++)
      rounds.push({ ours: await ours.run(steps), torch: await torch.run(steps) });
    const speed = (side: 'ours' | 'torch') => median(rounds.map((round) => (1000 * tokens) / round[side].ms));
    const ratios = rounds.map((round) => round.torch.ms / round.ours.ms);
    const memory = (side: 'ours' | 'torch') => Math.max(...rounds.map((round) => round[side].rss));
    console.log(
      `10.65 M parameters (${ours.hello.parameters} ours, ${torch.hello.parameters} theirs), ${source}, batch ${sizes.batchSize} × ${sizes.blockSize}, ${sizes.threads} threads`,
    );
    console.log(
      `  Lathe    ${speed('ours').toFixed(0).padStart(6)} tokens/s   peak ${(memory('ours') / 1e6).toFixed(0)} MB`,
    );
    console.log(
      `  PyTorch  ${speed('torch').toFixed(0).padStart(6)} tokens/s   peak ${(memory('torch') / 1e6).toFixed(0)} MB   (${torch.hello.torch})`,
    );
    console.log(
      `  ratio    ${median(ratios).toFixed(2).padStart(6)}            (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}), memory ${(memory('ours') / memory('torch')).toFixed(2)}`,
    );
    if (values.json)
      console.log(
        JSON.stringify({
          name: 'train',
          unit: 'tokens/s',
          ours: speed('ours'),
          peers: { pytorch: speed('torch') },
          ratio: { pytorch: median(ratios) },
          spread: { ratio: [Math.min(...ratios), Math.max(...ratios)], memory: memory('ours') / memory('torch') },
          machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, node ${process.version}`,
        }),
      );
  } finally {
    ours.close();
    torch.close();
  }
}

if (process.argv[2] === '--lathe') await lathe();
else if (process.argv[1] === self) await main(process.argv.slice(2));
