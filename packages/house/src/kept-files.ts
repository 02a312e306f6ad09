import { type FileHandle, open } from 'node:fs/promises';
import type { CuratedFile } from './sieve.ts';

/** Bytes of records that are written at once. */
const WRITTEN_BYTES = 2 ** 20;

/**
 * Kept files on disk, as JSON lines, in the order they came. In memory there are 24 bytes each (and up to half as many that
 * wait to be used): when, where and how long.
 */
export class KeptFiles {
  readonly #handle: FileHandle;
  readonly #times = new Column(Float64Array);
  readonly #roots = new Column(Uint32Array);
  /** Byte at which each record ends. */
  readonly #ends = new Column(Float64Array);
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #written = 0;

  static async create(path: string): Promise<KeptFiles> {
    return new KeptFiles(await open(path, 'w+', 0o600));
  }

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  get count(): number {
    return this.#ends.length;
  }

  timeOf(number: number): number {
    return this.#times.at(number);
  }

  /** `root`: the place of the file's root among the roots. */
  async add(file: CuratedFile, root: number): Promise<void> {
    const record = Buffer.from(`${JSON.stringify(file)}\n`);
    this.#waiting.push(record);
    this.#waitingBytes += record.length;
    this.#times.push(file.time);
    this.#roots.push(root);
    this.#ends.push(this.#written + this.#waitingBytes);
    if (this.#waitingBytes >= WRITTEN_BYTES) await this.#write();
  }

  /** Numbers of the files, oldest first, then by root and in the order they came. */
  oldestFirst(): Uint32Array {
    const numbers = Uint32Array.from({ length: this.count }, (_, i) => i);
    return numbers.sort(
      (a, b) => this.#times.at(a) - this.#times.at(b) || this.#roots.at(a) - this.#roots.at(b) || a - b,
    );
  }

  /** The record of a file as it is written, line feed included. */
  async line(number: number): Promise<Buffer> {
    if (this.#waitingBytes > 0) await this.#write();
    const start = number === 0 ? 0 : this.#ends.at(number - 1);
    const line = Buffer.alloc(this.#ends.at(number) - start);
    for (let done = 0; done < line.length; ) {
      const { bytesRead } = await this.#handle.read(line, done, line.length - done, start + done);
      if (bytesRead === 0) throw new Error('internal: a kept file is missing from the disk');
      done += bytesRead;
    }
    return line;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #write(): Promise<void> {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (let done = 0; done < bytes.length; )
      done += (await this.#handle.write(bytes, done, bytes.length - done, this.#written + done)).bytesWritten;
    this.#written += bytes.length;
  }
}

const FIRST_LENGTH = 1024;
const GROWTH = 1.5;

/** Numbers in a typed array that grows. */
class Column {
  #values: Float64Array | Uint32Array;
  #length = 0;

  constructor(Type: new (length: number) => Float64Array | Uint32Array) {
    this.#values = new Type(FIRST_LENGTH);
  }

  get length(): number {
    return this.#length;
  }

  at(index: number): number {
    return this.#values[index]!;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const longer = new (this.#values.constructor as new (length: number) => Float64Array | Uint32Array)(
        Math.ceil(this.#length * GROWTH),
      );
      longer.set(this.#values);
      this.#values = longer;
    }
    this.#values[this.#length++] = value;
  }
}
