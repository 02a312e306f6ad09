/**
 * The audit of a history: how long it takes beside the bare `git log -p` that says the same, how much memory, how long a
 * second run takes, and on how many lines of HEAD it agrees with `git blame -w`.
 *
 *     npm run bench -- audit PATH... [--json] [--rounds 3] [--blame-files 200] [--revision REV]
 *                            [--theseus git-of-theseus-analyze [--theseus-days 7]] [--jscpd jscpd]
 *
 * The last two are other tools' programs, installed wherever you like; each is run once beside the audit.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { auditRepository, type FollowedHistory, feedArguments, keepYoungGenerationSmall } from '@lathe/history';
import { median } from './median.ts';

const self = fileURLToPath(import.meta.url);

interface Measured {
  readonly ms: number;
  /** Processor time of the audit and of all its git processes; null where the system does not tell. */
  readonly cpuMs: number | null;
  readonly peakMemoryBytes: number;
  readonly commitsRead: number;
}

/** One audit in a process of its own, so that its peak memory is its own. */
function auditOnce(directory: string, revision: string, cache: string): Measured {
  const out = execFileSync(process.execPath, [self, '--child', directory, revision, cache], { encoding: 'utf8' });
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Measured;
}

/** Processor time of the children that ended so far, by Linux's account (proc(5), fields 16 and 17 of stat). */
function childrenCpuMs(): number | null {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
    return 10 * (Number(fields[13]) + Number(fields[14]));
  } catch {
    return null;
  }
}

