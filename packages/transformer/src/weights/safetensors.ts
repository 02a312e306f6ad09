/**
 * The safetensors format (https://github.com/huggingface/safetensors#format): eight bytes of header length, a JSON header
 * that names each tensor's type, shape and place, then the bytes. Here with F32 tensors only.
 */
import { open, rename, rm } from 'node:fs/promises';
import { endianness } from 'node:os';

export interface FloatTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface Safetensors {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

/** A file that is not what it says. */
export class SafetensorsError extends Error {
  readonly code = 'LATHE_SAFETENSORS';
  readonly remedy: string | null = null;

  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.name = 'SafetensorsError';
  }
}

const LENGTH_BYTES = 8;
const LONGEST_HEADER = 100 * 1024 * 1024;

/** Writes beside `path`, syncs, and renames: a reader, or a crash, finds the old file or the new one, never a part. */
export async function writeSafetensors(path: string, { metadata, tensors }: Safetensors): Promise<void> {
  if (endianness() !== 'LE')
    throw new SafetensorsError(path, 'this machine stores numbers big end first, the format little end first');
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces up to a multiple of eight keep the numbers aligned.
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(padded.length));
  const temporary = `${path}.${process.pid}.part`;
  const handle = await open(temporary, 'w');
  try {
    await handle.writeFile(length);
    await handle.writeFile(padded);
    for (const { data } of tensors.values())
      await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    await handle.sync();
    await handle.close();
    await rename(temporary, path);
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Reads a file of F32 tensors. Every length and offset is held against the file before memory is taken for it. */
export async function readSafetensors(path: string): Promise<Safetensors> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const fail = (message: string): never => {
      throw new SafetensorsError(path, message);
    };
    if (size < LENGTH_BYTES) fail(`expected at least ${LENGTH_BYTES} bytes, got ${size}`);
    const headerBytes = Number((await read(LENGTH_BYTES, 0)).readBigUInt64LE());
    if (headerBytes > Math.min(LONGEST_HEADER, size - LENGTH_BYTES))
      fail(`header length: expected at most ${Math.min(LONGEST_HEADER, size - LENGTH_BYTES)}, got ${headerBytes}`);
    const header = parse((await read(headerBytes, LENGTH_BYTES)).toString('utf8'));
    const start = LENGTH_BYTES + headerBytes;
    const tensors = new Map<string, FloatTensor>();
    let metadata: Record<string, string> = {};
    for (const [name, entry] of Object.entries(header)) {
      if (name === '__metadata__') {
        metadata = Object.fromEntries(Object.entries(entry as object).map(([key, value]) => [key, String(value)]));
        continue;
      }
      const {
        dtype,
        shape,
        data_offsets: offsets,
      } = entry as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
      if (dtype !== 'F32') fail(`tensor ${name}: expected F32, got ${String(dtype)}`);
      if (!wholeNumbers(shape)) return fail(`tensor ${name}: expected a shape, got ${JSON.stringify(shape)}`);
      if (!wholeNumbers(offsets) || offsets.length !== 2)
        return fail(`tensor ${name}: expected two offsets, got ${JSON.stringify(offsets)}`);
      const [from, to] = offsets as [number, number];
      const bytes = 4 * shape.reduce((product, dim) => product * dim, 1);
      if (to - from !== bytes || start + to > size)
        fail(`tensor ${name}: expected ${bytes} bytes inside the file, got ${from} to ${to} of ${size - start}`);
      const data = new Float32Array(bytes / 4);
      const view = new Uint8Array(data.buffer);
      let done = 0;
      while (done < bytes) {
        const { bytesRead } = await handle.read(view, done, bytes - done, start + from + done);
        if (bytesRead === 0) fail(`tensor ${name}: the file ends inside it`);
        done += bytesRead;
      }
      tensors.set(name, { shape, data });
    }
    return { metadata, tensors };

    async function read(count: number, position: number): Promise<Buffer> {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, position);
      if (bytesRead !== count) fail(`expected ${count} bytes at ${position}, got ${bytesRead}`);
      return buffer;
    }

    function parse(text: string): Record<string, unknown> {
      try {
        const value: unknown = JSON.parse(text);
        if (
          typeof value === 'object' &&
          value !== null &&
          Object.values(value).every((entry) => typeof entry === 'object' && entry !== null)
        )
          return value as Record<string, unknown>;
      } catch {
        // Said below.
      }
      return fail('expected a JSON header, got something else');
    }
  } finally {
    await handle.close();
  }
}

function wholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
