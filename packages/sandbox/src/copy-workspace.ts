import { readChanges } from './changes.ts';
import type { Copy, Origin } from './copy.ts';
import { SandboxError } from './problem.ts';
import type { Runner } from './runner.ts';
import { type Attach, supervise } from './supervise.ts';
import { removeCopy } from './work-directory.ts';
import type { CommandResult, FileEdit, RunOptions, Session, Workspace } from './workspace.ts';
import { writeEdits } from './write-edits.ts';

/** A workspace out of a copy and a way of running commands in it. */
export class CopyWorkspace implements Workspace {
  readonly #copy: Copy;
  readonly #origin: Origin;
  readonly #runner: Runner;
  readonly #excludeRules: string;
  readonly #onClosed: () => void;
  readonly #closing = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  constructor(copy: Copy, origin: Origin, runner: Runner, excludeRules: string, onClosed: () => void) {
    this.#copy = copy;
    this.#origin = origin;
    this.#runner = runner;
    this.#excludeRules = excludeRules;
    this.#onClosed = onClosed;
  }

  write(edits: readonly FileEdit[]): Promise<void> {
    const dependencies = this.#origin.dependencies.map(({ path }) => path);
    return this.#inTurn(() => writeEdits(this.#copy.layers, edits, dependencies));
  }

  run(command: string, options: RunOptions): Promise<CommandResult> {
    return this.#inTurn(() => this.#run(command, options));
  }

  start(command: string, options: RunOptions): Promise<Session> {
    const { promise, resolve, reject } = Promise.withResolvers<Session>();
    const result = this.#inTurn(() => this.#run(command, options, (streams) => resolve({ ...streams, result })));
    // Whoever holds the session sees its failure there; before there is a session, `start` itself fails.
    result.then(() => reject(new SandboxError('LATHE_SANDBOX_SETUP', 'cancelled before it was started')), reject);
    return promise;
  }

  changes(): Promise<readonly FileEdit[]> {
    return this.#inTurn(() => readChanges(this.#copy, this.#origin, this.#excludeRules));
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#closing.abort();
      await this.#last;
      await removeCopy(this.#copy.directory);
      this.#onClosed();
    })();
    return this.#closed;
  }

  /** One thing at a time in a copy: two mounts of one upper directory, or edits below a mounted one, are undefined. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    if (this.#closed !== null) {
      return Promise.reject(
        new SandboxError('LATHE_WORKSPACE_CLOSED', 'expected an open copy, got one that was closed'),
      );
    }
    const result = this.#last.then(action);
    this.#last = result.catch(() => {});
    return result;
  }

  async #run(command: string, { limits, signal }: RunOptions, attach?: Attach): Promise<CommandResult> {
    const prepared = await this.#runner.prepare(this.#copy, command, limits, attach !== undefined);
    const closing = this.#closing.signal;
    const { result, status } = await supervise(
      prepared.launch,
      {
        limits,
        signal: signal === undefined ? closing : AbortSignal.any([signal, closing]),
        diskUsage: () => this.#copy.diskUsage(),
        ...prepared,
      },
      attach,
    );
    if (result.ending === 'exited' && !prepared.ran(status)) {
      const why = result.outputTail.trim() || `exit status ${result.exitCode}`;
      throw new SandboxError('LATHE_SANDBOX_SETUP', `the sandbox could not be set up: ${why}`, {
        remedy: 'lathe doctor',
      });
    }
    return result;
  }
}
