/**
 * Does a model of one's own code say something? Three claims on projects given by path:
 *
 *     npm run bench -- house --repo PATH --repo PATH --repo PATH [--parts entropy,fixed,lora,holes] [--work DIR] [--json]
 *
 * entropy   later files cost fewer bits under the project's own model than under another project's, all of one size, trained on
 *           equal amounts and with one vocabulary. Hindle et al. 2012, *On the naturalness of software*
 * fixed     lines that a fix later took away cost more bits than other lines of their file: area under the curve, for
 *           bits, bits a token, bits above what lines of that length cost, and length alone. Ray et al. 2016, *On the
 *           "naturalness" of buggy code*
 * lora      adapters on SmolLM2-135M, trained on what was there before, lower the perplexity on later files
 *
 * holes     (with --checkout DIR, of the first project with its dependencies installed, and --hole FILE:NAME=COMMAND …) how
 *           often SmolLM2-135M writes a cut-out body that passes the project's own tests, without and with its adapters
 *
 * Every model and every result is kept in the work folder; the same command goes on where it was stopped.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scoreFile } from '@lathe/house';
import { resolveModel } from '@lathe/makers';
import { ALL_MODULES, type Model, openModel, runLora, runTraining, swiGluWidth, trainBpe } from '@lathe/transformer';
import { type Corpora, corporaOf, sample } from './house/corpora.ts';
import { type Filled, fillHoles, holeOf } from './house/holes.ts';
import { laterFixed } from './house/later-fixed.ts';
import { bootstrap, type Estimate, inWords, pairsWon } from './house/statistics.ts';

const { values } = parseArgs({
  options: {
    repo: { type: 'string', multiple: true },
    parts: { type: 'string', default: 'entropy,fixed,lora' },
    work: {
      type: 'string',
      default: join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lathe/bench-house'),
    },
    threads: { type: 'string', default: '2' },
    checkout: { type: 'string' },
    hole: { type: 'string', multiple: true },
    n: { type: 'string', default: '10' },
    json: { type: 'boolean' },
  },
});
if (values.repo === undefined || values.repo.length < 2) {
  console.error('usage: npm run bench -- house --repo PATH --repo PATH [--repo PATH …] [--parts entropy,fixed,lora]');
  process.exit(2);
}
const parts = new Set(values.parts.split(','));
const threads = Number(values.threads);
const work = values.work;
mkdirSync(work, { recursive: true });
const say = values.json ? console.error : console.log;

/** Bytes each project's small model learns from, bytes of later files it is asked about. */
const LEARNED_BYTES = 300_000;
const ASKED_BYTES = 80_000;
const VOCABULARY = 2048;
const SCRATCH = { nLayer: 4, nHead: 4, nKvHead: 4, nEmbd: 128, nFeedForward: swiGluWidth(128), blockSize: 128 };
const SCRATCH_STEPS = 500;
/** Sequences of 256 tokens a step, one at a time in memory. */
const LORA = { iterations: 12, batchSize: 1, accumulation: 2, blockSize: 256, rate: 2e-3 };
/** Of later files the beginning, of many: a few whole ones would say little about others. */
const LORA_ASKED = { files: 8, characters: 1500 };

const projects: Corpora[] = [];
for (const repo of values.repo) projects.push(await corporaOf(repo, work));
for (const { name, split, learned, heldOut, later } of projects)
  say(
    `${name}: split ${split.date} (${split.commit.slice(0, 10)}), ${learned.length} files to learn from, ${heldOut.length} held out, ${later.length} later`,
  );

const results: Record<string, unknown> = {};
if (parts.has('entropy')) results.entropy = await entropy();
if (parts.has('fixed')) results.fixed = await fixed();
if (parts.has('lora')) results.lora = await lora();
if (parts.has('holes')) results.holes = await holes();

