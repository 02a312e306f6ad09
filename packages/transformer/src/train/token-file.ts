import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';

/** Tokens in a row, of which a window at a time is looked at: typed arrays are such rows, and so is a `TokenFile`. */
export interface Tokens {
  readonly length: number;
  /** Tokens `start` to `end` (not included); fewer where the row ends before. */
  subarray(start: number, end: number): ArrayLike<number>;
}

/** Tokens that are written at once. */
const WRITTEN_TOKENS = 2 ** 16;

/**
 * A row of tokens on disk, 2 bytes each where the vocabulary has at most 65,536, else 4. A window is read when it is looked
 * at, so memory does not grow with the corpus; the system keeps in memory what there is room for. The file has no
 * name once it is open: it goes when it is closed or this process ends, however that comes.
 */
export class TokenFile implements Tokens {
  readonly #descriptor: number;
  readonly #bytesPerToken: 2 | 4;
  #length = 0;
  #waiting: Uint16Array | Uint32Array;
  #waitingCount = 0;

  /** An empty row in a new file at `path`, which must be in a folder that can be written to. */
  constructor(path: string, vocabSize: number) {
    this.#descriptor = openSync(path, 'w+', 0o600);
    unlinkSync(path);
    this.#bytesPerToken = vocabSize <= 2 ** 16 ? 2 : 4;
    this.#waiting = this.#room(WRITTEN_TOKENS);
  }

  get length(): number {
    return this.#length;
  }

  push(token: number): void {
    this.#waiting[this.#waitingCount++] = token;
    this.#length++;
    if (this.#waitingCount === WRITTEN_TOKENS) this.#write();
  }

  subarray(start: number, end: number): Uint16Array | Uint32Array {
    if (this.#waitingCount > 0) this.#write();
    const window = this.#room(Math.max(0, Math.min(end, this.#length) - start));
    const bytes = new Uint8Array(window.buffer);
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.#descriptor, bytes, done, bytes.length - done, start * this.#bytesPerToken + done);
      if (read === 0) throw new Error(`internal: ${bytes.length - done} bytes of the token file are missing`);
      done += read;
    }
    return window;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #room(tokens: number): Uint16Array | Uint32Array {
    return this.#bytesPerToken === 2 ? new Uint16Array(tokens) : new Uint32Array(tokens);
  }

  #write(): void {
    const bytes = new Uint8Array(this.#waiting.buffer, 0, this.#waitingCount * this.#bytesPerToken);
    const at = (this.#length - this.#waitingCount) * this.#bytesPerToken;
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, at + done);
    this.#waitingCount = 0;
  }
}
