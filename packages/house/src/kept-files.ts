import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { CuratedFile } from './sieve.ts';

/** Bytes of records that are written at once. */
const WRITTEN_BYTES = 2 ** 20;

/**
 * Kept files on disk, as JSON lines, in the order they came. In memory there are 24 bytes each (and up to half as many that
 * wait to be used): when, where and how long.
 */
export class KeptFiles {
  readonly #descriptor: number;
  readonly #times = new Column(Float64Array);
  readonly #roots = new Column(Uint32Array);
  /** Byte at which each record ends. */
  readonly #ends = new Column(Float64Array);
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #written = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'w+', 0o600);
  }

  get count(): number {
    return this.#ends.length;
  }

  timeOf(number: number): number {
    return this.#times.at(number);
  }

  /** `root`: the place of the file's root among the roots. */
  add(file: CuratedFile, root: number): void {
    const record = Buffer.from(`${JSON.stringify(file)}\n`);
    this.#waiting.push(record);
    this.#waitingBytes += record.length;
    this.#times.push(file.time);
    this.#roots.push(root);
    this.#ends.push(this.#written + this.#waitingBytes);
    if (this.#waitingBytes >= WRITTEN_BYTES) this.#write();
  }

  /** Numbers of the files, oldest first, then by root and in the order they came. */
  oldestFirst(): Uint32Array {
    const numbers = Uint32Array.from({ length: this.count }, (_, i) => i);
    return numbers.sort(
      (a, b) => this.#times.at(a) - this.#times.at(b) || this.#roots.at(a) - this.#roots.at(b) || a - b,
    );
  }

  /** The record of a file as it is written, line feed included. */
  line(number: number): Buffer {
    if (this.#waitingBytes > 0) this.#write();
    const start = number === 0 ? 0 : this.#ends.at(number - 1);
    const line = Buffer.alloc(this.#ends.at(number) - start);
    for (let done = 0; done < line.length; ) {
      const read = readSync(this.#descriptor, line, done, line.length - done, start + done);
      if (read === 0) throw new Error('internal: a kept file is missing from the disk');
      done += read;
    }
    return line;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #write(): void {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, this.#written + done);
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
