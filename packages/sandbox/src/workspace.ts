import type { Readable, Writable } from 'node:stream';

/** Change of one file. `content: null` deletes it. Paths are relative to the repository's root, with forward slashes. */
export interface FileEdit {
  readonly path: string;
  readonly content: Uint8Array | null;
  /** Git file mode of the new content: plain, executable, or symbolic link (content is its target). */
  readonly mode: '100644' | '100755' | '120000';
}

/** Limits of one command; exceeding one ends the command and names the limit. */
export interface Limits {
  readonly timeMs: number;
  /** Anonymous and shared memory of all its processes together. */
  readonly memoryBytes: number;
  /** Processes and threads at one time. */
  readonly processes: number;
  readonly outputBytes: number;
  /** Blocks its copy may hold beyond the base; its temporary folders share a second allowance of at most this. */
  readonly diskBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  timeMs: 300_000,
  memoryBytes: 4 * 2 ** 30,
  processes: 512,
  outputBytes: 32 * 2 ** 20,
  diskBytes: 2 * 2 ** 30,
};

/** How a command ended: data, whatever the command did. */
export interface CommandResult {
  readonly ending: 'exited' | 'timed-out' | 'memory' | 'processes' | 'output' | 'disk' | 'cancelled';
  /** Exit status; 128 + signal where a signal ended it; null where it was ended from outside. */
  readonly exitCode: number | null;
  readonly durationMs: number;
  /** End of stdout and stderr in order of arrival, decoded as UTF-8, at most 16 KiB. */
  readonly outputTail: string;
  /** Highest sample, 0 where it ended before the first one (20 ms). */
  readonly peakMemoryBytes: number;
}

export interface RunOptions {
  readonly limits: Limits;
  readonly signal?: AbortSignal;
}

/** A command under way whose standard input and output the caller holds. */
export interface Session {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** As for `run`, but `outputTail` is the end of stderr alone. Both streams count towards `outputBytes`. */
  readonly result: Promise<CommandResult>;
}

/** A copy of the base of its own, and commands run in it, one after the other. */
export interface Workspace {
  /** Lay edits over the copy. Throws `LATHE_EDIT_REFUSED` where a path leaves the copy or passes through a link. */
  write(edits: readonly FileEdit[]): Promise<void>;
  /** Run a shell command line in the copy's root. Throws only where the sandbox itself cannot be set up. */
  run(command: string, options: RunOptions): Promise<CommandResult>;
  /** Start a command that is talked to, for instance an agent. Takes its turn like `run`: what follows waits for its end. */
  start(command: string, options: RunOptions): Promise<Session>;
  /** Difference of the copy from the base, sorted by path. Ignored files, `.git` and dependencies are left out. */
  changes(): Promise<readonly FileEdit[]>;
  /** End what still runs in it and remove it. Safe to call twice. */
  close(): Promise<void>;
}

/** What commands may reach beyond their copy. Checks need nothing; an agent needs its model and its settings. */
export interface Access {
  readonly network: 'none' | 'host';
  /** Files and directories shown read-only at their own path. */
  readonly readOnly: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Gives copies of one base. */
export interface WorkspaceSource {
  /** In words, for the record: `bubblewrap, no network, overlay copy`. */
  readonly isolation: string;
  /** `id` names the copy's directory: letters, digits, `.`, `_` and `-`. */
  open(id: string): Promise<Workspace>;
  /** The same base and work directory, for commands that may reach more. Closed with this one. */
  withAccess(access: Partial<Access>): WorkspaceSource;
  /** Close every copy that is still open. The work directory itself stays: `removeWorkDirectory`. */
  close(): Promise<void>;
}
