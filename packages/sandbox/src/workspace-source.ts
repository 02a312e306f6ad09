import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { bubblewrapArguments } from './bubblewrap.ts';
import { type DependencyDirectory, findDependencies } from './dependencies.ts';
import { diskUsage } from './disk-usage.ts';
import { ETC_FILES, sandboxEnvironment } from './environment.ts';
import { detectIsolation, noIsolation } from './isolation.ts';
import { commandRan, sandboxLaunch } from './launch.ts';
import { isPlainDirectoryPath, MERGED, makeOverlayDirectories, SCRATCH, UPPER, writeOverlayTable } from './overlay.ts';
import { SandboxError } from './problem.ts';
import { type Attachment, supervise } from './supervise.ts';
import { findToolchains, installationOf, type Toolchains } from './toolchains.ts';
import { createWorkDirectory, removeHostileTree } from './work-directory.ts';
import type { CommandResult, FileEdit, RunOptions, Workspace, WorkspaceSource } from './workspace.ts';
import { writeEdits } from './write-edits.ts';

export interface WorkspaceSourceOptions {
  /** The base's files, complete, and nothing else: no `.git`. Never written to. */
  readonly baseDirectory: string;
  /** The user's checkout: dependencies are taken from it, and copies appear at its path. Never written to. */
  readonly checkoutDirectory: string;
  /** Holds the copies; made if missing. See `createWorkDirectory`. */
  readonly workDirectory: string;
  /** What git ignores in the checkout, relative to it; a directory that is ignored as a whole may stand for its contents, with a slash at the end. */
  readonly ignoredFiles: () => Promise<readonly string[]>;
  /** Run commands as ordinary processes of the user where no isolation is to be had. Recorded in `isolation`. */
  readonly unsafeNoSandbox?: boolean;
}

export async function createWorkspaceSource(options: WorkspaceSourceOptions): Promise<WorkspaceSource> {
  await createWorkDirectory(options.workDirectory);
  const workDirectory = await realpath(options.workDirectory);
  const checkoutDirectory = await realpath(options.checkoutDirectory);
  const report = await detectIsolation(workDirectory);
  if (!report.available) throw noIsolation(report);

  const dependencies = findDependencies(checkoutDirectory, await options.ignoredFiles());
  const included = join(workDirectory, 'included');
  const etc = join(workDirectory, 'etc');
  await Promise.all([mkdir(included, { recursive: true }), mkdir(etc, { recursive: true })]);
  for (const { path } of dependencies) await mkdir(join(included, path), { recursive: true });
  for (const [name, text] of Object.entries(ETC_FILES)) await writeFile(join(etc, name), text);

  const setting: Setting = {
    base: await realpath(options.baseDirectory),
    included,
    etc,
    checkoutDirectory,
    dependencies,
    toolchains: toolchainsFor(checkoutDirectory, dependencies),
  };
  const open = new Set<Workspace>();
  return {
    isolation: 'bubblewrap, no network, overlay copy',
    async open(id) {
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id))
        throw new SandboxError('LATHE_WORK_DIRECTORY', `not a name for a copy: ${JSON.stringify(id)}`);
      const directory = join(workDirectory, 'copies', id);
      await removeHostileTree(directory);
      await makeOverlayDirectories(directory, dependencies.length);
      const workspace = new OverlayWorkspace(directory, setting, () => open.delete(workspace));
      open.add(workspace);
      return workspace;
    },
    async close() {
      await Promise.all([...open].map((workspace) => workspace.close()));
    },
  };
}

interface Setting {
  readonly base: string;
  readonly included: string;
  readonly etc: string;
  readonly checkoutDirectory: string;
  readonly dependencies: readonly DependencyDirectory[];
  readonly toolchains: Toolchains;
}

class OverlayWorkspace implements Workspace {
  readonly #directory: string;
  readonly #setting: Setting;
  readonly #closed: () => void;
  readonly #abort = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;

  constructor(directory: string, setting: Setting, closed: () => void) {
    this.#directory = directory;
    this.#setting = setting;
    this.#closed = closed;
  }

  write(edits: readonly FileEdit[]): Promise<void> {
    const { base, included, dependencies } = this.#setting;
    const layers = { upper: join(this.#directory, UPPER), lowers: [included, base] };
    return this.#inTurn(() =>
      writeEdits(
        layers,
        edits,
        dependencies.map(({ path }) => path),
      ),
    );
  }

  run(command: string, options: RunOptions): Promise<CommandResult> {
    return this.#inTurn(() => this.#run(command, options));
  }

  changes(): Promise<readonly FileEdit[]> {
    return this.#inTurn(() => Promise.reject(new Error('not yet')));
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#abort.abort();
      await this.#last.catch(() => {});
      await removeHostileTree(this.#directory);
      this.#closed();
    })();
    return this.#closing;
  }

  /** One thing at a time in one copy: two mounts of one upper directory, or edits under a mounted one, are undefined. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    if (this.#closing !== null)
      return Promise.reject(new SandboxError('LATHE_WORKSPACE_CLOSED', 'this copy was closed'));
    const result = this.#last.then(action, action);
    this.#last = result.catch(() => {});
    return result;
  }

  async #run(
    command: string,
    { limits, signal }: RunOptions,
    attach?: (attachment: Attachment) => void,
  ): Promise<CommandResult> {
    const { base, included, etc, checkoutDirectory, dependencies, toolchains } = this.#setting;
    const copy = this.#directory;
    const scratchBytes = Math.min(limits.diskBytes, limits.memoryBytes);
    await writeOverlayTable({ copy, base, included, dependencies, scratchBytes });
    const upper = join(copy, UPPER);
    const path = [...toolchains.path];
    for (const { path: directory } of dependencies)
      if (isPlainDirectoryPath(upper, directory) && !directory.includes('/') && /^\.?venv$/.test(directory))
        path.unshift(join(checkoutDirectory, directory, 'bin'));
    const args = bubblewrapArguments(
      {
        copy: join(copy, MERGED),
        checkoutDirectory,
        scratch: join(copy, SCRATCH),
        etc,
        readOnly: [],
        readOnlyInCopy: [],
        toolchains,
        environment: {
          ...sandboxEnvironment(path, Intl.DateTimeFormat().resolvedOptions().timeZone),
          ...toolchains.environment,
        },
        network: 'none',
        seccompDescriptor: null,
      },
      limits,
      ['sh', '-c', command],
    );
    const written = [upper, join(copy, 'dependencies')];
    const { result, status } = await supervise(
      sandboxLaunch(copy, args, attach !== undefined),
      {
        limits,
        signal: signal === undefined ? this.#abort.signal : AbortSignal.any([signal, this.#abort.signal]),
        diskUsage: () => diskUsage(written),
      },
      attach,
    );
    if (result.ending === 'exited' && !commandRan(status)) {
      throw new SandboxError(
        'LATHE_SANDBOX_SETUP',
        `the sandbox could not be set up: ${result.outputTail.trim() || `exit ${result.exitCode}`}`,
        {
          remedy: 'run `lathe doctor`',
        },
      );
    }
    return result;
  }
}

function toolchainsFor(checkoutDirectory: string, dependencies: readonly DependencyDirectory[]): Toolchains {
  const home = homedir();
  const toolchains = findToolchains({
    path: process.env.PATH ?? '',
    home,
    nodePath: process.execPath,
    checkoutDirectory,
  });
  const more = dependencies
    .map(({ source }) => installationOf(join(source, 'bin/python'), home))
    .filter((path) => path !== null);
  return { ...toolchains, readOnly: [...new Set([...toolchains.readOnly, ...more])] };
}
