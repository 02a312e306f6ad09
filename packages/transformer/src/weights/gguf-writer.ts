/** Writer of GGUF files, version 3, little endian; the layout is described in gguf.ts. */
import { type FileHandle, open } from 'node:fs/promises';
import { BLOCK_LAYOUT, GGML_TYPE_BY_ID, type GgmlType } from './ggml-types.ts';
import { type GgufValue, type GgufValueType, TYPED_ARRAYS, VALUE_TYPES } from './gguf.ts';

const ALIGNMENT = 32;

export interface WritableTensor {
  readonly name: string;
  readonly type: GgmlType;
  /** Row-major, outermost first. */
  readonly shape: readonly number[];
  /** The stored bytes, asked for when it is this tensor's turn. */
  bytes(): Uint8Array | Promise<Uint8Array>;
}

export interface WritableGguf {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Type of each number; strings, bools and arrays tell theirs themselves. */
  readonly valueTypes: ReadonlyMap<string, GgufValueType>;
  readonly tensors: readonly WritableTensor[];
}

/** Writes the file in place: name a temporary path and rename it where a reader might see it half written. */
export async function writeGguf(path: string, content: WritableGguf): Promise<void> {
  const handle = await open(path, 'w');
  try {
    await handle.writeFile(head(content));
    for (const tensor of content.tensors) await writeTensor(handle, tensor);
  } finally {
    await handle.close();
  }
}

async function writeTensor(handle: FileHandle, tensor: WritableTensor): Promise<void> {
  const bytes = await tensor.bytes();
  const expected = byteLength(tensor);
  if (bytes.length !== expected)
    throw new RangeError(`tensor ${tensor.name}: expected ${expected} bytes of ${tensor.type}, got ${bytes.length}`);
  await handle.writeFile(bytes);
  await handle.writeFile(Buffer.alloc(padded(expected) - expected));
}

/** Everything before the tensors' data, padded to the alignment. */
export function head({ metadata, valueTypes, tensors }: WritableGguf): Buffer {
  const alignment = metadata.get('general.alignment') ?? ALIGNMENT;
  if (alignment !== ALIGNMENT)
    throw new RangeError(`general.alignment: this writer aligns to ${ALIGNMENT} bytes, got ${alignment}`);
  const parts: Buffer[] = [Buffer.from('GGUF'), uint32(3), uint64(tensors.length), uint64(metadata.size)];
  for (const [key, value] of metadata) {
    parts.push(string(key));
    // A vocabulary has more parts than a call takes arguments.
    for (const part of typedValue(key, value, valueTypes.get(key))) parts.push(part);
  }
  let offset = 0;
  for (const tensor of tensors) {
    const sizes = [...tensor.shape].reverse();
    parts.push(
      string(tensor.name),
      uint32(sizes.length),
      ...sizes.map(uint64),
      uint32(typeId(tensor.type)),
      uint64(offset),
    );
    offset += padded(byteLength(tensor));
  }
  const bytes = Buffer.concat(parts);
  return Buffer.concat([bytes, Buffer.alloc(padded(bytes.length) - bytes.length)]);
}

function byteLength({ type, shape }: WritableTensor): number {
  const layout = BLOCK_LAYOUT[type];
  return (shape.reduce((product, size) => product * size, 1) / layout.elements) * layout.bytes;
}

function padded(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function typeId(type: GgmlType): number {
  for (const [id, name] of GGML_TYPE_BY_ID) if (name === type) return id;
  throw new Error(`internal: ${type} has no number`);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([uint64(bytes.length), bytes]);
}

const valueTypeId = (type: GgufValueType) => uint32(VALUE_TYPES.indexOf(type));

/** A value with its type number before it. */
function typedValue(key: string, value: GgufValue, type: GgufValueType | undefined): Buffer[] {
  if (typeof value === 'string') return [valueTypeId('string'), string(value)];
  if (typeof value === 'boolean') return [valueTypeId('bool'), Buffer.from([Number(value)])];
  if (typeof value === 'number' || typeof value === 'bigint') {
    const Numbers = TYPED_ARRAYS[type as keyof typeof TYPED_ARRAYS];
    if (Numbers === undefined)
      throw new RangeError(`metadata ${key}: expected a numeric type for ${value}, got ${type}`);
    const wide = type === 'uint64' || type === 'int64';
    const one = wide
      ? (Numbers as typeof BigInt64Array).of(BigInt(value))
      : (Numbers as typeof Float64Array).of(Number(value));
    return [valueTypeId(type!), bytesOf(one)];
  }
  if (ArrayBuffer.isView(value)) {
    const name = elementType(value);
    return [valueTypeId('array'), valueTypeId(name), uint64(value.length), bytesOf(value)];
  }
  const header = (name: GgufValueType) => [valueTypeId('array'), valueTypeId(name), uint64(value.length)];
  if (value.every((item) => typeof item === 'boolean') && value.length > 0)
    return [...header('bool'), Buffer.from(value.map(Number))];
  return [...header('string'), ...value.map((item) => string(String(item)))];
}

function elementType(array: NodeJS.TypedArray): GgufValueType {
  for (const [name, Numbers] of Object.entries(TYPED_ARRAYS))
    if (array instanceof Numbers) return name as GgufValueType;
  throw new Error(`internal: ${array.constructor.name} has no GGUF type`);
}

function bytesOf(array: ArrayBufferView): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}
