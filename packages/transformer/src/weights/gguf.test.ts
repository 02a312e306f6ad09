import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GgufFile, type GgufValue, openGguf } from './gguf.ts';
import { GgufError } from './gguf-error.ts';
import { head, type WritableTensor, writeGguf } from './gguf-writer.ts';
import { metadataInteger, metadataString, metadataStrings, optionalBoolean, optionalNumber } from './metadata.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-gguf-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const metadata = new Map<string, GgufValue>([
  ['general.architecture', 'llama'],
  ['llama.block_count', 2],
  ['llama.eps', 0.5],
  ['big', 2n ** 63n],
  ['yes', true],
  ['tokens', ['a', 'é', '']],
  ['types', Int32Array.of(1, -2, 3)],
  ['flags', [true, false]],
  ['wide', BigUint64Array.of(1n, 2n ** 60n)],
]);
const valueTypes = new Map([
  ['llama.block_count', 'uint32'],
  ['llama.eps', 'float32'],
  ['big', 'uint64'],
] as const);
const tensors: WritableTensor[] = [
  { name: 'a', type: 'F32', shape: [2, 3], bytes: () => new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer) },
  { name: 'b', type: 'Q8_0', shape: [3, 32], bytes: () => new Uint8Array(102).fill(7) },
  { name: 'c', type: 'F16', shape: [5], bytes: () => new Uint8Array(10).fill(9) },
];
const small = { metadata, valueTypes, tensors };

async function smallFile(): Promise<Buffer> {
  const parts: Uint8Array[] = [head(small)];
  for (const tensor of tensors) {
    const bytes = await tensor.bytes();
    parts.push(bytes, new Uint8Array((32 - (bytes.length % 32)) % 32));
  }
  return Buffer.concat(parts);
}

let count = 0;
async function openBytes(bytes: Uint8Array): Promise<GgufFile> {
  const path = join(folder, `${count++}.gguf`);
  await writeFile(path, bytes);
  try {
    return await openGguf(path);
  } finally {
    await rm(path);
  }
}

/** The small file with some bytes replaced. */
async function patched(change: (bytes: Buffer) => void): Promise<Buffer> {
  const bytes = await smallFile();
  change(bytes);
  return bytes;
}

test('reads back what was written', async () => {
  const path = join(folder, 'small.gguf');
  await writeGguf(path, small);
  const file = await openGguf(path);
  expect(file.metadata).toEqual(metadata);
  expect(file.valueTypes.get('llama.eps')).toBe('float32');
  expect(
    [...file.tensors.values()].map(({ name, type, shape, byteLength }) => ({ name, type, shape, byteLength })),
  ).toEqual([
    { name: 'a', type: 'F32', shape: [2, 3], byteLength: 24 },
    { name: 'b', type: 'Q8_0', shape: [3, 32], byteLength: 102 },
    { name: 'c', type: 'F16', shape: [5], byteLength: 10 },
  ]);
  for (const tensor of tensors) expect(await file.read(tensor.name)).toEqual(await tensor.bytes());
  await expect(file.read('d')).rejects.toThrow(/one named "d"/);
  await file.close();
});

test('metadata is given with its type checked', async () => {
  const file = await openBytes(await smallFile());
  expect(metadataString(file, 'general.architecture')).toBe('llama');
  expect(metadataInteger(file, 'llama.block_count', { min: 1, max: 8 })).toBe(2);
  expect(optionalNumber(file, 'llama.eps')).toBe(0.5);
  expect(optionalBoolean(file, 'yes')).toBe(true);
  expect(optionalBoolean(file, 'no')).toBeNull();
  expect(metadataStrings(file, 'tokens')).toEqual(['a', 'é', '']);
  expect(() => metadataInteger(file, 'llama.block_count', { min: 3, max: 8 })).toThrow(/from 3 to 8, got 2/);
  expect(() => metadataString(file, 'absent')).toThrow(/"absent": expected a string, got nothing/);
  expect(() => metadataStrings(file, 'types')).toThrow(/array of strings, got Int32Array/);
  await file.close();
});