function gitOnce(directory: string, revision: string): { ms: number; cpuMs: number | null } {
  const start = performance.now();
  const before = childrenCpuMs();
  const run = spawnSync('git', ['-C', directory, ...feedArguments(revision, 'all')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (run.status !== 0) throw new Error(`git log failed in ${directory}`);
  const after = childrenCpuMs();
  return { ms: performance.now() - start, cpuMs: before === null || after === null ? null : after - before };
}

/**
 * Paths a file had before, by git's own pairing of each commit's renames as a whole. `git blame` looks for one file's
 * origin alone, and takes the first twin it meets where several files of one content move at once.
 */
function formerPaths(directory: string, revision: string): (path: string) => ReadonlySet<string> {
  const log = execFileSync(
    'git',
    ['-C', directory, 'log', '-M', '-l1000', '--diff-filter=R', '--raw', '-z', '-m', '--format=', revision],
    { encoding: 'latin1', maxBuffer: 1 << 30 },
  ).split('\0');
  const from = new Map<string, Set<string>>();
  log.forEach((entry, at) => {
    if (!/^\n*:.* R\d*$/.test(entry)) return;
    const [old, fresh] = [log[at + 1], log[at + 2]];
    from.set(fresh, (from.get(fresh) ?? new Set()).add(old));
  });
  return (path) => {
    const known = new Set([path]);
    for (const one of known) for (const old of from.get(one) ?? []) known.add(old);
    return known;
  };
}

/** What `git blame --line-porcelain` says of each line. Only line feeds end lines: a line may hold a carriage return. */
function recordsOf(blamed: string): string[] {
  const records: string[] = [];
  let from = 0;
  for (let at = 0; at < blamed.length; at = blamed.indexOf('\n', at) + 1) {
    if (blamed[at] !== '\t') continue;
    records.push(blamed.slice(from, at));
    from = blamed.indexOf('\n', at) + 1;
  }
  return records;
}

interface Agreement {
  readonly lines: number;
  readonly agreed: number;
  /** Lines told otherwise that blame traced into a file which git's pairing of renames never names as an earlier self. */
  readonly twins: number;
}

/** Lines of evenly chosen files at HEAD, and how many of them git blame gives to the same commit. */
function agreementWithBlame(directory: string, revision: string, history: FollowedHistory, most: number): Agreement {
  const files = [...history.tree]
    .filter(([, file]) => file.lines !== null && file.lines.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const step = Math.max(1, Math.floor(files.length / most));
  const former = formerPaths(directory, revision);
  const sum = { lines: 0, agreed: 0, twins: 0 };
  for (let i = 0; i < files.length; i += step) {
    const [path, file] = files[i]!;
    const readable = Buffer.from(path, 'latin1').toString();
    const blamed = execFileSync(
      'git',
      ['-C', directory, 'blame', '-w', '--line-porcelain', '--root', revision, '--', readable],
      { encoding: 'latin1', maxBuffer: 1 << 30 },
    );
    // A record of each line: its commit first, then the file it was found in, then the line itself after a tab.
    const records = recordsOf(blamed);
    records.forEach((record, at) => {
      sum.lines++;
      const id = record.slice(0, record.indexOf(' '));
      const line = file.lines?.[at];
      if (line !== undefined && history.commits[history.table.born[line]!]!.id === id) sum.agreed++;
      else if (!former(path).has(/^filename (.*)$/m.exec(record)?.[1] ?? '')) sum.twins++;
    });
  }
  return sum;
}

/** git-of-theseus: cohorts by blaming a tree every few days. Its time, and the share of lines alive after a year as it works it out. */
function theseus(program: string, days: number, directory: string): { ms: number; yearShare: number } {
  const out = mkdtempSync(join(tmpdir(), 'lathe-theseus-'));
  try {
    const branch = execFileSync('git', ['-C', directory, 'symbolic-ref', '--short', 'HEAD'], {
      encoding: 'utf8',
    }).trim();
    // It asks for a folder with a .git in it, which a bare repository is not.
    const clone = join(out, 'clone');
    execFileSync('git', ['clone', '-q', '--shared', '--no-checkout', directory, clone]);
    const start = performance.now();
    execFileSync(
      program,
      [
        clone,
        '--branch',
        branch,
        '--outdir',
        out,
        '--all-filetypes',
        '--ignore-whitespace',
        '--interval',
        String(days * 86_400),
        '--quiet',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const ms = performance.now() - start;
    const histories = JSON.parse(readFileSync(join(out, 'survival.json'), 'utf8')) as Record<
      string,
      [number, number][]
    >;
    return { ms, yearShare: shareAfter(Object.values(histories), 365 * 86_400) };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Product of (1 − lost / watched) over ages up to `age`, from line counts a commit had in the trees that were blamed. */
function shareAfter(histories: readonly (readonly [number, number])[][], age: number): number {
  const changes = new Map<number, { lost: number; left: number }>();
  const at = (time: number) => {
    const change = changes.get(time) ?? { lost: 0, left: 0 };
    changes.set(time, change);
    return change;
  };
  let watched = 0;
  for (const history of histories) {
    const [began, first] = history[0]!;
    watched += first;
    history.slice(1).forEach(([time, count], i) => {
      at(time - began).lost += history[i]![1] - count;
    });
    at(history.at(-1)![0] - began).left += first;
  }
  let share = 1;
  for (const [time, { lost, left }] of [...changes].sort(([a], [b]) => a - b)) {
    if (time > age) break;
    share *= 1 - lost / watched;
    watched -= left;
  }
  return share;
}

/** jscpd on the tree of HEAD: duplicates that stand today. */
function jscpd(program: string, directory: string): { ms: number; clones: number; duplicatedLines: number } {
  const tree = mkdtempSync(join(tmpdir(), 'lathe-jscpd-'));
  try {
    mkdirSync(join(tree, 'files'));
    const archive = execFileSync('git', ['-C', directory, 'archive', 'HEAD'], { maxBuffer: 1 << 30 });
    execFileSync('tar', ['-x', '-C', join(tree, 'files')], { input: archive });
    const start = performance.now();
    spawnSync(program, ['--silent', '--min-lines', '5', '--reporters', 'json', '--output', tree, join(tree, 'files')]);
    const ms = performance.now() - start;
    const { statistics } = JSON.parse(readFileSync(join(tree, 'jscpd-report.json'), 'utf8')) as {
      statistics: { total: { clones: number; duplicatedLines: number } };
    };
    return { ms, clones: statistics.total.clones, duplicatedLines: statistics.total.duplicatedLines };
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

async function child(directory: string, revision: string, cache: string): Promise<void> {
  keepYoungGenerationSmall(); // as `lathe audit` does
  const start = performance.now();
  const { user, system } = process.cpuUsage();
  const { commitsRead } = await auditRepository({ directory, revision, cacheDirectory: cache, nowMs: Date.now() });
  const own = process.cpuUsage({ user, system });
  const children = childrenCpuMs();
  const measured: Measured = {
    ms: performance.now() - start,
    cpuMs: children === null ? null : children + (own.user + own.system) / 1000,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    commitsRead,
  };
  console.log(JSON.stringify(measured));
}

const seconds = (ms: number | null) => (ms === null ? '–' : `${(ms / 1000).toFixed(2)} s`);
const percent = (share: number) => `${(100 * share).toFixed(3)} %`;

export async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      'blame-files': { type: 'string', default: '200' },
      revision: { type: 'string', default: 'HEAD' },
      theseus: { type: 'string' },
      'theseus-days': { type: 'string', default: '7' },
      jscpd: { type: 'string' },
    },
  });
  const { revision } = values;
  const directories = positionals.length > 0 ? positionals : ['.'];
  const ratios: number[] = [];
  const peers: Record<string, number> = { 'git log -p': 0 };
  const also = (name: string, ms: number) => {
    peers[name] = (peers[name] ?? 0) + ms;
  };
  let ours = 0;
  for (const directory of directories) {
    const cache = mkdtempSync(join(tmpdir(), 'lathe-bench-audit-'));
    try {
      const pairs: { git: ReturnType<typeof gitOnce>; audit: Measured }[] = [];
      for (let round = 0; round < Number(values.rounds); round++) {
        rmSync(cache, { recursive: true, force: true });
        pairs.push({ git: gitOnce(directory, revision), audit: auditOnce(directory, revision, cache) });
      }
      const second = auditOnce(directory, revision, cache);
      if (second.commitsRead !== 0)
        throw new Error(
          `${directory}: expected a second run from the cache, got ${second.commitsRead} commits read anew: where the repository lacks contents nothing is kept, so measure a whole clone`,
        );
      const { history, document } = await auditRepository({
        directory,
        revision,
        cacheDirectory: cache,
        nowMs: Date.now(),
      });
      const all = pairs.map((pair) => pair.audit.ms / pair.git.ms);
      ratios.push(median(all));
      const auditMs = median(pairs.map((pair) => pair.audit.ms));
      const gitMs = median(pairs.map((pair) => pair.git.ms));
      ours += auditMs;
      also('git log -p', gitMs);
      const cpu = (of: (pair: (typeof pairs)[number]) => number | null) =>
        Math.min(...pairs.map((pair) => of(pair) ?? 0));
      console.log(`${directory}: ${history.commits.length} commits, ${history.table.length} lines ever`);
      console.log(
        `  time           audit ${seconds(auditMs)}, git log -p ${seconds(gitMs)}: ${median(all).toFixed(2)} times (${all.map((one) => one.toFixed(2)).join(', ')})`,
      );
      console.log(
        `  processor time audit ${seconds(cpu(({ audit }) => audit.cpuMs))}, git log -p ${seconds(cpu(({ git }) => git.cpuMs))} (least of each)`,
      );
      console.log(
        `  peak memory    ${Math.round(Math.max(...pairs.map((pair) => pair.audit.peakMemoryBytes)) / 1e6)} MB`,
      );
      console.log(`  second run     ${seconds(second.ms)} (processor ${seconds(second.cpuMs)})`);
      if (Number(values['blame-files']) > 0) {
        const { lines, agreed, twins } = agreementWithBlame(
          directory,
          revision,
          history,
          Number(values['blame-files']),
        );
        console.log(
          `  git blame -w   agrees on ${percent(agreed / lines)} of ${lines} lines; ${twins} of the ${lines - agreed} others it traced into a twin`,
        );
      }
      if (values.theseus !== undefined) {
        const { ms, yearShare } = theseus(values.theseus, Number(values['theseus-days']), directory);
        also('git-of-theseus', ms);
        const year = document.survival.find(({ group, days }) => group === 'all' && days === 365);
        console.log(
          `  git-of-theseus ${seconds(ms)}: ${percent(yearShare)} of lines alive after a year; the audit says ${percent(year?.surviving ?? Number.NaN)}`,
        );
      }
      if (values.jscpd !== undefined) {
        const { ms, clones, duplicatedLines } = jscpd(values.jscpd, directory);
        also('jscpd', ms);
        console.log(
          `  jscpd          ${seconds(ms)}: ${clones} clones, ${duplicatedLines} lines, standing today; the audit counts ${document.duplicateBlocks} blocks put in over the history`,
        );
      }
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
        peers,
        ratio: Object.fromEntries(
          Object.entries(peers).map(([name, ms]) => [name, name === 'git log -p' ? median(ratios) : ours / ms]),
        ),
        spread: { ratio: [Math.min(...ratios), Math.max(...ratios)] },
        machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, node ${process.version}`,
      }),
    );
  }
}

if (process.argv[2] === '--child') await child(process.argv[3]!, process.argv[4]!, process.argv[5]!);
else if (process.argv[1] === self) await main(process.argv.slice(2));
