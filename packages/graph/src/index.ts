export { backward } from './backward.ts';
export { type Constant, type Graph, GraphBuilder, type Node } from './builder.ts';
export { addDims, type Dim, multiplyDims, type Shape, type SymbolicDim, shapeText, symbol } from './dimension.ts';
export { GraphError } from './graph-error.ts';
export { peakBytes } from './liveness.ts';
export type { Op, OpKind, OpOf } from './op.ts';
export type { Span } from './recompute.ts';
export {
  type Device,
  openSavedSession,
  openSession,
  requireDevice,
  type Session,
  type SessionOptions,
  savedSessionRuntime,
  saveSession,
} from './session.ts';
export type { DataType, Tensor, TensorData, TensorType, Value } from './tensor.ts';