describe('names the field, the expectation and what the file says', () => {
  const uint64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  };
  /** Where the u64 after the first occurrence of `text` begins, and so on. */
  const after = (bytes: Buffer, text: string) => bytes.indexOf(text) + text.length;

  test.each<[string, (bytes: Buffer) => void, RegExp]>([
    ['magic', (b) => b.write('GGML', 0), /magic: expected "GGUF", got "GGML"/],
    ['version 1', (b) => b.writeUInt32LE(1, 4), /version: expected .* got version 1/],
    ['big endian', (b) => b.writeUInt32BE(3, 4), /got a big-endian file/],
    ['tensor count', (b) => uint64(2n ** 40n).copy(b, 8), /tensor count: expected at most \d+ .* got 1099511627776/],
    ['tensor count above the limit', (b) => uint64(2n ** 64n - 1n).copy(b, 8), /tensor count/],
    ['metadata count', (b) => uint64(2n ** 63n).copy(b, 16), /metadata count/],
    ['key length', (b) => uint64(2n ** 31n).copy(b, 24), /metadata key 0: expected at most/],
    [
      'value type',
      (b) => b.writeUInt32LE(13, after(b, 'general.architecture')),
      /"general.architecture" type: expected 0 to 12, got 13/,
    ],
    ['bool', (b) => b.writeUInt8(2, after(b, 'yes') + 4), /a bool, 0 or 1, got 2/],
    ['array length', (b) => uint64(2n ** 50n).copy(b, after(b, 'types') + 8), /"types" length: expected at most/],
    ['string array length', (b) => uint64(2n ** 21n).copy(b, after(b, 'tokens') + 8), /"tokens" length/],
    ['array of arrays', (b) => b.writeUInt32LE(9, after(b, 'types') + 4), /got an array of arrays/],
    ['text', (b) => b.writeUInt8(0xff, b.indexOf('é')), /"tokens": expected UTF-8, got bytes ff/],
    ['duplicate key', (b) => b.write('big', b.indexOf('yes')), /metadata "big": expected each key once/],
  ])('%s', async (_, change, message) => {
    const opening = openBytes(await patched(change));
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toBeInstanceOf(GgufError);
  });

  /** A file whose tensor list is given as it stands. */
  function withTensors(
    ...infos: { name?: string; sizes?: bigint[]; type?: number; offset?: bigint; dimensions?: number }[]
  ) {
    const string = (text: string) => Buffer.concat([uint64(BigInt(text.length)), Buffer.from(text)]);
    const uint32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
    const parts = [Buffer.from('GGUF'), uint32(3), uint64(BigInt(infos.length)), uint64(0n)];
    for (const { name = 't', sizes = [32n], type = 0, offset = 0n, dimensions = sizes.length } of infos)
      parts.push(string(name), uint32(dimensions), ...sizes.map(uint64), uint32(type), uint64(offset));
    const bytes = Buffer.concat(parts);
    return Buffer.concat([bytes, Buffer.alloc(((32 - (bytes.length % 32)) % 32) + 256)]);
  }

  test.each<[string, Buffer, RegExp]>([
    ['no dimensions', withTensors({ dimensions: 0 }), /tensor "t" dimensions: expected 1 to 4, got 0/],
    ['many dimensions', withTensors({ dimensions: 5 }), /expected 1 to 4, got 5/],
    ['size 0', withTensors({ sizes: [0n] }), /size 0: expected at least 1/],
    ['huge sizes', withTensors({ sizes: [2n ** 40n, 2n ** 40n] }), /product below 2\^53/],
    ['a size that wraps', withTensors({ sizes: [2n ** 63n, 4n] }), /product below 2\^53/],
    ['unknown type', withTensors({ type: 99 }), /type: expected the number of one of .* got 99/],
    ['unsupported type', withTensors({ type: 16 }), /type: expected one of .* got IQ2_XXS/],
    [
      'a row of half a block',
      withTensors({ sizes: [48n], type: 8 }),
      /row length: expected a multiple of 32 for Q8_0, got 48/,
    ],
    ['offset past the end', withTensors({ offset: 2n ** 20n }), /ends within the file/],
    ['huge offset', withTensors({ offset: 2n ** 64n - 32n }), /offset: expected below 2\^53/],
    ['unaligned offset', withTensors({ offset: 8n }), /offset: expected a multiple of 32, got 8/],
    ['a tail that is missing', withTensors({ sizes: [65n] }), /ends within the file/],
    [
      'overlap',
      withTensors({ name: 'x' }, { name: 'y', offset: 96n }),
      /tensor "y" offset: expected \d+ or more, where tensor "x" ends/,
    ],
    ['the same name', withTensors({}, { offset: 128n }), /tensor "t": expected each name once/],
  ])('%s', async (_, bytes, message) => {
    await expect(openBytes(bytes)).rejects.toThrow(message);
  });

  test.each([3, 12, 2 ** 21, 0])('alignment %i', async (alignment) => {
    const bytes = head({
      metadata: new Map([['general.alignment', 32]]),
      valueTypes: new Map([['general.alignment', 'uint32']]),
      tensors: [],
    });
    bytes.writeUInt32LE(alignment, after(bytes, 'general.alignment') + 4);
    await expect(openBytes(bytes)).rejects.toThrow(/general.alignment": expected a power of two/);
  });

  test('a folder', async () => {
    await expect(openGguf(folder)).rejects.toThrow(/expected a regular file, got a folder/);
  });

  test('a file that shrinks while it is open', async () => {
    const path = join(folder, 'shrinks.gguf');
    await writeGguf(path, small);
    const file = await openGguf(path);
    await writeFile(path, 'gone');
    await expect(file.read('b')).rejects.toThrow(/102 bytes, got 0: the file became shorter/);
    await file.close();
  });
});

