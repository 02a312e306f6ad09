import type { FileState } from './line-table.ts';

/** Numbers for paths, in the order in which they were first met. One table serves all trees of a history. */
export class PathNumbers {
  readonly paths: string[] = [];
  readonly #numbers = new Map<string, number>();

  of(path: string): number {
    let number = this.#numbers.get(path);
    if (number === undefined) {
      number = this.paths.push(path) - 1;
      this.#numbers.set(path, number);
    }
    return number;
  }
}

const CHUNK_BITS = 7;
const CHUNK = 1 << CHUNK_BITS;
type Chunk = (FileState | undefined)[];

/**
 * The files of a commit by path, as chunks by path number that trees share until one of them changes. A history of twenty
 * thousand commits and files has thousands of branches: copying a whole map for each cost more than all the rest.
 */
export class FileTree {
  readonly #numbers: PathNumbers;
  readonly #chunks: (Chunk | undefined)[];
  /** Chunks that no other tree has, by position. */
  #own = new Set<number>();

  constructor(numbers: PathNumbers, chunks: readonly (Chunk | undefined)[] = []) {
    this.#numbers = numbers;
    this.#chunks = [...chunks];
  }

  /** A tree that begins the same and changes apart from this one. */
  fork(): FileTree {
    this.#own.clear();
    return new FileTree(this.#numbers, this.#chunks);
  }

  get(path: string): FileState | undefined {
    const number = this.#numbers.of(path);
    return this.#chunks[number >> CHUNK_BITS]?.[number % CHUNK];
  }

  set(path: string, state: FileState): void {
    this.#put(path, state);
  }

  delete(path: string): void {
    if (this.get(path)) this.#put(path, undefined);
  }

  *[Symbol.iterator](): Generator<[string, FileState]> {
    for (const [at, chunk] of this.#chunks.entries()) {
      if (!chunk) continue;
      for (let i = 0; i < CHUNK; i++) {
        const state = chunk[i];
        if (state) yield [this.#numbers.paths[(at << CHUNK_BITS) + i], state];
      }
    }
  }

  #put(path: string, state: FileState | undefined): void {
    const number = this.#numbers.of(path);
    const at = number >> CHUNK_BITS;
    if (!this.#own.has(at)) {
      while (this.#chunks.length <= at) this.#chunks.push(undefined);
      this.#chunks[at] = this.#chunks[at]?.slice() ?? new Array<FileState | undefined>(CHUNK).fill(undefined);
      this.#own.add(at);
    }
    const chunk = this.#chunks[at];
    if (chunk) chunk[number % CHUNK] = state;
  }
}
