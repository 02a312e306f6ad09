import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Prefix } from '../evaluator.ts';
import { DiskCache } from './disk-cache.ts';

const BLOCK_FILE = 'block';

/** Keys and values of `blockTokens` tokens: layer by layer keys, then values, [G, blockTokens, D] each. */
type Block = Float32Array;

export interface PrefixCacheOptions {
  /** Tokens that are read at once, and so kept at once. */
  readonly blockTokens: number;
  /** How much of the memory blocks may take; the last used stay. */
  readonly memoryBytes: number;
  /** Blocks on disk; null keeps them in memory only. `modelKey`: equal for models that compute the same. */
  readonly disk: { readonly folder: string; readonly maxBytes: number; readonly modelKey: string } | null;
}

/**
 * Keys and values of prompts that were read before. A prompt is cut into blocks, the ones it is read in; a block is known
 * by the model, its tokens and all tokens before it (a chain of hashes), which is what its keys and values depend on. So a
 * prompt that begins like an earlier one, by whole blocks, starts there, and computes bit for bit what it would have
 * computed from its first token. The last block is always read again: what follows it is wanted.
 */
export class PrefixCache {
  readonly #config: Config;
  readonly #options: PrefixCacheOptions;
  readonly #disk: DiskCache | null;
  /** The one used last at the end. */
  readonly #memory = new Map<string, Block>();
  #memoryBytes = 0;

  constructor(config: Config, options: PrefixCacheOptions) {
    this.#config = config;
    this.#options = options;
    this.#disk = options.disk === null ? null : new DiskCache(options.disk.folder, options.disk.maxBytes);
  }

  /** Why prompts could not be kept on disk, in words; null where they were. */
  get trouble(): string | null {
    return this.#disk?.trouble ?? null;
  }

  /** The longest known beginning of `tokens`, short of its end; null where nothing is known. */
  async find(tokens: readonly number[]): Promise<Prefix | null> {
    const blocks: Block[] = [];
    for (const key of this.#keys(tokens, tokens.length - 1)) {
      const block = this.#memory.get(key) ?? (await this.#fromDisk(key));
      if (block === null) break;
      this.#hold(key, block);
      blocks.push(block);
    }
    return blocks.length === 0 ? null : this.#join(blocks);
  }

  /** Keeps the whole blocks of a prompt that was read. */
  async keep(tokens: readonly number[], prefix: Prefix): Promise<void> {
    for (const [i, key] of this.#keys(tokens, prefix.length).entries()) {
      if (this.#memory.has(key)) continue;
      const block = this.#cut(prefix, i);
      this.#hold(key, block);
      const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
      // A folder that cannot be written now cannot be written for the next block either.
      if (this.#disk === null || this.#disk.trouble !== null) continue;
      await this.#disk.store(key, bytes.length, (folder) =>
        writeFile(join(folder, BLOCK_FILE), bytes, { mode: 0o600 }),
      );
    }
  }

  #keys(tokens: readonly number[], length: number): string[] {
    const { blockTokens, disk } = this.#options;
    const keys: string[] = [];
    let chain = disk?.modelKey ?? '';
    for (let end = blockTokens; end <= length; end += blockTokens) {
      const block = Uint32Array.from(tokens.slice(end - blockTokens, end));
      chain = createHash('sha256').update(chain).update(block).digest('hex').slice(0, 40);
      keys.push(chain);
    }
    return keys;
  }

  async #fromDisk(key: string): Promise<Block | null> {
    const folder = (await this.#disk?.find(key)) ?? null;
    if (folder === null) return null;
    const bytes = await readFile(join(folder, BLOCK_FILE)).catch(() => null);
    if (bytes === null || bytes.length !== this.#layers() * 2 * this.#sliceElements() * 4) return null;
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  }

  #hold(key: string, block: Block): void {
    if (this.#memory.delete(key)) this.#memoryBytes -= block.byteLength;
    this.#memory.set(key, block);
    this.#memoryBytes += block.byteLength;
    for (const [oldest, { byteLength }] of this.#memory) {
      if (this.#memoryBytes <= this.#options.memoryBytes) break;
      this.#memory.delete(oldest);
      this.#memoryBytes -= byteLength;
    }
  }

  #layers(): number {
    return this.#config.nLayer;
  }

  /** Numbers of one layer's keys in a block. */
  #sliceElements(): number {
    return this.#config.nKvHead * this.#options.blockTokens * this.#config.headSize;
  }

  #cut(prefix: Prefix, place: number): Block {
    const { nKvHead: G, headSize: D } = this.#config;
    const size = this.#options.blockTokens * D;
    const block = new Float32Array(this.#layers() * 2 * G * size);
    let at = 0;
    for (let layer = 0; layer < this.#layers(); layer++)
      for (const source of [prefix.keys[layer]!, prefix.values[layer]!])
        for (let group = 0; group < G; group++, at += size) {
          const start = group * prefix.length * D + place * size;
          block.set(source.subarray(start, start + size), at);
        }
    return block;
  }

  #join(blocks: readonly Block[]): Prefix {
    const { nKvHead: G, headSize: D } = this.#config;
    const size = this.#options.blockTokens * D;
    const length = blocks.length * this.#options.blockTokens;
    const joined = (slice: number) => {
      const made = new Float32Array(G * length * D);
      for (const [place, block] of blocks.entries())
        for (let group = 0; group < G; group++) {
          const start = (slice * G + group) * size;
          made.set(block.subarray(start, start + size), group * length * D + place * size);
        }
      return made;
    };
    const layers = Array.from({ length: this.#layers() }, (_, layer) => layer);
    return {
      length,
      keys: layers.map((layer) => joined(2 * layer)),
      values: layers.map((layer) => joined(2 * layer + 1)),
    };
  }
}
