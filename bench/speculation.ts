/**
 * Prompt look-up drafts on and off, in turn, one candidate (or --n) at a time: edits of a file, where most of the answer
 * stands in the prompt, and new code, where little does. Speed is chosen tokens per second of decoding.
 *
 *   npm run bench -- speculation [--model FILE] [--rounds R] [--n 1] [--threads T] [--precision P] [--temperature T]
 *     [--tokens 192] [--json]
 */
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, homedir, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encodeChat, type Generation, openGguf, openModel, type Precision } from '@lathe/transformer';
import { median } from './median.ts';

const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const DEFAULT_MODEL = join(cache, 'lathe/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf');

const QUEUE = `/** Runs tasks one after the other. */
export class Queue {
  constructor(limit) {
    this.limit = limit;
    this.waiting = [];
    this.running = 0;
  }

  add(task) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ task, resolve, reject });
      this.next();
    });
  }

  next() {
    if (this.running >= this.limit || this.waiting.length === 0) return;
    const { task, resolve, reject } = this.waiting.shift();
    this.running += 1;
    task().then(resolve, reject).finally(() => {
      this.running -= 1;
      this.next();
    });
  }
}
`;
const WORDS = `import re


def split_words(line):
    """Split a line into words; quotes group."""
    words = []
    word = ""
    quote = None
    for char in line:
        if quote is not None:
            if char == quote:
                quote = None
            else:
                word += char
        elif char in "\\"'":
            quote = char
        elif char.isspace():
            if word:
                words.append(word)
            word = ""
        else:
            word += char
    if quote is not None:
        raise ValueError("a quote is not closed")
    if word:
        words.append(word)
    return words


def count_words(text):
    """How often each word occurs."""
    counts = {}
    for word in re.findall(r"\\w+", text.lower()):
        counts[word] = counts.get(word, 0) + 1
    return counts
`;
const edit = (file: string, what: string) =>
  `${what} Answer with the whole file in one code block and nothing else.\n\n\`\`\`\n${file}\`\`\``;

const TASKS: readonly { readonly kind: 'edit' | 'new'; readonly text: string }[] = [
  { kind: 'edit', text: edit(QUEUE, 'Rename the field `waiting` to `pending` in this file.') },
  { kind: 'edit', text: edit(WORDS, 'Let `count_words` keep the case of words.') },
  { kind: 'edit', text: edit(QUEUE, 'Add a getter `size` that gives the number of tasks that wait.') },
  { kind: 'new', text: 'Write a JavaScript function that tells whether a number is prime, with a short comment.' },
  { kind: 'new', text: 'Write a Python class for a stack with push, pop and peek.' },
];

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: process.env.LATHE_TEST_MODEL ?? DEFAULT_MODEL },
    rounds: { type: 'string', default: '3' },
    n: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    precision: { type: 'string' },
    temperature: { type: 'string', default: '0.2' },
    tokens: { type: 'string', default: '192' },
    json: { type: 'boolean', default: false },
  },
});
if (!existsSync(values.model)) {
  console.error(`no model at ${values.model}: lathe models pull smollm2-135m, or --model FILE`);
  process.exit(2);
}

interface Run {
  readonly tokensPerSecond: number;
  readonly generation: Generation;
}

const n = Number(values.n);
const model = await openModel(values.model, {
  threads: Number(values.threads),
  ...(values.precision === undefined ? {} : { precision: values.precision as Precision }),
});
const file = await openGguf(values.model);
const ratios: Record<'edit' | 'new', number[]> = { edit: [], new: [] };
const speeds = { with: [] as number[], without: [] as number[] };
let [positions, differing] = [0, 0];
for (const { kind, text } of TASKS) {
  const prompt = await encodeChat(file, model.tokenizer, [{ role: 'user', content: text }]);
  const make = async (seed: number, speculate: boolean): Promise<Run> => {
    const generation = await model.generate({
      prompt,
      n,
      seed,
      speculate,
      temperature: Number(values.temperature),
      maxTokens: Number(values.tokens),
    });
    return { tokensPerSecond: generation.timings.tokensPerSecond, generation };
  };
  const ratio: number[] = [];
  let [drafted, accepted, tokens, steps] = [0, 0, 0, 0];
  // The first round warms up.
  for (let round = 0; round <= Number(values.rounds); round++) {
    const order = round % 2 === 0 ? [true, false] : [false, true];
    const runs = new Map<boolean, Run>();
    for (const speculate of order) runs.set(speculate, await make(round, speculate));
    const [on, off] = [runs.get(true)!, runs.get(false)!];
    for (const [i, row] of on.generation.rows.entries()) {
      const other = off.generation.rows[i]!.tokens;
      const first = row.tokens.findIndex((token, at) => token !== other[at]);
      positions += first === -1 ? row.tokens.length : first + 1;
      if (first !== -1) differing++;
    }
    if (round === 0) continue;
    ratio.push(on.tokensPerSecond / off.tokensPerSecond);
    if (kind === 'edit') {
      speeds.with.push(on.tokensPerSecond);
      speeds.without.push(off.tokensPerSecond);
    }
    ({ drafted, accepted } = {
      drafted: drafted + on.generation.timings.drafts.drafted,
      accepted: accepted + on.generation.timings.drafts.accepted,
    });
    tokens += on.generation.rows.reduce((sum, row) => sum + row.tokens.length, 0);
    steps += on.generation.timings.steps;
  }
  ratios[kind].push(...ratio);
  const rate =
    drafted === 0 ? 'nothing drafted' : `${Math.round((100 * accepted) / drafted)} % of ${drafted} drafted tokens true`;
  console.log(
    `${kind.padEnd(5)} ${prompt.length} tokens, ${(tokens / steps).toFixed(2)} tokens a step, ${rate}: ${median(ratio).toFixed(2)} × as fast (${Math.min(...ratio).toFixed(2)}–${Math.max(...ratio).toFixed(2)})`,
  );
}
await file.close();
await model.close();

const spread = (numbers: readonly number[]) => (Math.max(...numbers) - Math.min(...numbers)) / 2 / median(numbers);
console.log(
  `edits: ${median(speeds.with).toFixed(0)} tokens/s with drafts, ${median(speeds.without).toFixed(0)} without: ${median(ratios.edit).toFixed(2)} ×; new code ${median(ratios.new).toFixed(2)} ×`,
);
console.log(`${model.precision}: a choice fell otherwise ${differing} times in ${positions} tokens`);
if (values.json)
  console.log(
    JSON.stringify({
      name: 'speculation',
      unit: `tokens/s, ${n} at once, edits`,
      ours: median(speeds.with),
      peers: { 'without drafts': median(speeds.without) },
      ratio: { 'without drafts': median(ratios.edit) },
      spread: spread(ratios.edit),
      machine: `${cpus().length} × ${cpus()[0]?.model}, node ${process.version}, load ${loadavg()[0]!.toFixed(1)}`,
    }),
  );
