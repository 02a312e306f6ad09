/**
 * What a candidate costs beyond its check: recording it (git commit, ref, stored events), its copy of a repository with
 * 200 MB of node_modules, the sandbox around the check, and taking the copy away. Beside it the same check run bare in
 * the checkout, and in a git worktree with its node_modules copied, which is what a script would do. All three take turns.
 *
 *     npm run bench -- overhead [--json] [--rounds 3] [--candidates 10]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openRunStore } from '@lathe/ledger';
import type { Event } from '@lathe/protocol';
import { ignoredFiles, openRepository } from '@lathe/repository';
import { createWorkDirectory, createWorkspaceSource, DEFAULT_LIMITS, removeWorkDirectory } from '@lathe/sandbox';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    rounds: { type: 'string', default: '3' },
    candidates: { type: 'string', default: '10' },
  },
});
const rounds = Number(values.rounds);
const candidates = Number(values.candidates);
const LIMIT_MS = 100;
const PACKAGES = 200;
const FILES_EACH = 100;
const FILE_BYTES = 10_000;
const CHECK = 'node check.js';

const root = mkdtempSync(join(tmpdir(), 'lathe-overhead-'));
const checkout = join(root, 'checkout');
try {
  makeCheckout();
  await measure();
} finally {
  rmSync(root, { recursive: true, force: true });
}

function git(...args: string[]): void {
  const identity = ['-c', 'user.name=bench', '-c', 'user.email=bench@example.org'];
  execFileSync('git', [...identity, ...args], { cwd: checkout, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** 500 committed files, a check that loads one file of every tenth package, and 20,000 files of dependencies. */
function makeCheckout(): void {
  for (let i = 0; i < 500; i++) {
    mkdirSync(join(checkout, `src/${i % 20}`), { recursive: true });
    writeFileSync(join(checkout, `src/${i % 20}/${i}.js`), `module.exports = ${i};\n`.repeat(40));
  }
  writeFileSync(join(checkout, '.gitignore'), 'node_modules/\n');
  writeFileSync(
    join(checkout, 'check.js'),
    `for (let i = 0; i < ${PACKAGES}; i += 10) if (require(\`p\${i}\`) !== 0) process.exit(1);
if (require('./src/0/0.js') !== 0) process.exit(1);\n`,
  );
  const text = Buffer.alloc(FILE_BYTES, `// ${'x'.repeat(96)}\n`);
  for (let i = 0; i < PACKAGES; i++) {
    const directory = join(checkout, `node_modules/p${i}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'index.js'), Buffer.concat([Buffer.from('module.exports = 0;\n'), text]));
    for (let j = 1; j < FILES_EACH; j++) writeFileSync(join(directory, `${j}.js`), text);
  }
  git('init', '-q');
  git('add', '-A');
  git('commit', '-q', '-m', 'Base');
}

interface Times {
  [stage: string]: number[];
}

async function measure(): Promise<void> {
  const repository = await openRepository(checkout);
  const store = await openRunStore(join(root, 'ledger.sqlite'));
  const work = join(root, 'work');
  const { baseCommit } = await repository.snapshotBase('bench');
  const preparedMs = performance.now();
  await createWorkDirectory(work);
  await repository.exportTree(baseCommit, join(work, 'base'));
  const source = await createWorkspaceSource({
    baseDirectory: join(work, 'base'),
    checkoutDirectory: checkout,
    workDirectory: work,
    ignoredFiles: () => ignoredFiles(repository.location),
  });
  const onceMs = performance.now() - preparedMs;

  const times: Times = { bare: [], record: [], copy: [], sandboxed: [], removal: [], overhead: [], worktree: [] };
  const timed = async <T>(stage: string, action: () => T | Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    const result = await action();
    times[stage]!.push(performance.now() - startedMs);
    return result;
  };

  let index = 0;
  const candidate = async (): Promise<number> => {
    index += 1;
    const startedMs = performance.now();
    const content = Buffer.from(`module.exports = 0; // ${index}\n`);
    const edits = [{ path: 'src/0/0.js', content, mode: '100644' as const }];
    await timed('record', async () => {
      const request = { runId: 'bench', index, baseCommit, edits, message: `candidate ${index}` };
      const { recorded } = await repository.recordCandidate(request);
      if (recorded === null) throw new Error('internal: nothing was recorded');
      for (const event of eventsOf(index, recorded.ref, recorded.commit)) await store.append('bench', event);
    });
    const workspace = await timed('copy', async () => {
      const opened = await source.open(`c${index}`);
      await opened.write(edits);
      return opened;
    });
    const result = await timed('sandboxed', () => workspace.run(CHECK, { limits: DEFAULT_LIMITS }));
    if (result.exitCode !== 0) throw new Error(`the check failed in the sandbox: ${result.outputTail}`);
    await timed('removal', () => workspace.close());
    return performance.now() - startedMs;
  };
  const bare = (): void => {
    const { status } = spawnSync('sh', ['-c', CHECK], { cwd: checkout });
    if (status !== 0) throw new Error(`the bare check ended with ${status}`);
  };
  const worktree = (): void => {
    const tree = join(root, 'worktree');
    git('worktree', 'add', '-q', '--detach', tree);
    cpSync(join(checkout, 'node_modules'), join(tree, 'node_modules'), { recursive: true });
    spawnSync('sh', ['-c', CHECK], { cwd: tree });
    git('worktree', 'remove', '--force', tree);
  };

  await candidate();
  bare();
  for (const stage of Object.values(times)) stage.length = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < candidates; i++) {
      await timed('bare', bare);
      times.overhead!.push((await candidate()) - times.bare!.at(-1)!);
    }
    const bareMs = median(times.bare!);
    await timed('worktree', worktree);
    times.worktree!.push(times.worktree!.pop()! - bareMs);
  }
  await source.close();
  await removeWorkDirectory(work);
  await store.close();
  repository.close();
  report(source.isolation, onceMs, times);
}

