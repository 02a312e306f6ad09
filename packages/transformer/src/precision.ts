/**
 * How the large matrices are held and multiplied.
 *
 * - `f32`: dequantised. The yardstick; four bytes a weight.
 * - `exact`: the file's own 4- and 8-bit blocks, unrounded, multiplied in f32. Least memory; fastest for one row in memory-bound machines.
 * - `int8`: weights rounded once more to 8 bits with one scale per output; activations to 8 bits with one scale per row,
 *   so that rows never influence each other. Fastest where the machine multiplies 8-bit integers.
 */
export type Precision = 'f32' | 'exact' | 'int8';
