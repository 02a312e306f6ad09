/**
 * What the gate costs a candidate: this repository as base, one file of it changed. First inspection (processes start,
 * libraries are imported, the base is read and its lines are indexed), then warm ones. With `--cache` the same for what is
 * kept between runs: a gate's first inspection and a scan of the whole tree, without and with what an earlier run kept.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createGate, createScannerPool, defaultGateConfig, openGateCache, scanTree, treeOfPath } from '@lathe/gates';
import type { Tree } from '@lathe/protocol';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    runs: { type: 'string', default: '15' },
    cache: { type: 'boolean', default: false },
  },
});

const root = join(import.meta.dirname, '..');
const onDisk = await treeOfPath(join(root, 'packages'));
const contents = new Map<string, Uint8Array>();
for (const path of await onDisk.list()) {
  const content = await onDisk.read(path);
  if (content) contents.set(path, content);
}
const ids = new Map([...contents].map(([path, content]) => [path, createHash('sha256').update(content).digest('hex')]));
const base: Tree = {
  list: async () => [...contents.keys()].sort(),
  read: async (path) => contents.get(path) ?? null,
  id: async (path) => ids.get(path) ?? null,
};
const lines = [...contents.values()].reduce(
  (sum, content) => sum + Buffer.from(content).toString('utf8').split('\n').length,
  0,
);

const path = 'protocol/src/problem.ts';
const old = Buffer.from(contents.get(path)!).toString('utf8');
const gate = createGate();
const inspect = async (run: number, by = gate): Promise<number> => {
  const content = Buffer.from(`${old}\nexport const run${run} = (text: string): unknown => eval(text + ${run});\n`);
  const candidate: Tree = { list: base.list, read: async (one) => (one === path ? content : base.read(one)) };
  const started = performance.now();
  const { findings } = await by.inspect({
    base,
    candidate,
    edits: [{ path, content, mode: '100644' }],
    signal: new AbortController().signal,
  });
  if (!findings.some(({ rule }) => rule === 'lathe/code-from-data')) throw new Error('the gate missed what was put in');
  return performance.now() - started;
};
const first = await inspect(0);
const times: number[] = [];
for (let run = 1; run <= Number(values.runs); run++) times.push(await inspect(run));
await gate.close();

let kept: { gateMs: number[]; scanMs: number[] } | null = null;
if (values.cache) {
  const directory = mkdtempSync(join(tmpdir(), 'lathe-gate-cache-'));
  const gateMs: number[] = [];
  const scanMs: number[] = [];
  for (let run = 0; run < 2; run++) {
    const own = createGate({ cache: { directory, scope: 'gate' } });
    gateMs.push(Math.round(await inspect(0, own)));
    await own.close();
    const cache = await openGateCache({ directory, scope: 'scan' });
    const pool = createScannerPool(defaultGateConfig.workers);
    const config = { ...defaultGateConfig, scanTimeoutMs: 120_000 };
    const started = performance.now();
    await scanTree(base, { config, pool, cache });
    await cache.save();
    scanMs.push(Math.round(performance.now() - started));
    await pool.close();
  }
  rmSync(directory, { recursive: true });
  kept = { gateMs, scanMs };
}

times.sort((a, b) => a - b);
const at = (q: number): number => Math.round(times[Math.min(times.length - 1, Math.floor(q * times.length))]!);
const print = values.json ? console.error : console.log;
print(`${contents.size} files, ${lines} lines as base; one file of ${old.split('\n').length} lines changed`);
print(
  `first inspection ${Math.round(first)} ms; warm: median ${at(0.5)} ms, ${at(0.05)}–${at(0.95)} ms over ${times.length} runs`,
);
if (kept) {
  print(`a gate's first inspection: ${kept.gateMs[0]} ms, with what a run before kept ${kept.gateMs[1]} ms`);
  print(`scan of the whole tree: ${kept.scanMs[0]} ms, with what a run before kept ${kept.scanMs[1]} ms`);
}
if (values.json) {
  console.log(
    JSON.stringify({
      name: 'gate',
      unit: 'ms a candidate, warm',
      ours: at(0.5),
      peers: {},
      ratio: {},
      spread: [at(0.05), at(0.95)],
      firstMs: Math.round(first),
      kept,
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} threads, Node ${process.version}`,
    }),
  );
}
