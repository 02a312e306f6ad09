import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SandboxError } from './problem.ts';
import { removeCopy } from './work-directory.ts';

export interface IsolationPart {
  readonly name: 'linux' | 'util-linux' | 'bubblewrap' | 'user namespaces' | 'sandbox' | 'overlay';
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
  /** The command that mends it, or null where it is fine or nothing can be done. */
  readonly remedy: string | null;
  /** Without a required part nothing runs; without the others copies cost more. */
  readonly required: boolean;
}

export interface IsolationReport {
  /** True where every required part is there. */
  readonly available: boolean;
  readonly overlay: boolean;
  readonly parts: readonly IsolationPart[];
}

const run = promisify(execFile);

/**
 * Looks for what isolation needs by doing it: a sandbox is started, an overlay is mounted under `directory` (the file system
 * that will hold the copies decides whether that works).
 */
export async function detectIsolation(directory: string = tmpdir()): Promise<IsolationReport> {
  const parts: IsolationPart[] = [];
  const report = (): IsolationReport => ({
    available: parts.every((part) => part.ok || !part.required),
    overlay: parts.some((part) => part.name === 'overlay' && part.ok),
    parts,
  });
  const add = (name: IsolationPart['name'], ok: boolean, detail: string, remedy: string | null, required = true) => {
    parts.push({ name, ok, detail, remedy: ok ? null : remedy, required });
    return ok;
  };

  if (process.platform !== 'linux') {
    add('linux', false, `${process.platform}: not supported yet`, 'run Lathe in a Linux virtual machine or container');
    return report();
  }
  add('linux', true, 'linux', null);

  const missing: string[] = [];
  for (const tool of ['unshare', 'mount', 'prlimit']) if (!(await answers(tool, ['--version']))) missing.push(tool);
  add(
    'util-linux',
    missing.length === 0,
    missing.length === 0 ? 'found' : `missing: ${missing.join(', ')}`,
    installCommand('util-linux'),
  );

  const version = await run('bwrap', ['--version']).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
  const newEnough = version !== null && !/ 0\.[0-7]\./.test(version);
  add('bubblewrap', newEnough, version ?? 'not found', installCommand('bubblewrap'));
  if (!report().available) return report();

  const namespaces = await tries('unshare', ['--user', '--map-root-user', '--mount', 'true']);
  add('user namespaces', namespaces === null, namespaces ?? 'usable', await userNamespaceRemedy());
  if (namespaces !== null) return report();

  const sandbox = await tries('unshare', [
    ...['--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc', '--', 'bwrap'],
    ...['--unshare-user', '--uid', '1000', '--unshare-pid', '--unshare-net', '--cap-drop', 'ALL', '--disable-userns'],
    ...['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', 'true'],
  ]);
  add('sandbox', sandbox === null, sandbox ?? 'starts', await userNamespaceRemedy());

  const overlay = await tryOverlay(directory);
  add(
    'overlay',
    overlay === null,
    overlay ?? 'mounts',
    `keep the work directory on ext4, xfs or btrfs (set XDG_CACHE_HOME)`,
    false,
  );
  return report();
}

/** The error for a report that is not `available`: every missing part and its remedy. */
export function noIsolation(report: IsolationReport): SandboxError {
  const missing = report.parts.filter((part) => part.required && !part.ok);
  return new SandboxError(
    'LATHE_NO_ISOLATION',
    `candidates cannot be isolated here, so nothing was run: ${missing.map((part) => `${part.name}: ${part.detail}`).join('; ')}`,
    { remedy: [...new Set(missing.map((part) => part.remedy).filter((remedy) => remedy !== null))].join('; ') },
  );
}

async function tryOverlay(directory: string): Promise<string | null> {
  await mkdir(directory, { recursive: true });
  const probe = await mkdtemp(join(directory, 'overlay-probe-'));
  try {
    for (const name of ['lower', 'upper', 'work', 'merged']) await mkdir(join(probe, name));
    const script =
      'cd "$1" && mount -t overlay overlay -o userxattr,lowerdir=lower,upperdir=upper,workdir=work merged && : > merged/x';
    return await tries('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', probe]);
  } finally {
    await removeCopy(probe);
  }
}

async function answers(file: string, args: readonly string[]): Promise<boolean> {
  return run(file, args).then(
    () => true,
    () => false,
  );
}

/** Null where the command succeeds, else its complaint on one line. */
async function tries(file: string, args: readonly string[]): Promise<string | null> {
  return run(file, args, { timeout: 10_000 }).then(
    () => null,
    (error) =>
      String(error.stderr || error.message)
        .trim()
        .split('\n')
        .slice(-1)[0] ?? 'failed',
  );
}

function installCommand(debianPackage: string): string {
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  return `${sudo}apt-get install -y ${debianPackage}`;
}

/** Which of the switches that distributions put before user namespaces is set here. */
async function userNamespaceRemedy(): Promise<string> {
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  const value = async (name: string) => (await readFile(`/proc/sys/${name}`, 'utf8').catch(() => '')).trim();
  if ((await value('kernel/unprivileged_userns_clone')) === '0')
    return `${sudo}sysctl -w kernel.unprivileged_userns_clone=1`;
  if ((await value('kernel/apparmor_restrict_unprivileged_userns')) === '1')
    return `${sudo}sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`;
  if ((await value('user/max_user_namespaces')) === '0') return `${sudo}sysctl -w user.max_user_namespaces=15000`;
  return 'in a container: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined (Docker), or run Lathe outside it';
}
