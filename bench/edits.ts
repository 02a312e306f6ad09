/**
 * How many answers of a local model to an instruction are edits that can be applied, with the grammar of an answer and
 * without it, from the same seeds in one batch each. Nothing a model wrote is run.
 *
 *   npm run bench -- edits [--model FILE] [--seeds N] [--max-tokens T] [--json]
 */
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { prepareTask } from '@lathe/makers';
import type { Task, Tree } from '@lathe/protocol';
import { encodeChat, openGguf, openModel } from '@lathe/transformer';

const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const { values } = parseArgs({
  options: {
    model: {
      type: 'string',
      default: join(cache, 'lathe/models/qwen2.5-coder-0.5b/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf'),
    },
    seeds: { type: 'string', default: '20' },
    'max-tokens': { type: 'string', default: '800' },
    json: { type: 'boolean', default: false },
  },
});
if (!existsSync(values.model)) {
  console.error(`there is no model at ${values.model}: npx lathe models pull qwen2.5-coder-0.5b, or --model FILE.gguf`);
  process.exit(2);
}

const BODIES: Record<string, string> = {
  largest:
    'let best = numbers[0];\n  for (const number of numbers) {\n    if (number > best) best = number;\n  }\n  return best;',
  sum: 'let total = 0;\n  for (const number of numbers) total += number;\n  return total;',
  smallest: 'return Math.min(...numbers);',
  product: 'let total = 1;\n  for (const number of numbers) total *= number;\n  return total;',
  mean: 'return sum(numbers) / numbers.length;',
  sorted: 'return [...numbers].sort((a, b) => a - b);',
  unique: 'return [...new Set(numbers)];',
  positive: 'return numbers.filter((number) => number > 0);',
  differences: 'return numbers.slice(1).map((number, i) => number - numbers[i]);',
  runningSums: 'let total = 0;\n  return numbers.map((number) => {\n    total += number;\n    return total;\n  });',
  counts:
    'const found = new Map();\n  for (const number of numbers) {\n    found.set(number, (found.get(number) ?? 0) + 1);\n  }\n  return found;',
};
const file = (names: readonly string[]) =>
  names
    .map((name) => `/** ${name} of a list. */\nexport function ${name}(numbers) {\n  ${BODIES[name]}\n}\n`)
    .join('\n');
const FILES: Record<string, string> = {
  'src/lists.js': file(Object.keys(BODIES)),
  'src/pair.js': file(['largest', 'sum']),
};
const tree: Tree = {
  list: async () => Object.keys(FILES),
  read: async (path) => (FILES[path] === undefined ? null : new TextEncoder().encode(FILES[path])),
};
const INSTRUCTION = 'Make largest return null for an empty list.';
const TASKS: Record<string, readonly string[]> = {
  'one file, long': ['src/lists.js'],
  'one file, short': ['src/pair.js'],
  'none named': [],
};

const gguf = await openGguf(values.model);
const model = await openModel(gguf);
const seeds = Number(values.seeds);
const invalid: Record<string, Record<string, number>> = {};
for (const [name, files] of Object.entries(TASKS)) {
  invalid[name] = {};
  for (const withGrammar of [false, true]) {
    const task: Task = { kind: 'instruction', instruction: INSTRUCTION, files: [...files], checks: [], allow: [] };
    const prepared = await prepareTask(task, tree, {
      contextTokens: 4000,
      countTokens: (text) => model.tokenizer.encode(text).length,
      wholeFiles: true,
      withGrammar,
    });
    const style = prepared.prefill === undefined ? 'chat' : 'prefilled';
    const turn = await encodeChat(gguf, model.tokenizer, prepared.messages);
    const { rows, timings } = await model.generate({
      prompt: style === 'chat' ? turn : [...turn, ...model.tokenizer.encode(prepared.prefill!)],
      n: seeds,
      seed: 1,
      temperature: 0.7,
      maxTokens: Number(values['max-tokens']),
      stop: style === 'chat' ? prepared.stop : prepared.continuationStop,
      grammar: prepared.grammar ?? null,
    });
    let count = 0;
    for (const { text, finish } of rows)
      if ('invalid' in (await prepared.toEdits(text, style, finish === 'length'))) count++;
    const side = withGrammar ? 'with' : 'without';
    invalid[name][side] = count / seeds;
    const tokens = rows.reduce((sum, row) => sum + row.tokens.length, 0);
    console.log(
      `${name.padEnd(16)} ${side.padEnd(8)} ${count} of ${seeds} invalid, ${tokens} tokens in ${(timings.decodeMs / 1000).toFixed(1)} s`,
    );
  }
}
await model.close();
await gguf.close();

if (values.json) {
  const mean = (side: string) =>
    Object.values(invalid).reduce((sum, one) => sum + one[side]!, 0) / Object.keys(TASKS).length;
  const [ours, without] = [mean('with'), mean('without')];
  console.log(
    JSON.stringify({
      name: 'edits',
      unit: 'share of invalid answers',
      ours,
      peers: { 'without a grammar': without },
      ratio: { 'without a grammar': without === 0 ? null : ours / without },
      spread: invalid,
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores, Node ${process.version}`,
    }),
  );
}
