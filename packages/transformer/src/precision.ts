import { GraphBuilder, openSession } from '@lathe/graph';

/**
 * How the large matrices are held and multiplied.
 *
 * - `f32`: dequantised. The yardstick; four bytes a weight.
 * - `exact`: the file's own 4-bit blocks, unrounded, multiplied in f32; what the file holds otherwise is dequantised.
 * - `int8`: weights rounded once more to 8 bits with one scale per output; activations to 8 bits with one scale per row,
 *   so that rows never influence each other. Fastest where the machine multiplies 8-bit integers.
 *
 * Bytes a weight of a 4-bit file takes: f32 4, int8 1, exact 0.6. `exact` is the one to ask for where memory matters; on
 * a machine with AMX its steps take 1.6 times as long as int8's for one row, and twice for ten.
 */
export type Precision = 'f32' | 'exact' | 'int8';

/**
 * The precision for this machine: `int8` where its kernels multiply u8 by i8 exactly, else `exact`. x86 processors before
 * VNNI add pairs of products in 16 bits and saturate; a sum that would, tells. The number of rows and the memory that
 * happens to be free have no say: the same seed and index must give the same text whatever they are.
 */
export async function defaultPrecision(): Promise<Precision> {
  const k = 64;
  const g = new GraphBuilder();
  const one = g.scalar('one', 1);
  const zero = g.constant('zero', 'uint8', [], new Uint8Array([128]));
  const largest = g.constant('b', 'int8', [k, 1], new Int8Array(k).fill(127));
  const scales = g.constant('scales', 'float32', [1], Float32Array.of(1));
  const zeros = g.constant('zeros', 'int8', [1], new Int8Array(1));
  g.output('y', g.matMulIntegerToFloat(g.input('a', 'uint8', [1, k]), largest, one, scales, zero, zeros));
  const session = await openSession(g.build(), { threads: 1, spinning: false });
  const { y } = await session.run({ a: { dataType: 'uint8', dims: [1, k], data: new Uint8Array(k).fill(255) } });
  await session.close();
  return y!.data[0] === 127 * 127 * k ? 'int8' : 'exact';
}
