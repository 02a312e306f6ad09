/**
 * Reader of GGUF files, version 2 and 3, little endian.
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 *
 *   header    magic "GGUF", u32 version, u64 tensor count, u64 metadata count
 *   metadata  (string key, u32 type, value) each; a string is u64 length and UTF-8 bytes; an array is u32 type, u64 length
 *   tensors   (string name, u32 dimensions, u64 sizes innermost first, u32 type, u64 offset) each
 *   padding   to `general.alignment` (32 unless stated)
 *   data      offsets count from here
 *
 * The file is taken for hostile: nothing it claims is allocated before it is compared with what the file can hold.
 * Only the head is read when it is opened, through a window of 1 MiB; tensors are read one at a time.
 */
import { isUtf8 } from 'node:buffer';
import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { BLOCK_LAYOUT, GGML_TYPE_BY_ID, type GgmlType, UNSUPPORTED_GGML_TYPE } from './ggml-types.ts';
import { GgufError } from './gguf-error.ts';

/** Numeric arrays keep their width; 64-bit integers are numbers where a number holds them exactly, else bigints. */
export type GgufValue =
  | string
  | number
  | bigint
  | boolean
  | readonly string[]
  | readonly boolean[]
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlType;
  /** Row-major, outermost first: a matrix of 576 outputs and 1536 inputs is [576, 1536]. */
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

export interface GgufFile {
  readonly path: string;
  readonly byteLength: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** How each value is stored, which a number alone does not tell; `array` for arrays. */
  readonly valueTypes: ReadonlyMap<string, GgufValueType>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** The stored bytes of one tensor, in a buffer of their own. */
  read(name: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

// Far above any published model, low enough that the objects made for a hostile head stay small.
const MAX_METADATA = 65_536;
const MAX_TENSORS = 65_536;
// A short string takes some 64 bytes in memory and 9 in the file: with these, strings take less than the file or 32 MiB.
const ALWAYS_ALLOWED_STRINGS = 2 ** 19;
const FILE_BYTES_PER_STRING = 64;
const MAX_BOOLEANS = 2 ** 20;
const MAX_HEAD_BYTES = 256 * 2 ** 20;
const MAX_NAME_BYTES = 65_535;
const MAX_DIMENSIONS = 4;
const MAX_ALIGNMENT = 2 ** 20;
const WINDOW_BYTES = 2 ** 20;

/** In the order of their numbers in the file. */
export const VALUE_TYPES = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
  'bool',
  'string',
  'array',
  'uint64',
  'int64',
  'float64',
] as const;
export type GgufValueType = (typeof VALUE_TYPES)[number];

/** Reads the head in order. Every read is checked against the file's size first. */
class Cursor {
  position = 0;
  stringsLeft: number;
  readonly path: string;
  readonly #fd: number;
  readonly #size: number;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;

  constructor(path: string, fd: number, size: number) {
    this.path = path;
    this.#fd = fd;
    this.#size = size;
    this.stringsLeft = Math.max(ALWAYS_ALLOWED_STRINGS, Math.floor(size / FILE_BYTES_PER_STRING));
  }

  fail(field: string, expected: string, got: string): never {
    throw new GgufError(this.path, field, expected, got);
  }

  get bytesLeft(): number {
    return this.#size - this.position;
  }

  /** The next `length` bytes, valid until the next call. */
  take(length: number, field: string): Buffer {
    if (length > this.bytesLeft)
      this.fail(
        field,
        `${length} bytes at offset ${this.position}`,
        `${this.bytesLeft} bytes before the end of the file`,
      );
    if (this.position + length > MAX_HEAD_BYTES)
      this.fail(field, `metadata and tensor list within ${MAX_HEAD_BYTES} bytes`, `${this.position + length}`);
    let from = this.position - this.#windowStart;
    if (from + length > this.#window.length) {
      this.#window = this.#readAt(this.position, Math.min(Math.max(length, WINDOW_BYTES), this.bytesLeft), field);
      this.#windowStart = this.position;
      from = 0;
    }
    this.position += length;
    return this.#window.subarray(from, from + length);
  }

  #readAt(position: number, length: number, field: string): Buffer {
    // lathe-ignore no-unsafe-alloc -- filled to its end, or an error is thrown
    const bytes = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const got = readSync(this.#fd, bytes, done, length - done, position + done);
      if (got === 0) this.fail(field, `${length} bytes at offset ${position}`, `${done}: the file became shorter`);
      done += got;
    }
    return bytes;
  }

  uint32(field: string): number {
    return this.take(4, field).readUInt32LE();
  }

  uint64(field: string): bigint {
    return this.take(8, field).readBigUInt64LE();
  }

  /** A u64 that counts things of at least `bytesEach` bytes in the rest of the file, and at most `limit`. */
  count(field: string, bytesEach: number, limit: number): number {
    const claimed = this.uint64(field);
    const most = Math.min(limit, Math.floor(this.bytesLeft / bytesEach));
    if (claimed > BigInt(most)) {
      const reason = most < limit ? `${this.bytesLeft} bytes are left in the file` : 'the most this reader accepts';
      this.fail(field, `at most ${most} (${reason})`, `${claimed}`);
    }
    return Number(claimed);
  }

