/**
 * `npm run demo`: four functions without a body, of rising difficulty, in a repository of their own. For each, Lathe
 * makes ten candidates with the smallest model that runs inside it, checks them, and keeps the best. Beside it the same
 * is done with one candidate, for the time. Nothing here is prepared: what passes, passes.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pc from 'picocolors';
import { formatDuration } from '../packages/cli/src/format.ts';
import { drawTable } from '../packages/cli/src/table.ts';
import { RunDocument } from '../packages/protocol/src/index.ts';

const MODEL = 'smollm2-135m';
const SEED = '1';
const root = join(import.meta.dirname, '..');
const lathe = join(root, 'packages/cli/bin/lathe.js');
const colors = pc.createColors(process.stdout.isTTY === true && !process.env.NO_COLOR);

interface Hole {
  readonly at: string;
  readonly check: string;
}

/** Easiest first. */
const HOLES: readonly Hole[] = [
  { at: 'src/lists.js:largest', check: 'node --test test/largest.test.js' },
  { at: 'src/text.js:isPalindrome', check: 'node --test test/palindrome.test.js' },
  { at: 'src/numbers.js:factorial', check: 'node --test test/factorial.test.js' },
  { at: 'src/dates.js:isLeapYear', check: 'node --test test/leap-year.test.js' },
];

interface Outcome {
  readonly hole: Hole;
  readonly ten: RunDocument;
  readonly tenMs: number;
  readonly one: RunDocument;
  readonly oneMs: number;
}

execFileSync('sh', [join(root, 'scripts/ensure-system.sh'), '--require'], { stdio: ['ignore', 'inherit', 'inherit'] });
const repository = mkdtempSync(join(tmpdir(), 'lathe-demo-'));
try {
  copyExample();
  // Fetched and read once before anything is timed.
  readFileSync(JSON.parse(await run(['models', 'pull', MODEL, '--json'], { quiet: false })).path);
  const outcomes: Outcome[] = [];
  for (const [i, hole] of HOLES.entries()) {
    console.log(colors.bold(`\n${i + 1} of ${HOLES.length}: ${hole.at}`));
    const one = await make(hole, ['-n', '1'], { quiet: true });
    const ten = await make(hole, ['-n', '10', '--keep', 'best'], { quiet: false });
    outcomes.push({ hole, ten: ten.document, tenMs: ten.ms, one: one.document, oneMs: one.ms });
    // So that the next function starts from a clean checkout.
    if (ten.document.kept !== null) git('commit', '-qam', `Keep ${ten.document.kept} for ${hole.at}`);
  }
  console.log(`\n${table(outcomes).join('\n')}`);
  const passed = outcomes.filter(({ ten }) => ten.best !== null).length;
  console.log(`\n${summary(outcomes, passed)}`);
  process.exitCode = passed === 0 ? 1 : 0;
  if (process.stdout.isTTY)
    console.log(`\nThe repository and its runs, to look around in: cd ${repository} && node ${lathe} list`);
} finally {
  // Nobody looks around where nobody watched.
  if (!process.stdout.isTTY) rmSync(repository, { recursive: true, force: true });
}

/** The example as a repository of its own, with one commit. */
function copyExample(): void {
  cpSync(join(root, 'examples/small-tasks'), repository, { recursive: true });
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'Four functions to be written');
}

function git(...args: string[]): void {
  const identity = ['-c', 'user.name=Demo', '-c', 'user.email=demo@example.org', '-c', 'commit.gpgsign=false'];
  execFileSync('git', [...identity, ...args], { cwd: repository, stdio: ['ignore', 'ignore', 'inherit'] });
}

async function make(
  hole: Hole,
  options: string[],
  { quiet }: { quiet: boolean },
): Promise<{ document: RunDocument; ms: number }> {
  const started = performance.now();
  const task = ['--at', hole.at, '--check', hole.check, '--model', `local:${MODEL}`, '--seed', SEED];
  const stdout = await run(['make', ...task, ...options, '--json'], { quiet });
  return { document: RunDocument.parse(JSON.parse(stdout)), ms: performance.now() - started };
}

/** Runs lathe; its stdout. What it shows goes to the terminal unless `quiet`. Ends the demo where lathe met an error. */
function run(args: string[], { quiet }: { quiet: boolean }): Promise<string> {
  const child = spawn(process.execPath, [lathe, ...args], {
    cwd: repository,
    stdio: ['ignore', 'pipe', quiet ? 'pipe' : 'inherit'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      // 10: none passed, which is an answer and not an error.
      if (status === 0 || status === 10) resolve(stdout);
      else {
        process.stderr.write(stderr);
        console.error(`the demo stopped: lathe ${args.join(' ')} ended with ${status}`);
        rmSync(repository, { recursive: true, force: true });
        process.exit(status ?? 1);
      }
    });
  });
}

function table(outcomes: readonly Outcome[]): string[] {
  const [header = '', ...lines] = drawTable(
    [
      { header: 'function' },
      { header: 'passed', align: 'right' },
      { header: 'distinct', align: 'right' },
      { header: 'kept' },
      { header: 'ten', align: 'right' },
      { header: 'one', align: 'right' },
      { header: 'ratio', align: 'right' },
    ],
    outcomes.map(({ hole, ten, tenMs, oneMs }) => [
      hole.at,
      `${ten.statistics.passed} of ${ten.candidates.length}`,
      String(ten.statistics.distinct),
      ten.kept ?? 'none',
      formatDuration(tenMs),
      formatDuration(oneMs),
      `${(tenMs / oneMs).toFixed(1)} ×`,
    ]),
    { width: process.stdout.columns || 100, colors },
  );
  const why = ({ ten }: Outcome) =>
    ten.kept === null ? 'none of ten passed' : (ten.ranking[0]?.reasons.join(', ') ?? '');
  return [header, ...lines.flatMap((line, i) => [line, colors.dim(`    ${why(outcomes[i]!)}`)])];
}

function summary(outcomes: readonly Outcome[], passed: number): string {
  const ratio = median(outcomes.map(({ tenMs, oneMs }) => tenMs / oneMs));
  const firstTry = outcomes.filter(({ one }) => one.best !== null).length;
  return [
    `Of ${outcomes.length} functions, ten candidates solved ${passed} and one candidate alone ${firstTry}.`,
    `Times are of whole commands, from start to ranking, with the model loaded each time; ten took ${ratio.toFixed(1)} × one (median).`,
    `The model was local:${MODEL}, the smallest there is here. A stronger one: lathe models list`,
  ].join('\n');
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
