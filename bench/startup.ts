/**
 * How long `lathe --help` and `lathe list` take to answer, beside a Node that does nothing. All run in turn, so that
 * what else the machine does falls on each alike.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openRunStore } from '../packages/ledger/src/index.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, runs: { type: 'string', default: '21' } } });

const lathe = join(import.meta.dirname, '../packages/cli/bin/lathe.js');
const repository = mkdtempSync(join(tmpdir(), 'lathe-startup-'));
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], { cwd: repository });
git('init', '-q');
git('commit', '-q', '--allow-empty', '-m', 'First');
await recordRuns(50);

const commands: Record<string, string[]> = {
  'lathe --help': [lathe, '--help'],
  'lathe list': [lathe, 'list', '--json'],
  'node -e 0': ['-e', '0'],
};

function timeMs(args: string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: repository, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return performance.now() - started;
}

const times = Object.fromEntries(Object.keys(commands).map((name) => [name, [] as number[]]));
const warmUps = 2;
for (let run = -warmUps; run < Number(values.runs); run++) {
  for (const [name, args] of Object.entries(commands)) {
    const ms = timeMs(args);
    if (run >= 0) times[name]!.push(ms);
  }
}
rmSync(repository, { recursive: true });

/** A record such as weeks of use leave. */
async function recordRuns(count: number): Promise<void> {
  const store = await openRunStore(join(repository, '.git/lathe/ledger.sqlite'));
  for (let i = 0; i < count; i++) {
    await store.append(`run${i}`, {
      type: 'run-started',
      atMs: i,
      task: { kind: 'instruction', instruction: `task ${i}`, files: [], checks: ['true'], allow: [] },
      options: {
        n: 10,
        models: ['local:smollm2-135m'],
        temperature: null,
        seed: 1,
        maxCostUsd: null,
        maxSeconds: null,
        concurrency: 2,
        keep: 'none',
        unsafeNoSandbox: false,
      },
      baseCommit: 'b',
      headCommit: 'b',
      uncommitted: [],
      isolation: 'none',
      repository,
    });
    await store.append(`run${i}`, { type: 'ranked', atMs: i, ranking: [], best: null });
  }
  await store.close();
}

/** The `q` quantile of a list, by the nearest rank. */
function quantile(list: readonly number[], q: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}

const round = (value: number, digits = 1) => Number(value.toFixed(digits));
const medians = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, round(quantile(list, 0.5))]));
const spread = Object.fromEntries(
  Object.entries(times).map(([name, list]) => [name, [round(quantile(list, 0.1)), round(quantile(list, 0.9))]]),
);
for (const [name, median] of Object.entries(medians)) {
  console.log(`${name.padEnd(14)} median ${median} ms, 10 % to 90 %: ${spread[name]!.join(' to ')} ms`);
}
console.log(`limit 200 ms: ${medians['lathe --help']! < 200 && medians['lathe list']! < 200 ? 'kept' : 'exceeded'}`);
if (values.json === true) {
  const ours = medians['lathe list']!;
  const peers = { 'lathe --help': medians['lathe --help']!, 'node -e 0': medians['node -e 0']! };
  console.log(
    JSON.stringify({
      name: 'startup',
      unit: 'ms',
      ours,
      peers,
      ratio: Object.fromEntries(Object.entries(peers).map(([name, value]) => [name, round(ours / value, 2)])),
      spread,
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores, Node ${process.version}`,
    }),
  );
}
