/**
 * The audit of a history: how long it takes beside the bare `git log -p` that feeds it, how much memory, how long a
 * second run takes, and on how many lines of HEAD it agrees with `git blame -w`.
 *
 *     npm run bench -- audit PATH... [--json] [--rounds 3] [--blame-files 200]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { auditRepository, type FollowedHistory, feedArguments, keepYoungGenerationSmall } from '@lathe/history';
import { median } from './median.ts';

const self = fileURLToPath(import.meta.url);

interface Measured {
  readonly ms: number;
  readonly peakMemoryBytes: number;
  readonly commitsRead: number;
}

/** One audit in a process of its own, so that its peak memory is its own. */
function auditOnce(directory: string, cache: string): Measured {
  const out = execFileSync(process.execPath, [self, '--child', directory, cache], { encoding: 'utf8' });
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Measured;
}

function gitOnce(directory: string): number {
  const start = performance.now();
  const run = spawnSync('git', ['-C', directory, ...feedArguments('HEAD', 'all')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (run.status !== 0) throw new Error(`git log failed in ${directory}`);
  return performance.now() - start;
}

/** Lines of evenly chosen files at HEAD, and how many of them git blame gives to the same commit. */
function agreementWithBlame(
  directory: string,
  history: FollowedHistory,
  mostFiles: number,
): { lines: number; agreed: number } {
  const files = [...history.tree]
    .filter(([, file]) => file.lines !== null && file.lines.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const step = Math.max(1, Math.floor(files.length / mostFiles));
  let lines = 0;
  let agreed = 0;
  for (let i = 0; i < files.length; i += step) {
    const [path, file] = files[i];
    const blamed = execFileSync(
      'git',
      ['-C', directory, 'blame', '-w', '-s', '-l', '--root', 'HEAD', '--', Buffer.from(path, 'latin1').toString()],
      {
        encoding: 'latin1',
        maxBuffer: 1 << 28,
      },
    );
    blamed
      .split('\n')
      .filter((line) => line !== '')
      .forEach((line, at) => {
        lines++;
        // A boundary commit is written with a caret and one digit less.
        const id = line.split(' ')[0].replace(/^\^/, '');
        const record = file.lines?.[at];
        if (record !== undefined && history.commits[history.table.born[record]].id.startsWith(id)) agreed++;
      });
  }
  return { lines, agreed };
}

async function child(directory: string, cache: string): Promise<void> {
  keepYoungGenerationSmall(); // as `lathe audit` does
  const start = performance.now();
  const { commitsRead } = await auditRepository({ directory, cacheDirectory: cache, nowMs: Date.now() });
  const measured: Measured = {
    ms: performance.now() - start,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    commitsRead,
  };
  console.log(JSON.stringify(measured));
}

export async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      'blame-files': { type: 'string', default: '200' },
    },
  });
  const directories = positionals.length > 0 ? positionals : ['.'];
  const ratios: number[] = [];
  let ours = 0;
  let theirs = 0;
  console.log('repository            commits   git log   audit   ratio   peak memory   second run   blame agrees');
  for (const directory of directories) {
    const cache = mkdtempSync(join(tmpdir(), 'lathe-bench-audit-'));
    try {
      const pairs: { git: number; audit: Measured }[] = [];
      for (let round = 0; round < Number(values.rounds); round++) {
        rmSync(cache, { recursive: true, force: true });
        pairs.push({ git: gitOnce(directory), audit: auditOnce(directory, cache) });
      }
      const second = auditOnce(directory, cache);
      if (second.commitsRead !== 0) throw new Error('the second run did not use the cache');
      const { history } = await auditRepository({ directory, cacheDirectory: cache, nowMs: Date.now() });
      const { lines, agreed } = agreementWithBlame(directory, history, Number(values['blame-files']));
      const ratio = median(pairs.map((pair) => pair.audit.ms / pair.git));
      ratios.push(ratio);
      ours += median(pairs.map((pair) => pair.audit.ms));
      theirs += median(pairs.map((pair) => pair.git));
      const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
      console.log(
        [
          basename(directory === '.' ? process.cwd() : directory).padEnd(20),
          String(history.commits.length).padStart(8),
          seconds(median(pairs.map((pair) => pair.git))).padStart(9),
          seconds(median(pairs.map((pair) => pair.audit.ms))).padStart(7),
          ratio.toFixed(2).padStart(7),
          `${Math.round(Math.max(...pairs.map((pair) => pair.audit.peakMemoryBytes)) / 1e6)} MB`.padStart(13),
          seconds(second.ms).padStart(12),
          `${((100 * agreed) / lines).toFixed(3)} % of ${lines}`.padStart(18),
        ].join(' '),
      );
    } finally {
      rmSync(cache, { recursive: true, force: true });
    }
  }
  if (values.json) {
    console.log(
      JSON.stringify({
        name: 'audit',
        unit: 'ms',
        ours,
        peers: { 'git log -p': theirs },
        ratio: { 'git log -p': median(ratios) },
        spread: { ratio: [Math.min(...ratios), Math.max(...ratios)] },
        machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, node ${process.version}`,
      }),
    );
  }
}

if (process.argv[2] === '--child') await child(process.argv[3], process.argv[4]);
else if (process.argv[1] === self) await main(process.argv.slice(2));
