import { type ChildProcess, spawn } from 'node:child_process';
import {
  type CreateTerminalRequest,
  type CreateTerminalResponse,
  RequestError,
  type TerminalExitStatus,
  type TerminalOutputResponse,
} from '@agentclientprotocol/sdk/unstable';

const DEFAULT_OUTPUT_BYTES = 1_048_576;

interface Terminal {
  readonly child: ChildProcess;
  readonly exit: Promise<TerminalExitStatus>;
  readonly limitBytes: number;
  output: Buffer;
  truncated: boolean;
  status: TerminalExitStatus | null;
}

/** Serves `terminal/*`: commands of the agent. */
export class Terminals {
  readonly #root: string;
  readonly #terminals = new Map<string, Terminal>();
  #count = 0;

  constructor(root: string) {
    this.#root = root;
  }

  create({ command, args = [], env = [], cwd, outputByteLimit }: CreateTerminalRequest): CreateTerminalResponse {
    const child = spawn(command, args, {
      cwd: cwd ?? this.#root,
      env: { ...process.env, ...Object.fromEntries(env.map(({ name, value }) => [name, value])) },
      // Some agents send a whole command line as the command.
      shell: args.length === 0,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const { promise, resolve } = Promise.withResolvers<TerminalExitStatus>();
    const limitBytes = outputByteLimit ?? DEFAULT_OUTPUT_BYTES;
    const terminal: Terminal = {
      child,
      exit: promise,
      limitBytes,
      output: Buffer.alloc(0),
      truncated: false,
      status: null,
    };
    const end = (status: TerminalExitStatus) => {
      terminal.status ??= status;
      resolve(terminal.status);
    };
    child.stdout!.on('data', (chunk: Buffer) => append(terminal, chunk));
    child.stderr!.on('data', (chunk: Buffer) => append(terminal, chunk));
    child.once('error', (error) => {
      append(terminal, Buffer.from(`${error.message}\n`));
      end({ exitCode: 127 });
    });
    child.once('close', (exitCode, signal) => end({ exitCode, signal }));
    this.#count += 1;
    const terminalId = `t${this.#count}`;
    this.#terminals.set(terminalId, terminal);
    return { terminalId };
  }

  output(id: string): TerminalOutputResponse {
    const { output, truncated, status } = this.#get(id);
    return { output: output.toString('utf8'), truncated, exitStatus: status };
  }

  waitForExit(id: string): Promise<TerminalExitStatus> {
    return this.#get(id).exit;
  }

  kill(id: string): Record<string, never> {
    killGroup(this.#get(id));
    return {};
  }

  release(id: string): Record<string, never> {
    killGroup(this.#get(id));
    this.#terminals.delete(id);
    return {};
  }

  #get(id: string): Terminal {
    const terminal = this.#terminals.get(id);
    if (terminal === undefined) throw RequestError.resourceNotFound(id);
    return terminal;
  }
}

/** Keeps the end of the output, from the start of a character. */
function append(terminal: Terminal, chunk: Buffer): void {
  const output = Buffer.concat([terminal.output, chunk]);
  if (output.length <= terminal.limitBytes) {
    terminal.output = output;
    return;
  }
  terminal.truncated = true;
  let start = output.length - terminal.limitBytes;
  while (start < output.length && (output[start]! & 0xc0) === 0x80) start += 1;
  terminal.output = output.subarray(start);
}

function killGroup({ child, status }: Terminal): void {
  if (status !== null || child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}
