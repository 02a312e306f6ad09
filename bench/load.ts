/**
 * How long it takes from the start of a process to a model that answers: without a cache, when it is filled, and from it.
 * Each start is a process of its own; the three take turns.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openModel } from '../packages/transformer/src/index.ts';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    model: {
      type: 'string',
      default: join(homedir(), '.cache/lathe/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf'),
    },
    precision: { type: 'string' },
    runs: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
    start: { type: 'string' },
  },
});

if (values.start !== undefined) {
  const precision = values.precision as 'int8' | 'exact' | 'f32' | undefined;
  const cache = values.start === '' ? null : { folder: values.start, convertedBytes: 20e9, prefixBytes: 0 };
  const model = await openModel(values.model, { cache, ...(precision === undefined ? {} : { precision }) });
  console.log(JSON.stringify({ ready: performance.now(), loadMs: model.loadMs, precision: model.precision }));
  await model.close();
  process.exit();
}

if (!existsSync(values.model)) {
  console.error(`there is no model at ${values.model}: npx lathe models pull smollm2-135m, or --model FILE.gguf`);
  process.exit(2);
}
const root = mkdtempSync(join(tmpdir(), 'lathe-load-'));
const kept = join(root, 'kept');

/** Milliseconds from the start of the process to the first answer it could give. */
function start(folder: string): { ready: number; loadMs: number; precision: string } {
  const args = [import.meta.filename, '--model', values.model, '--start', folder];
  if (values.precision !== undefined) args.push('--precision', values.precision);
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`a start ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

const { precision } = start(kept);
const times = {
  'from the cache': [] as number[],
  'without a cache': [] as number[],
  'filling the cache': [] as number[],
};
for (let run = 0; run < Number(values.runs); run++) {
  times['from the cache'].push(start(kept).ready);
  times['without a cache'].push(start('').ready);
  const fresh = join(root, `fresh-${run}`);
  times['filling the cache'].push(start(fresh).ready);
  rmSync(fresh, { recursive: true });
}
rmSync(root, { recursive: true });

const round = (value: number, digits = 0) => Number(value.toFixed(digits));
const medians = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, round(median(list))]));
const spread = Object.fromEntries(
  Object.entries(times).map(([name, list]) => [name, [round(Math.min(...list)), round(Math.max(...list))]]),
);
console.log(`${values.model}, ${precision}, from the start of the process to an open model`);
for (const [name, ms] of Object.entries(medians))
  console.log(`  ${name.padEnd(18)} ${String(ms).padStart(6)} ms  (${spread[name]!.join(' to ')})`);
if (values.json) {
  const { 'from the cache': ours, ...peers } = medians as Record<keyof typeof times, number>;
  console.log(
    JSON.stringify({
      name: 'load',
      unit: 'ms',
      ours,
      peers,
      ratio: Object.fromEntries(Object.entries(peers).map(([name, ms]) => [name, round(ours / ms, 3)])),
      spread,
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores, Node ${process.version}`,
    }),
  );
}