/** The events that a run stores for a candidate with one check. */
function eventsOf(index: number, ref: string, commit: string): Event[] {
  const atMs = Date.now();
  const check = { command: CHECK, status: 'passed' as const, exitCode: 0, durationMs: 1 };
  return [
    {
      type: 'candidate-made',
      atMs,
      index,
      model: 'bench',
      seed: index,
      outcome: 'made',
      reason: null,
      answer: 'x'.repeat(1_000),
      tokens: { prompt: 512, completion: 128 },
      costUsd: 0,
      durationMs: 1,
      meanLogProbability: null,
    },
    {
      type: 'candidate-recorded',
      atMs,
      index,
      ref,
      commit,
      diff: { files: 1, added: 1, deleted: 40 },
      reverted: [],
      fingerprint: commit,
    },
    { type: 'check-finished', atMs, index, check },
    { type: 'candidate-finished', atMs, index, status: 'passed', reason: null, sameAs: null, durationMs: 1 },
  ];
}

function report(isolation: string, onceMs: number, times: Times): void {
  const { bare, record, copy, sandboxed, removal, overhead, worktree } = times as Record<string, number[]>;
  const row = (what: string, list: readonly number[]): void => {
    const [low, middle, high] = [0.1, 0.5, 0.9].map((q) => quantile(list, q).toFixed(1).padStart(7));
    console.log(`${what.padEnd(46)} ${middle} ms   (10 % to 90 %: ${low} to ${high})`);
  };
  console.log(
    `${PACKAGES * FILES_EACH} files, ${(PACKAGES * FILES_EACH * FILE_BYTES) / 1e6} MB of node_modules; ${isolation}`,
  );
  console.log(`once a run: export of the base and preparation   ${onceMs.toFixed(0)} ms`);
  row('the check, bare, in the checkout', bare!);
  row('a candidate: commit, ref and four events', record!);
  row('  copy, and its edit written', copy!);
  row('  the check in the sandbox', sandboxed!);
  row('  removal of the copy', removal!);
  row('a candidate beyond its bare check', overhead!);
  row('git worktree and copied node_modules, likewise', worktree!);
  const ours = median(overhead!);
  console.log(`limit ${LIMIT_MS} ms a candidate: ${ours <= LIMIT_MS ? 'kept' : 'exceeded'}`);
  if (values.json !== true) return;
  const peers = { 'git worktree + copied node_modules': round(median(worktree!)) };
  console.log(
    JSON.stringify({
      name: 'overhead',
      unit: 'ms a candidate beyond the bare check',
      ours: round(ours),
      peers,
      ratio: Object.fromEntries(Object.entries(peers).map(([name, ms]) => [name, round(ours / ms, 4)])),
      spread: { ours: [round(quantile(overhead!, 0.1)), round(quantile(overhead!, 0.9))] },
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores, Node ${process.version}`,
    }),
  );
}

function median(list: readonly number[]): number {
  return quantile(list, 0.5);
}

/** The `q` quantile of a list, by the nearest rank. */
function quantile(list: readonly number[], q: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
