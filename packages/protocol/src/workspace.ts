import type { Readable, Writable } from 'node:stream';
import type { FileEdit } from './tree.ts';

/** Limits of one command; exceeding one ends the command and names the limit. */
export interface Limits {
  readonly timeMs: number;
  readonly memoryBytes: number;
  readonly processes: number;
  readonly outputBytes: number;
  /** What the command may write to its copy and its temporary folders. */
  readonly diskBytes: number;
}

/** How a command ended. A failure of the command is data, never an exception. */
export interface CommandResult {
  readonly ending: 'exited' | 'timed-out' | 'memory' | 'processes' | 'output' | 'disk' | 'cancelled';
  /** Exit status; 128 + signal where a signal ended it; null where it was ended from outside. */
  readonly exitCode: number | null;
  readonly durationMs: number;
  /** End of stdout and stderr in order of arrival, decoded as UTF-8, at most 16 KiB. */
  readonly outputTail: string;
  readonly peakMemoryBytes: number;
}

/** A command under way whose standard input and output the caller holds. */
export interface Session {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** As for `run`, but `outputTail` is the end of stderr alone. Both streams count towards `outputBytes`. */
  readonly result: Promise<CommandResult>;
}

/** What commands may reach beyond their copy. Checks need nothing; an agent needs its model and its settings. */
export interface Access {
  readonly network: 'none' | 'host';
  /** Files and directories shown read-only at their own path. */
  readonly readOnly: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** A candidate's own copy of the repository. */
export interface Workspace {
  /** Lay edits over the copy. Never follows a link out of it. */
  write(edits: readonly FileEdit[]): Promise<void>;
  /** Run a shell command line in the copy's root: isolated, without network. */
  run(command: string, options: { limits: Limits; signal?: AbortSignal }): Promise<CommandResult>;
  /** Start a command that is talked to, for instance an agent. What follows in this copy waits for its end. */
  start(command: string, options: { limits: Limits; signal?: AbortSignal }): Promise<Session>;
  /** Difference of the copy from the base, as edits: what an agent did. Ignored files are left out. */
  changes(): Promise<readonly FileEdit[]>;
  /** End everything that still runs in it and remove it. Safe to call twice. */
  close(): Promise<void>;
}

/** Gives copies of one base. */
export interface WorkspaceSource {
  /** In words, for the record: `bubblewrap, no network, overlay copy`. */
  readonly isolation: string;
  open(id: string): Promise<Workspace>;
  /** Copies of the same base for commands that may reach more; its `isolation` says so. */
  withAccess(access: Partial<Access>): WorkspaceSource;
}
