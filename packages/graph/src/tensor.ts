import type { Shape } from './dimension.ts';

export type DataType = 'float32' | 'int8' | 'uint8' | 'int32' | 'int64' | 'bool';

export type TensorData = Float32Array | Int8Array | Uint8Array | Int32Array | BigInt64Array;

/** What shape inference gives for one result. */
export interface TensorType {
  readonly dataType: DataType;
  readonly shape: Shape;
}

/** A value in a graph, known by its name. */
export interface Tensor extends TensorType {
  readonly name: string;
}

/** A tensor with its numbers, row-major. A view into a larger buffer is fine. */
export interface Value {
  readonly dataType: DataType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

const ARRAY_OF = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const;

/** True where `data` is the kind of array that holds `dataType`. */
export function holds(data: TensorData, dataType: DataType): boolean {
  return data instanceof ARRAY_OF[dataType];
}