  string(field: string, limit = MAX_HEAD_BYTES): string {
    const bytes = this.take(this.count(field, 1, limit), field);
    if (!isUtf8(bytes)) this.fail(field, 'UTF-8', `bytes ${bytes.subarray(0, 16).toString('hex')}`);
    return bytes.toString('utf8');
  }

  valueType(field: string): GgufValueType {
    const id = this.uint32(field);
    return VALUE_TYPES[id] ?? this.fail(field, `0 to ${VALUE_TYPES.length - 1}`, `${id}`);
  }

  value(type: GgufValueType, field: string): GgufValue {
    switch (type) {
      case 'uint8':
        return this.take(1, field).readUInt8();
      case 'int8':
        return this.take(1, field).readInt8();
      case 'uint16':
        return this.take(2, field).readUInt16LE();
      case 'int16':
        return this.take(2, field).readInt16LE();
      case 'uint32':
        return this.uint32(field);
      case 'int32':
        return this.take(4, field).readInt32LE();
      case 'float32':
        return this.take(4, field).readFloatLE();
      case 'float64':
        return this.take(8, field).readDoubleLE();
      case 'uint64':
        return exact(this.uint64(field));
      case 'int64':
        return exact(this.take(8, field).readBigInt64LE());
      case 'bool':
        return this.boolean(field);
      case 'string':
        return this.string(field);
      case 'array':
        return this.array(field);
    }
  }

  boolean(field: string): boolean {
    const byte = this.take(1, field).readUInt8();
    if (byte > 1) this.fail(field, 'a bool, 0 or 1', `${byte}`);
    return byte === 1;
  }

  array(field: string): GgufValue {
    const type = this.valueType(`${field} element type`);
    const lengthField = `${field} length`;
    switch (type) {
      case 'array':
        throw new GgufError(
          this.path,
          field,
          'an array of strings, numbers or bools',
          'an array of arrays',
          'unsupported',
        );
      case 'string': {
        const length = this.count(lengthField, 8, this.stringsLeft);
        this.stringsLeft -= length;
        const strings: string[] = [];
        for (let i = 0; i < length; i++) strings.push(this.string(field));
        return strings;
      }
      case 'bool': {
        const length = this.count(lengthField, 1, MAX_BOOLEANS);
        const booleans: boolean[] = [];
        for (let i = 0; i < length; i++) booleans.push(this.boolean(field));
        return booleans;
      }
      default: {
        const Numbers = TYPED_ARRAYS[type];
        const width = Numbers.BYTES_PER_ELEMENT;
        const length = this.count(lengthField, width, MAX_HEAD_BYTES);
        const bytes = this.take(length * width, field);
        // A copy: the window may be replaced, and a typed array must begin at a multiple of its width.
        return new Numbers(new Uint8Array(bytes).buffer);
      }
    }
  }
}

