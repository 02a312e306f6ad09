import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { COPY_IN_WORDS, type CopyStrategy, makeCopy, type Origin } from './copy.ts';
import { CopyWorkspace } from './copy-workspace.ts';
import { type DependencyDirectory, findDependencies } from './dependencies.ts';
import { ETC_FILES, sandboxEnvironment } from './environment.ts';
import { detectIsolation, noIsolation } from './isolation.ts';
import { plainRunner } from './plain-process.ts';
import { SandboxError } from './problem.ts';
import type { Runner } from './runner.ts';
import { sandboxedRunner } from './sandboxed-runner.ts';
import { seccompFilter } from './seccomp.ts';
import { findToolchains, installationOf, type Toolchains } from './toolchains.ts';
import { createWorkDirectory, removeCopy, removeHostileTree } from './work-directory.ts';
import type { Access, Workspace, WorkspaceSource } from './workspace.ts';
import { copyIncluded, includedFiles } from './worktree-include.ts';

export interface WorkspaceSourceOptions {
  /** The base's files, complete, and nothing else: no `.git`. Never written to. */
  readonly baseDirectory: string;
  /** The user's checkout: dependencies are taken from it, and copies appear at its path. Never written to. */
  readonly checkoutDirectory: string;
  /** Holds the copies; made if missing. See `createWorkDirectory`. */
  readonly workDirectory: string;
  /**
   * What git ignores in the checkout, relative to it. A directory that is ignored as a whole may stand for its contents,
   * with a slash at the end (`git ls-files --others --ignored --exclude-standard --directory`).
   */
  readonly ignoredFiles: () => Promise<readonly string[]>;
  /** Rules of `info/exclude` and the user's own excludes file, for `changes`. */
  readonly excludeRules?: string;
  /** Run commands as ordinary processes of the user, without isolation. Recorded in `isolation`. */
  readonly unsafeNoSandbox?: boolean;
  /** Take this strategy, or fail. Left out: the cheapest one that works here. */
  readonly copyStrategy?: CopyStrategy;
}

const NO_ACCESS: Access = { network: 'none', readOnly: [], environment: {} };

/**
 * Prepares what all copies of one base share, once. Throws `LATHE_NO_ISOLATION` where commands cannot be isolated and
 * `unsafeNoSandbox` does not say that this is accepted.
 */
export async function createWorkspaceSource(options: WorkspaceSourceOptions): Promise<WorkspaceSource> {
  const { ignoredFiles, unsafeNoSandbox = false, excludeRules = '' } = options;
  const report = await detectIsolation(options.workDirectory);
  if (!report.available && !unsafeNoSandbox) throw noIsolation(report);

  await createWorkDirectory(options.workDirectory);
  const workDirectory = await realpath(options.workDirectory);
  const checkoutDirectory = await realpath(options.checkoutDirectory);
  const origin = await prepareOrigin(options.baseDirectory, checkoutDirectory, workDirectory, await ignoredFiles());
  const copies = join(workDirectory, 'copies');
  const plain = (access: Access): Runner =>
    plainRunner({ ...sandboxEnvironment((process.env.PATH ?? '').split(':'), timeZone()), ...access.environment });
  if (unsafeNoSandbox) return new CopySource(copies, options.copyStrategy ?? 'full', origin, excludeRules, plain);

  const strategy = options.copyStrategy ?? (report.overlay ? 'overlay' : 'bound');
  const sandboxed = await prepareSandbox(origin, checkoutDirectory, workDirectory);
  return new CopySource(copies, strategy, origin, excludeRules, sandboxed);
}

class CopySource implements WorkspaceSource {
  readonly isolation: string;
  readonly #copies: string;
  readonly #strategy: CopyStrategy;
  readonly #origin: Origin;
  readonly #excludeRules: string;
  readonly #runnerFor: (access: Access) => Runner;
  readonly #runner: Runner;
  readonly #open = new Set<{ close(): Promise<void> }>();

