/**
 * Ten candidates for one function, independent and drawn to differ, in turn: how many of them differ, and what it costs.
 *
 *   npm run bench -- distinct [--model FILE] [--rounds R] [--n 10] [--temperature T] [--dial 0,0.5,1] [--threads T] [--json]
 */
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, homedir, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openModel } from '@lathe/transformer';
import { median } from './median.ts';

const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const DEFAULT_MODEL = join(cache, 'lathe/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf');

const PROMPTS = [
  '/**\n * Whether a year is a leap year of the Gregorian calendar.\n * @param {number} year\n * @returns {boolean}\n */\nexport function isLeapYear(year) {\n',
  '/**\n * The largest of the numbers; undefined where there is none.\n * @param {number[]} numbers\n */\nexport function largest(numbers) {\n',
  '/** The words of a text in lower case, joined by hyphens: "Hello World" becomes "hello-world". */\nexport function slugify(text) {\n',
  '/** How often each item occurs. */\nexport function count(items) {\n  const counts = new Map();\n',
];

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: process.env.LATHE_TEST_MODEL ?? DEFAULT_MODEL },
    rounds: { type: 'string', default: '3' },
    n: { type: 'string', default: '10' },
    temperature: { type: 'string', default: '0.6' },
    dial: { type: 'string', default: '0,0.5,1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    json: { type: 'boolean', default: false },
  },
});
if (!existsSync(values.model)) {
  console.error(`no model at ${values.model}: lathe models pull smollm2-135m, or --model FILE`);
  process.exit(2);
}

interface Run {
  readonly ms: number;
  readonly different: number;
  readonly tokens: number;
  readonly rowSteps: number;
  readonly logProbability: number;
}

const n = Number(values.n);
const model = await openModel(values.model, { threads: Number(values.threads) });
const dials = values.dial.split(',').map(Number);
const runs = new Map<number, Run[]>(dials.map((dial) => [dial, []]));
// The first round warms up.
for (let round = 0; round <= Number(values.rounds); round++)
  for (const text of PROMPTS)
    for (const distinct of dials) {
      const started = performance.now();
      const { rows, timings } = await model.generate({
        prompt: model.tokenizer.encode(text),
        n,
        seed: round,
        distinct,
        temperature: Number(values.temperature),
        topP: 1,
        maxTokens: 96,
        stop: ['\n}'],
      });
      if (round === 0) continue;
      const bits = rows.map((row) => row.logProbabilities.reduce((a, b) => a + b, 0));
      runs.get(distinct)!.push({
        ms: performance.now() - started,
        different: new Set(rows.map((row) => row.text)).size,
        tokens: rows.reduce((sum, row) => sum + row.tokens.length, 0),
        rowSteps: timings.rowSteps,
        logProbability: bits.reduce((a, b) => a + b, 0) / rows.length,
      });
    }
await model.close();

const of = (dial: number, what: (run: Run) => number) => runs.get(dial)!.map(what);
const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
const base = dials[0]!;
for (const dial of dials) {
  const ratio = median(of(dial, ({ ms }) => ms).map((ms, i) => ms / runs.get(base)![i]!.ms));
  console.log(
    `dial ${String(dial).padEnd(4)} ${mean(of(dial, ({ different }) => different)).toFixed(1)} of ${n} differ (fewest ${Math.min(...of(dial, ({ different }) => different))}), ` +
      `${median(of(dial, ({ ms }) => ms)).toFixed(0)} ms, ${ratio.toFixed(2)} × dial ${base}; ` +
      `${mean(of(dial, ({ rowSteps }) => rowSteps)).toFixed(0)} rows read for ${mean(of(dial, ({ tokens }) => tokens)).toFixed(0)} tokens, ` +
      `log p ${mean(of(dial, ({ logProbability }) => logProbability)).toFixed(1)} a candidate`,
  );
}
if (values.json) {
  const last = dials.at(-1)!;
  const ratios = of(last, ({ ms }) => ms).map((ms, i) => ms / runs.get(base)![i]!.ms);
  console.log(
    JSON.stringify({
      name: 'distinct',
      unit: `ms for ${n} candidates`,
      ours: median(of(last, ({ ms }) => ms)),
      peers: { [`dial ${base}`]: median(of(base, ({ ms }) => ms)) },
      ratio: { [`dial ${base}`]: median(ratios) },
      spread: (Math.max(...ratios) - Math.min(...ratios)) / 2 / median(ratios),
      machine: `${cpus().length} × ${cpus()[0]?.model}, node ${process.version}, load ${loadavg()[0]!.toFixed(1)}`,
    }),
  );
}