if (values.json) {
  const own = results.entropy as { saved: { value: number; low: number; high: number } } | undefined;
  console.log(
    JSON.stringify({
      name: 'house',
      unit: 'bits a byte saved by the own model',
      ours: own?.saved.value ?? null,
      peers: {},
      ratio: {},
      spread: own ? [own.saved.low, own.saved.high] : null,
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${threads} threads`,
      results,
    }),
  );
}

// PARTS

interface FileBits {
  readonly bits: number;
  readonly bytes: number;
  readonly tokens: number;
}

/** Every project's later files under every project's small model. */
async function entropy() {
  const asked = projects.map(({ later }) => sample(later, ASKED_BYTES));
  const table: FileBits[][][] = [];
  for (const project of projects) {
    const bits = await cached(`entropy-${project.name}`, async () => {
      const model = await openModel(await smallModel(project), { precision: 'f32', threads });
      const scored = await Promise.all(asked.map((files) => bitsOf(model, files)));
      await model.close();
      return scored;
    });
    table.push(bits);
  }
  return reportMatrix('bits a byte of later files, by the model of', table, ({ bits, bytes }) => [bits, bytes]);
}

/** Rows are projects asked about, columns models; the diagonal is the own one. */
function reportMatrix(
  title: string,
  table: readonly (readonly (readonly FileBits[])[])[],
  ratio: (file: FileBits) => readonly [number, number],
) {
  const names = projects.map(({ name }) => name);
  const share = (files: readonly (readonly [number, number])[]) =>
    files.reduce((sum, [top]) => sum + top, 0) / files.reduce((sum, [, bottom]) => sum + bottom, 0);
  say(`\n${title}`);
  const saved: { own: readonly [number, number]; other: readonly [number, number] }[] = [];
  const rows = names.map((name, asked) => {
    const own = table[asked]![asked]!;
    const cells = names.map((_, by) => share(table[by]![asked]!.map(ratio)));
    const differences = names.flatMap((other, by) => {
      if (by === asked) return [];
      const pairs = own.map((file, i) => ({ own: ratio(file), other: ratio(table[by]![asked]![i]!) }));
      saved.push(...pairs);
      const less = bootstrap(
        pairs,
        (groups) => share(groups.map((pair) => pair.other)) - share(groups.map((pair) => pair.own)),
      );
      return [
        {
          other,
          less,
          filesWon: pairs.filter((pair) => pair.own[0] / pair.own[1] < pair.other[0] / pair.other[1]).length,
        },
      ];
    });
    say(`  ${name} (${own.length} files): ${names.map((by, i) => `${by} ${cells[i]!.toFixed(3)}`).join(', ')}`);
    for (const { other, less, filesWon } of differences)
      say(`    own below ${other}'s by ${inWords(less)}, in ${filesWon} of ${own.length} files`);
    return { name, files: own.length, cells, differences };
  });
  const all = bootstrap(
    saved,
    (groups) => share(groups.map((pair) => pair.other)) - share(groups.map((pair) => pair.own)),
  );
  say(`  own below another's, all together: ${inWords(all)}`);
  return { rows, saved: all };
}

/** Lines of the held-out files of the split's tree, under the model that did not see them. */
async function fixed() {
  say('\nlines later fixed against other lines of the same file: area under the curve');
  const MEASURES = ['bits', 'bits a token', 'bits above lines of that length', 'length alone'] as const;
  const groups: { name: string; file: string; won: number[]; pairs: number; fixed: number }[] = [];
  for (const project of projects) {
    const own = await cached(`fixed-${project.name}`, async () => {
      const byPath = new Map(project.heldOut.map((file) => [file.path, file]));
      const lines = laterFixed(project.git, project.split.commit, new Set(byPath.keys()));
      const model = await openModel(await smallModel(project), { precision: 'f32', threads });
      const found: Omit<(typeof groups)[number], 'name'>[] = [];
      for (const [path, numbers] of lines) {
        const file = byPath.get(path)!;
        const source = file.text.split('\n');
        const score = await scoreFile(model, path, file.text);
        // Blank lines and lines of brackets alone are nobody's bug.
        const told = score.lines.filter(({ line, tokens }) => tokens > 0 && /\w/.test(source[line - 1] ?? ''));
        const of = (line: (typeof told)[number]) => [line.bits, line.bits / line.tokens, line.excess, line.tokens];
        const [later, others] = [
          told.filter(({ line }) => numbers.has(line)),
          told.filter(({ line }) => !numbers.has(line)),
        ];
        if (later.length === 0 || others.length === 0) continue;
        const won = MEASURES.map(
          (_, m) =>
            pairsWon(
              later.map((line) => of(line)[m]!),
              others.map((line) => of(line)[m]!),
            ).won,
        );
        found.push({ file: path, won, pairs: later.length * others.length, fixed: later.length });
      }
      await model.close();
      return found;
    });
    groups.push(...own.map((group) => ({ name: project.name, ...group })));
  }
  // Pairs are made within a file alone; a file counts by its fixed lines, so that no long file speaks for all.
  const auc = (measure: number) => (of: readonly (typeof groups)[number][]) =>
    of.reduce((sum, { won, pairs, fixed: lines }) => sum + (lines * won[measure]!) / pairs, 0) /
    of.reduce((sum, { fixed: lines }) => sum + lines, 0);
  const rows = [...projects.map(({ name }) => name), 'all'].map((name) => {
    const of = groups.filter((group) => name === 'all' || group.name === name);
    const measures = MEASURES.map((measure, m) => ({ measure, ...bootstrap(of, auc(m)) }));
    const count = of.reduce((sum, { fixed: lines }) => sum + lines, 0);
    say(
      `  ${name}: ${count} lines in ${of.length} files; ${measures.map((each) => `${each.measure} ${inWords(each)}`).join('; ')}`,
    );
    return { name, lines: count, files: of.length, measures };
  });
  return rows;
}

/** Every project's later files under SmolLM2-135M, without and with adapters trained on what the project had before. */
async function lora() {
  const asked = projects.map(({ later }) =>
    sample(later, Number.POSITIVE_INFINITY)
      .filter(({ text }) => text.length >= LORA_ASKED.characters / 2)
      .slice(0, LORA_ASKED.files)
      .map(({ path, text }) => ({ path, text: text.slice(0, LORA_ASKED.characters) })),
  );
  const base = await resolveModel('smollm2-135m');
  const score = async (path: string, of: readonly (readonly { path: string; text: string }[])[]) => {
    const model = await openModel(path, { precision: 'f32', threads, contextSize: 512 });
    const scored: FileBits[][] = [];
    for (const files of of) scored.push(await bitsOf(model, files));
    await model.close();
    return scored;
  };
  const before = await cached('lora-base', () => score(base, asked));
  say('\nperplexity a token of later files under SmolLM2-135M, before and after adapters');
  const rows: { name: string; files: number; before: number; after: number; ratio: Estimate }[] = [];
  for (const [i, project] of projects.entries()) {
    const [after] = await cached(`lora-${project.name}`, async () => score(await adapted(project, base), [asked[i]!]));
    const files = before[i]!.map((file, k) => ({ before: file, after: after![k]! }));
    const mean = (which: 'before' | 'after') => (of: readonly (typeof files)[number][]) =>
      of.reduce((sum, each) => sum + each[which].bits, 0) / of.reduce((sum, each) => sum + each[which].tokens, 0);
    const [was, is] = [2 ** mean('before')(files), 2 ** mean('after')(files)];
    const ratio = bootstrap(files, (of) => 2 ** (mean('after')(of) - mean('before')(of)));
    say(
      `  ${project.name} (${files.length} files): ${was.toFixed(2)} before, ${is.toFixed(2)} after, ratio ${inWords(ratio)}`,
    );
    rows.push({ name: project.name, files: files.length, before: was, after: is, ratio });
  }
  return rows;
}

/** Bodies of the first project's functions, by the base and by its adapters of that project. */
async function holes() {
  if (values.checkout === undefined || values.hole === undefined)
    throw new Error('the part holes needs --checkout DIR and at least one --hole FILE:NAME=COMMAND');
  const wanted = values.hole.map(holeOf);
  const n = Number(values.n);
  const project = projects[0]!;
  const base = await resolveModel('smollm2-135m');
  const rows: { model: string; filled: Filled[]; rate: Estimate }[] = [];
  for (const [name, path] of [
    ['SmolLM2-135M', base],
    [`with adapters of ${project.name}`, await adapted(project, base)],
  ] as const) {
    const filled = await cached(`holes-${rows.length}`, () => fillHoles(values.checkout!, wanted, path, n, threads));
    // Answers to one function stand or fall together: functions are resampled.
    const rate = bootstrap(
      filled,
      (of) => of.reduce((sum, { passed }) => sum + passed, 0) / of.reduce((sum, { made }) => sum + made, 0),
    );
    rows.push({ model: name, filled, rate });
  }
  say(`\nholes of ${project.name}, ${n} answers each`);
  for (const { model, filled, rate } of rows)
    say(
      `  ${model}: passed ${inWords(rate)}; ${filled.map(({ hole, passed, made }) => `${hole} ${passed}/${made}`).join(', ')}`,
    );
  const pairs = wanted.map((_, i) => rows.map(({ filled }) => filled[i]!.passed / filled[i]!.made));
  const gain = bootstrap(
    pairs,
    (of) => of.reduce((sum, [without, withThem]) => sum + withThem! - without!, 0) / of.length,
  );
  say(`  gain ${inWords(gain)}`);
  return { rows, gain };
}

// MODELS

async function bitsOf(model: Model, files: readonly { path: string; text: string }[]): Promise<FileBits[]> {
  const scored: FileBits[] = [];
  for (const { path, text } of files) {
    const { bitsPerByte, tokens } = await scoreFile(model, path, text);
    const bytes = Buffer.byteLength(text);
    scored.push({ bits: bitsPerByte * bytes, bytes, tokens });
  }
  return scored;
}

/** A project's model from scratch: one vocabulary, size, amount of text and number of steps for all. */
async function smallModel({ name, learned }: Corpora): Promise<string> {
  const directory = join(work, name, 'model');
  const done = join(directory, 'model.gguf');
  if (existsSync(done)) return done;
  mkdirSync(directory, { recursive: true });
  const vocabulary = await cached('vocabulary', async () =>
    trainBpe(
      projects.flatMap((project) => sample(project.learned, LEARNED_BYTES).map(({ text }) => text)),
      VOCABULARY,
    ),
  );
  writeFileSync(join(directory, 'vocabulary.json'), JSON.stringify(vocabulary));
  const texts = sample(learned, LEARNED_BYTES).map(({ text }) => text);
  const { model } = await runTraining(
    { train: texts, validation: texts.slice(-Math.ceil(texts.length / 10)) },
    {
      ...loop(directory, SCRATCH_STEPS, 1e-3, name),
      batchSize: 16,
      accumulation: 1,
      vocabSize: VOCABULARY,
      config: { preset: 'llama', ...SCRATCH, dropout: 0, labelSmoothing: 0 },
    },
  );
  return model!;
}

async function adapted({ name, learned }: Corpora, base: string): Promise<string> {
  const directory = join(work, name, 'adapted');
  const done = join(directory, 'model.gguf');
  if (existsSync(done)) return done;
  const texts = sample(learned, LEARNED_BYTES).map(({ text }) => text);
  const { model } = await runLora(
    { train: texts, validation: texts.slice(-Math.ceil(texts.length / 10)) },
    {
      ...loop(directory, LORA.iterations, LORA.rate, name),
      ...LORA,
      base,
      lora: { rank: 8, alpha: 16, modules: ALL_MODULES, dropout: 0 },
      type: 'F16',
    },
  );
  return model!;
}

function loop(directory: string, iterations: number, rate: number, name: string) {
  return {
    optimiser: { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 } as const,
    schedule: { kind: 'cosine', peak: rate, floor: rate / 10, warmup: Math.ceil(iterations / 20), iterations } as const,
    clip: 1,
    seed: 1,
    threads,
    iterations,
    // The last state is what is asked, not the best on files it has seen.
    validateEvery: iterations,
    validationBatches: 1,
    patience: 0,
    directory,
    onEvent: (event: { type: string; step?: number; loss?: number; tokensPerSecond?: number }) => {
      if (event.type === 'step' && event.step! % Math.max(1, Math.round(iterations / 6)) === 0)
        console.error(
          `${name} ${event.step}/${iterations}: ${event.loss!.toFixed(3)} nats a token, ${Math.round(event.tokensPerSecond!)} tokens/s`,
        );
    },
  };
}

async function cached<T>(name: string, make: () => Promise<T>): Promise<T> {
  const path = join(work, `${name}.json`);
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as T;
  const made = await make();
  writeFileSync(`${path}.part`, JSON.stringify(made));
  renameSync(`${path}.part`, path);
  return made;
}
