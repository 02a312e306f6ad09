import { type ChildProcess, spawn } from 'node:child_process';
import { GitFailure, gitArguments, gitEnvironment } from './git.ts';

interface Waiting {
  readonly id: string;
  readonly resolve: (content: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Contents of objects from one long-lived `git cat-file --batch`, started on first use and answered in order of
 * asking. An idle reader does not keep the process from ending.
 */
export class ObjectReader {
  readonly #directory: string;
  #child: ChildProcess | null = null;
  #waiting: Waiting[] = [];
  #chunks: Buffer[] = [];
  #buffered = 0;
  #needed = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Content of a blob. Rejects where the object is missing. */
  read(id: string): Promise<Buffer> {
    const child = this.#child ?? this.#start();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, resolve, reject });
      child.ref();
      child.stdin?.write(`${id}\n`);
    });
  }

  close(): void {
    this.#child?.stdin?.end();
    this.#child?.kill();
    this.#child = null;
  }

  #start(): ChildProcess {
    const child = spawn('git', gitArguments(['cat-file', '--batch']), {
      cwd: this.#directory,
      env: gitEnvironment(),
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => this.#take(chunk));
    child.stdin?.on('error', () => this.#fail(child, 'closed its input'));
    child.on('error', (error) => this.#fail(child, error.message));
    child.on('close', () => this.#fail(child, 'ended'));
    for (const stream of [child.stdin, child.stdout]) unref(stream);
    child.unref();
    return child;
  }

  #fail(child: ChildProcess, why: string): void {
    if (this.#child === child) this.#child = null;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#chunks = [];
    this.#buffered = 0;
    this.#needed = 0;
    for (const one of waiting) one.reject(new GitFailure(['cat-file', '--batch'], null, why));
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    // Large objects arrive in many chunks: they are joined once, when all are there.
    if (this.#buffered < this.#needed) return;
    let rest = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#needed = 0;
    for (;;) {
      const newline = rest.indexOf(10);
      if (newline < 0) break;
      const header = rest.toString('latin1', 0, newline).split(' ');
      if (header.length < 3) {
        const one = this.#waiting.shift();
        one?.reject(new GitFailure(['cat-file', '--batch'], null, `${one.id} is ${header.slice(1).join(' ')}`));
        rest = rest.subarray(newline + 1);
        continue;
      }
      const size = Number(header[2]);
      const total = newline + 1 + size + 1;
      if (rest.length < total) {
        this.#needed = total;
        break;
      }
      this.#waiting.shift()?.resolve(Buffer.from(rest.subarray(newline + 1, total - 1)));
      rest = rest.subarray(total);
    }
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#buffered = rest.length;
    if (this.#waiting.length === 0) this.#child?.unref();
  }
}

/** Pipes of a child are sockets, which have `unref` though their declared type does not say so. */
function unref(stream: object | null): void {
  if (stream !== null && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
}