test('every truncation is refused', async () => {
  const bytes = await smallFile();
  const end = bytes.length - 22; // The padding after the last tensor belongs to nothing.
  for (let length = 0; length < end; length++)
    await expect(openBytes(bytes.subarray(0, length))).rejects.toBeInstanceOf(GgufError);
  await (await openBytes(bytes.subarray(0, end))).close();
});

test('damaged files give a model within the file or a GgufError, and little memory either way', async () => {
  const bytes = await smallFile();
  const flips = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  let before = process.memoryUsage();
  await fc.assert(
    fc.asyncProperty(flips, fc.nat(bytes.length), async (changes, cut) => {
      const damaged = Buffer.from(bytes.subarray(0, cut === 0 ? bytes.length : Math.max(cut, 64)));
      for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value;
      before = process.memoryUsage();
      try {
        const file = await openBytes(damaged);
        for (const tensor of file.tensors.values()) {
          expect(tensor.byteOffset + tensor.byteLength).toBeLessThanOrEqual(damaged.length);
          await file.read(tensor.name);
        }
        await file.close();
      } catch (error) {
        expect(error).toBeInstanceOf(GgufError);
      }
      const now = process.memoryUsage();
      expect(now.heapUsed + now.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(16 * 2 ** 20);
    }),
    { numRuns: 1500 },
  );
});

test('the longest list of short strings that is accepted takes little memory', async () => {
  const strings = 2 ** 19;
  const file = (count: number) => {
    const tokens = Buffer.alloc(count * 11);
    for (let i = 0; i < count; i++) {
      tokens.writeUInt8(3, i * 11);
      tokens.write(i.toString(36).padStart(3, '0').slice(-3), i * 11 + 8, 'latin1');
    }
    const bytes = head({ metadata: new Map([['tokens', ['']]]), valueTypes: new Map(), tensors: [] });
    const at = bytes.indexOf('tokens') + 6;
    const length = Buffer.from(BigUint64Array.of(BigInt(count)).buffer);
    return Buffer.concat([bytes.subarray(0, at + 8), length, tokens, Buffer.alloc(32)]);
  };
  const path = join(folder, 'strings.gguf');
  await writeFile(path, file(strings));
  const reader = new URL('./gguf.ts', import.meta.url).href;
  const program = `
    import { openGguf } from '${reader}';
    const before = process.resourceUsage().maxRSS;
    const file = await openGguf(process.argv[1]);
    console.log(file.metadata.get('tokens').length, process.resourceUsage().maxRSS - before);
    await file.close();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, path]);
  const [count, grownKib] = stdout.trim().split(' ').map(Number);
  expect(count).toBe(strings);
  expect(grownKib! * 1024).toBeLessThan(96 * 2 ** 20);
  await expect(openBytes(file(strings + 1))).rejects.toThrow(
    /"tokens" length: expected at most 524288 \(the most this reader accepts/,
  );
});
