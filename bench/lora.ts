/**
 * Adapters with the base held as f32 and in the blocks of its file: tokens a second, and the most memory a run takes, its
 * validation and its export among it. The two take turns, each run in a process of its own.
 *
 *     npm run bench -- lora [--model smollm2-135m] [--rounds 2] [--steps 5] [--batch 2] [--block 256] [--threads 2] [--recompute] [--json]
 *
 * Memory is what Linux says was resident at most (VmHWM).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { resolveModel } from '@lathe/makers';
import { HOLDINGS, type Holding, LORA_DEFAULTS, runLora } from '@lathe/transformer';
import { execa } from 'execa';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'smollm2-135m' },
    rounds: { type: 'string', default: '2' },
    steps: { type: 'string', default: '5' },
    batch: { type: 'string', default: '2' },
    block: { type: 'string', default: '256' },
    threads: { type: 'string', default: '2' },
    recompute: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    side: { type: 'string' },
  },
});

interface Run {
  /** Of every step but the first. */
  readonly tokensPerSecond: readonly number[];
  readonly peakBytes: number;
}

if (values.side === undefined) await compare();
else console.log(JSON.stringify(await oneRun(values.side as Holding)));

async function compare(): Promise<void> {
  const runs: Record<Holding, Run[]> = { f32: [], blocks: [] };
  const self = fileURLToPath(import.meta.url);
  for (let round = 0; round < Number(values.rounds); round++)
    for (const holding of HOLDINGS) {
      const { stdout } = await execa(process.execPath, [self, ...process.argv.slice(2), '--side', holding], {
        stderr: 'inherit',
        // As `trainInProcess` sets it.
        env: { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' },
      });
      runs[holding].push(JSON.parse(stdout) as Run);
    }
  const of = (holding: Holding) => {
    const rates = runs[holding].flatMap(({ tokensPerSecond }) => tokensPerSecond);
    const peaks = runs[holding].map(({ peakBytes }) => peakBytes / 1e9);
    return { rate: median(rates), low: Math.min(...rates), high: Math.max(...rates), peakGB: Math.max(...peaks) };
  };
  const results = { f32: of('f32'), blocks: of('blocks') };
  if (values.json)
    console.log(
      JSON.stringify({
        name: 'lora',
        unit: 'tokens a second, base in blocks',
        ours: results.blocks.rate,
        peers: { f32: results.f32.rate },
        ratio: { f32: results.blocks.rate / results.f32.rate },
        spread: [results.blocks.low, results.blocks.high],
        machine: `${cpus()[0]?.model ?? 'unknown'}, ${values.threads} threads`,
        results,
      }),
    );
  else
    for (const [holding, { rate, low, high, peakGB }] of Object.entries(results))
      console.log(
        `${values.model}, base in ${holding}: ${rate.toFixed(0)} tokens/s (${low.toFixed(0)} to ${high.toFixed(0)}), at most ${peakGB.toFixed(2)} GB`,
      );
}

async function oneRun(holding: Holding): Promise<Run> {
  const directory = mkdtempSync(join(tmpdir(), 'lathe-bench-lora-'));
  const [iterations, rates] = [Number(values.steps), [] as number[]];
  const text = readFileSync(new URL('../ARCHITECTURE.md', import.meta.url), 'utf8');
  try {
    await runLora(
      { train: [text], validation: [text] },
      {
        base: await resolveModel(values.model),
        lora: LORA_DEFAULTS,
        holding,
        blockSize: Number(values.block),
        type: 'F16',
        batchSize: Number(values.batch),
        accumulation: 1,
        optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 },
        schedule: { kind: 'cosine', peak: 1e-3, floor: 1e-4, warmup: 1, iterations },
        clip: 1,
        seed: 1,
        threads: Number(values.threads),
        recompute: values.recompute,
        iterations,
        validateEvery: iterations,
        validationBatches: 1,
        patience: 0,
        directory,
        onEvent: (event) => {
          if (event.type === 'step' && event.step > 1) rates.push(event.tokensPerSecond);
        },
      },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return { tokensPerSecond: rates, peakBytes: 1024 * Number(kilobytes) };
}