/** The array that holds numbers of each type. */
export const TYPED_ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
};

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Opens a model file and checks its whole head. Throws `GgufError`, or the file system's error where it cannot be read. */
export async function openGguf(path: string): Promise<GgufFile> {
  const handle = await open(path, 'r');
  try {
    const stat = await handle.stat();
    if (!stat.isFile())
      throw new GgufError(path, 'file', 'a regular file', stat.isDirectory() ? 'a folder' : 'a device');
    const { metadata, valueTypes, tensors } = readHead(new Cursor(path, handle.fd, stat.size), stat.size);
    return {
      path,
      byteLength: stat.size,
      metadata,
      valueTypes,
      tensors,
      read: (name) => readTensor(path, handle, tensors, name),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function readHead(cursor: Cursor, fileBytes: number) {
  const magic = cursor.take(4, 'magic').toString('latin1');
  if (magic !== 'GGUF') cursor.fail('magic', '"GGUF"', JSON.stringify(magic));
  const version = cursor.uint32('version');
  if (version !== 2 && version !== 3) {
    const bigEndian = version === 0x02000000 || version === 0x03000000;
    const got = bigEndian ? 'a big-endian file' : `version ${version}`;
    throw new GgufError(cursor.path, 'version', 'GGUF version 2 or 3, little endian', got, 'unsupported');
  }
  // Smallest possible entries: name length, dimensions, one size, type, offset; key length, type, one byte.
  const tensorCount = cursor.count('tensor count', 8 + 4 + 8 + 4 + 8, MAX_TENSORS);
  const metadataCount = cursor.count('metadata count', 8 + 4 + 1, MAX_METADATA);

  const metadata = new Map<string, GgufValue>();
  const valueTypes = new Map<string, GgufValueType>();
  for (let i = 0; i < metadataCount; i++) {
    const key = cursor.string(`metadata key ${i}`, MAX_NAME_BYTES);
    const field = `metadata ${JSON.stringify(key)}`;
    if (metadata.has(key)) cursor.fail(field, 'each key once', 'it twice');
    const type = cursor.valueType(`${field} type`);
    valueTypes.set(key, type);
    metadata.set(key, cursor.value(type, field));
  }

  const alignment = metadata.get('general.alignment') ?? 32;
  if (
    typeof alignment !== 'number' ||
    alignment < 8 ||
    alignment > MAX_ALIGNMENT ||
    !Number.isInteger(Math.log2(alignment))
  )
    cursor.fail('metadata "general.alignment"', `a power of two from 8 to ${MAX_ALIGNMENT}`, String(alignment));

  const relative: GgufTensor[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const tensor = readTensorInfo(cursor, i, alignment);
    if (names.has(tensor.name)) cursor.fail(`tensor ${JSON.stringify(tensor.name)}`, 'each name once', 'it twice');
    names.add(tensor.name);
    relative.push(tensor);
  }

  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const tensor of relative) {
    const end = dataStart + tensor.byteOffset + tensor.byteLength;
    if (end > fileBytes)
      cursor.fail(
        `tensor ${JSON.stringify(tensor.name)}`,
        `data that ends within the file (${fileBytes} bytes)`,
        `end ${end}`,
      );
    tensors.set(tensor.name, { ...tensor, byteOffset: dataStart + tensor.byteOffset });
  }
  refuseOverlap(cursor, [...tensors.values()]);
  return { metadata, valueTypes, tensors };
}

/** `byteOffset` still counts from the start of the data. */
function readTensorInfo(cursor: Cursor, index: number, alignment: number): GgufTensor {
  const name = cursor.string(`tensor name ${index}`, MAX_NAME_BYTES);
  const field = `tensor ${JSON.stringify(name)}`;
  const dimensions = cursor.uint32(`${field} dimensions`);
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS)
    cursor.fail(`${field} dimensions`, `1 to ${MAX_DIMENSIONS}`, `${dimensions}`);

  const shape: number[] = [];
  let elements = 1n;
  for (let i = 0; i < dimensions; i++) {
    const size = cursor.uint64(`${field} size ${i}`);
    elements *= size;
    if (size === 0n || elements > BigInt(Number.MAX_SAFE_INTEGER))
      cursor.fail(`${field} size ${i}`, 'at least 1 and a product below 2^53', `${size}`);
    shape.unshift(Number(size));
  }

  const typeId = cursor.uint32(`${field} type`);
  const type = GGML_TYPE_BY_ID.get(typeId);
  if (type === undefined) {
    const supported = [...GGML_TYPE_BY_ID.values()].join(', ');
    const known = UNSUPPORTED_GGML_TYPE.get(typeId);
    if (known === undefined) cursor.fail(`${field} type`, `the number of one of ${supported}`, `${typeId}`);
    throw new GgufError(cursor.path, `${field} type`, `one of ${supported}`, known, 'unsupported');
  }
  const layout = BLOCK_LAYOUT[type];
  const rowLength = shape[shape.length - 1]!;
  if (rowLength % layout.elements !== 0)
    cursor.fail(`${field} row length`, `a multiple of ${layout.elements} for ${type}`, `${rowLength}`);
  const byteLength = (elements / BigInt(layout.elements)) * BigInt(layout.bytes);
  if (byteLength > BigInt(Number.MAX_SAFE_INTEGER)) cursor.fail(`${field} bytes`, 'below 2^53', `${byteLength}`);

  const offset = cursor.uint64(`${field} offset`);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER) - byteLength) cursor.fail(`${field} offset`, 'below 2^53', `${offset}`);
  if (offset % BigInt(alignment) !== 0n) cursor.fail(`${field} offset`, `a multiple of ${alignment}`, `${offset}`);
  return { name, type, shape, byteOffset: Number(offset), byteLength: Number(byteLength) };
}

function refuseOverlap(cursor: Cursor, tensors: GgufTensor[]): void {
  tensors.sort((a, b) => a.byteOffset - b.byteOffset);
  for (let i = 1; i < tensors.length; i++) {
    const before = tensors[i - 1]!;
    const after = tensors[i]!;
    const end = before.byteOffset + before.byteLength;
    if (after.byteOffset < end)
      cursor.fail(
        `tensor ${JSON.stringify(after.name)} offset`,
        `${end} or more, where tensor ${JSON.stringify(before.name)} ends`,
        `${after.byteOffset}`,
      );
  }
}

async function readTensor(
  path: string,
  handle: FileHandle,
  tensors: ReadonlyMap<string, GgufTensor>,
  name: string,
): Promise<Uint8Array> {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new GgufError(path, 'tensors', `one named ${JSON.stringify(name)}`, 'none');
  const bytes = new Uint8Array(tensor.byteLength);
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(
      bytes,
      done,
      Math.min(bytes.length - done, 2 ** 30),
      tensor.byteOffset + done,
    );
    if (bytesRead === 0)
      throw new GgufError(
        path,
        `tensor ${JSON.stringify(name)}`,
        `${bytes.length} bytes`,
        `${done}: the file became shorter`,
      );
    done += bytesRead;
  }
  return bytes;
}
