import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Tree } from '@lathe/protocol';
import { environment, GitFailure, gitText } from '../git-log.ts';

/** A file of a commit: what names its content, and how large that is. */
export interface CommittedFile {
  readonly id: string;
  readonly bytes: number;
}

/** Plain files of a commit by path, in git's order. Links, submodules and names that are not UTF-8 are left out. */
export async function filesOf(directory: string, commit: string): Promise<Map<string, CommittedFile>> {
  const files = new Map<string, CommittedFile>();
  for (const entry of (await gitText(directory, ['ls-tree', '-r', '-l', '-z', '--full-tree', commit])).split('\0')) {
    const [, id, bytes, path] = /^100\d{3} blob ([0-9a-f]+) +(\d+)\t(.*)$/s.exec(entry) ?? [];
    if (id !== undefined && !path.includes('�')) files.set(path, { id, bytes: Number(bytes) });
  }
  return files;
}

/** The files as a tree that reads its contents when asked for them. */
export function treeOf(files: ReadonlyMap<string, CommittedFile>, reader: BlobReader): Tree {
  return {
    list: async () => [...files.keys()].sort(),
    read: async (path) => {
      const file = files.get(path);
      return file ? reader.read(file.id) : null;
    },
  };
}

/** One `git cat-file --batch` that answers for contents, one after another, until it is closed. */
export class BlobReader {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #pieces: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.#child = spawn('git', ['-C', directory, 'cat-file', '--batch'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: environment(),
    });
    // What goes wrong shows as an answer that ends too soon.
    this.#child.on('error', () => {});
    this.#child.stdin.on('error', () => {});
    this.#pieces = this.#child.stdout[Symbol.asyncIterator]();
  }

  /** @throws {GitFailure} where git has no such content or ended. */
  read(id: string): Promise<Buffer> {
    const answer = this.#last.then(() => this.#ask(id));
    this.#last = answer.catch(() => {});
    return answer;
  }

  close(): void {
    this.#child.stdin.end();
    this.#child.kill();
  }

  async #ask(id: string): Promise<Buffer> {
    this.#child.stdin.write(`${id}\n`);
    while (!this.#rest.includes(10)) this.#rest = Buffer.concat([this.#rest, await this.#next(id)]);
    const end = this.#rest.indexOf(10);
    const [, type, size] = this.#rest.toString('latin1', 0, end).split(' ');
    this.#rest = this.#rest.subarray(end + 1);
    if (type !== 'blob') throw unreadable(id);
    const pieces = [this.#rest];
    let held = this.#rest.length;
    // A newline follows the content.
    while (held < Number(size) + 1) {
      const piece = await this.#next(id);
      pieces.push(piece);
      held += piece.length;
    }
    const whole = Buffer.concat(pieces);
    this.#rest = whole.subarray(Number(size) + 1);
    return whole.subarray(0, Number(size));
  }

  async #next(id: string): Promise<Buffer> {
    const { value, done } = await this.#pieces.next();
    if (done) throw unreadable(id);
    return value;
  }
}

function unreadable(id: string): GitFailure {
  return new GitFailure(
    `git has no content ${id}, though a commit names it.`,
    'The object database is damaged or incomplete: `git fsck` says what is missing.',
  );
}