  constructor(
    copies: string,
    strategy: CopyStrategy,
    origin: Origin,
    excludeRules: string,
    runnerFor: (access: Access) => Runner,
    access: Access = NO_ACCESS,
  ) {
    this.#copies = copies;
    this.#strategy = strategy;
    this.#origin = origin;
    this.#excludeRules = excludeRules;
    this.#runnerFor = runnerFor;
    this.#runner = runnerFor(access);
    this.isolation = `${this.#runner.isolation}, ${COPY_IN_WORDS[strategy]}`;
  }

  async open(id: string): Promise<Workspace> {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id)) {
      const got = JSON.stringify(id);
      throw new SandboxError(
        'LATHE_WORK_DIRECTORY',
        `expected letters, digits, ".", "_" or "-" in a copy's name, got ${got}`,
      );
    }
    const directory = join(this.#copies, id);
    await removeCopy(directory);
    const copy = await makeCopy(this.#strategy, directory, this.#origin);
    const workspace = new CopyWorkspace(copy, this.#origin, this.#runner, this.#excludeRules, () =>
      this.#open.delete(workspace),
    );
    this.#open.add(workspace);
    return workspace;
  }

  withAccess(access: Partial<Access>): WorkspaceSource {
    const source = new CopySource(this.#copies, this.#strategy, this.#origin, this.#excludeRules, this.#runnerFor, {
      ...NO_ACCESS,
      ...access,
    });
    this.#open.add(source);
    return source;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((opened) => opened.close()));
  }
}

async function prepareOrigin(
  baseDirectory: string,
  checkoutDirectory: string,
  workDirectory: string,
  ignored: readonly string[],
): Promise<Origin> {
  const base = await realpath(baseDirectory);
  const dependencies = findDependencies(checkoutDirectory, base, ignored);
  const included = join(workDirectory, 'included');
  await removeHostileTree(included);
  await mkdir(included, { recursive: true });
  await copyIncluded(checkoutDirectory, included, await includedFiles(checkoutDirectory, ignored));
  for (const { path } of dependencies) await mkdir(join(included, path), { recursive: true });
  return { base, included, dependencies };
}

async function prepareSandbox(
  { dependencies }: Origin,
  checkoutDirectory: string,
  workDirectory: string,
): Promise<(access: Access) => Runner> {
  const etc = join(workDirectory, 'etc');
  await mkdir(etc, { recursive: true });
  for (const [name, text] of Object.entries(ETC_FILES)) await writeFile(join(etc, name), text);
  const filter = seccompFilter();
  const seccompFile = filter === null ? null : join(workDirectory, 'seccomp.bpf');
  if (filter !== null && seccompFile !== null) await writeFile(seccompFile, filter);

  const home = homedir();
  const path = process.env.PATH ?? '';
  const found = findToolchains({ path, home, nodePath: process.execPath, checkoutDirectory });
  const toolchains = addVirtualEnvironments(found, dependencies, checkoutDirectory, home);
  const environment = { ...sandboxEnvironment(toolchains.path, timeZone()), ...toolchains.environment };
  return (access) =>
    sandboxedRunner({
      checkoutDirectory,
      etc,
      seccompFile,
      toolchains,
      environment: { ...environment, ...access.environment },
      readOnly: access.readOnly,
      network: access.network,
    });
}

/** Python's virtual environments link to an installation elsewhere; one at the repository's root is taken as activated. */
function addVirtualEnvironments(
  toolchains: Toolchains,
  dependencies: readonly DependencyDirectory[],
  checkoutDirectory: string,
  home: string,
): Toolchains {
  const readOnly = [...toolchains.readOnly];
  const path = [...toolchains.path];
  for (const { path: directory, source } of dependencies) {
    const installation = installationOf(join(source, 'bin/python'), home);
    if (installation === null) continue;
    readOnly.push(...installation);
    if (!directory.includes('/')) path.unshift(join(checkoutDirectory, directory, 'bin'));
  }
  return { ...toolchains, readOnly, path };
}

function timeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
