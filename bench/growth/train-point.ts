import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parameterCount, readCheckpoint, Trainer, writeCheckpoint } from '@lathe/transformer';
import type { ByteCorpus } from './corpus.ts';
import { configOf, nameOf, type Point, STEP_TOKENS } from './grid.ts';

export interface Result extends Point {
  readonly corpus: string;
  /** The embedding included. */
  readonly parameters: number;
  /** Validation, mean over `VALIDATION_TOKENS`: bits a byte. */
  readonly bits: number;
  /** The same by how many bytes of the window stand before: mean over `from` to `to`. */
  readonly bitsBehind: readonly { readonly from: number; readonly to: number; readonly bits: number }[];
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

/** Every point is judged on these: the beginning of the validation text, in windows of the point's own length. */
const VALIDATION_TOKENS = 2 ** 17;
const SAVE_EVERY_STEPS = 128;

/**
 * The point's result: read where it was finished before, else trained, from its last save where there is one; null where
 * it is not there and `trains` is false.
 */
export async function trainPoint(
  point: Point,
  corpus: ByteCorpus,
  { directory, threads, trains }: { directory: string; threads: number; trains: boolean },
): Promise<{ result: Result | null; fresh: boolean }> {
  mkdirSync(directory, { recursive: true });
  const path = (ending: string) => join(directory, `${corpus.digest.slice(0, 8)}-${nameOf(point)}${ending}`);
  const finished = readJson<Result>(path('.json'));
  if (finished !== null || !trains) return { result: finished, fresh: false };

  const config = configOf(point, corpus.vocabSize);
  const saved = path('.safetensors');
  const earlier = existsSync(saved) ? await readCheckpoint(saved, config) : undefined;
  const spent = readJson<{ wall: number; cpu: number }>(path('.spent.json')) ?? { wall: 0, cpu: 0 };
  const batchSize = STEP_TOKENS / point.blockSize;
  const iterations = point.tokens / STEP_TOKENS;
  const trainer = await Trainer.start(
    {
      config,
      batchSize,
      accumulation: 1,
      optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
      schedule: {
        kind: 'cosine',
        peak: point.rate,
        floor: point.rate / 10,
        warmup: Math.min(100, Math.ceil(iterations / 10)),
        iterations,
      },
      clip: 1,
      seed: point.seed,
      threads,
      train: corpus.train,
      validation: corpus.validation,
    },
    earlier,
  );
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  const seconds = () => {
    const { user, system } = process.cpuUsage(cpu);
    return { wall: spent.wall + (performance.now() - started) / 1000, cpu: spent.cpu + (user + system) / 1e6 };
  };
  try {
    while (trainer.steps < iterations) {
      const { step } = await trainer.step();
      if (step % SAVE_EVERY_STEPS !== 0 || step === iterations) continue;
      await writeCheckpoint(saved, trainer.checkpoint({ bestValidationLoss: null, training: [], validation: [] }));
      writeJson(path('.spent.json'), seconds());
    }
    const validated = await validate(trainer, corpus, batchSize, point.blockSize);
    const { wall, cpu } = seconds();
    const result: Result = {
      ...point,
      corpus: corpus.digest,
      parameters: parameterCount(config),
      ...validated,
      wallSeconds: wall,
      cpuSeconds: cpu,
    };
    writeJson(path('.json'), result);
    for (const ending of ['.safetensors', '.spent.json']) rmSync(path(ending), { force: true });
    return { result, fresh: true };
  } finally {
    await trainer.close();
  }
}

/** Mean of −log₂ p over the same tokens for every point, each seen behind what its window holds before it. */
async function validate(
  trainer: Trainer,
  { validation, vocabSize }: ByteCorpus,
  batchSize: number,
  blockSize: number,
): Promise<Pick<Result, 'bits' | 'bitsBehind'>> {
  const rows = batchSize * blockSize;
  const most = Math.min(VALIDATION_TOKENS, validation.length - 1);
  const total = most - (most % rows);
  const natsAt = new Float64Array(blockSize);
  for (let start = 0; start < total; start += rows) {
    const logits = await trainer.logits(Array.from(validation.subarray(start, start + rows)));
    for (let row = 0; row < rows; row++) {
      const own = logits.subarray(row * vocabSize, (row + 1) * vocabSize);
      const largest = own.reduce((a, b) => Math.max(a, b));
      let sum = 0;
      for (const logit of own) sum += Math.exp(logit - largest);
      natsAt[row % blockSize]! += largest + Math.log(sum) - own[validation[start + row + 1]!]!;
    }
  }
  const bits = (from: number, to: number) =>
    natsAt.subarray(from, to + 1).reduce((a, b) => a + b, 0) / (total / blockSize) / (to - from + 1) / Math.LN2;
  const bitsBehind = [];
  // The token at place p of a window is predicted behind p + 1 bytes.
  for (let from = 1; from <= blockSize; from *= 2) {
    const to = Math.min(2 * from - 1, blockSize);
    bitsBehind.push({ from, to, bits: bits(from - 1, to - 1) });
  }
  return { bits: bits(0, blockSize - 1), bitsBehind };
}

function readJson<T>(path: string): T | null {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : null;
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(`${path}.part`, `${JSON.stringify(value)}\n`);
  renameSync(`${path}.part`, path);
}
