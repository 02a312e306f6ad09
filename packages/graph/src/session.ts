import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { Graph } from './builder.ts';
import { evaluateDim, plainSymbol, type Shape, shapeText } from './dimension.ts';
import { GraphError } from './graph-error.ts';
import { writeOnnx } from './onnx.ts';
import type { DataType, Tensor, TensorData, Value } from './tensor.ts';

export interface SessionOptions {
  /** Threads of one operation, this one included. */
  readonly threads: number;
  /** Whether idle threads wait actively: faster alone, ruinous beside other work on the same cores. */
  readonly spinning: boolean;
  /** Writes a trace of every node to `<prefix>_<time>.json` when the session is closed. */
  readonly profilePrefix?: string;
}

/**
 * A graph ready to run in this thread. `run` blocks the thread's event loop while the graph runs, so a session belongs in
 * a worker thread.
 */
export interface Session {
  /**
   * Results named in `fetch` (all where left out). Inputs are read in place; each result is a fresh buffer. Sizes of
   * symbols follow from the inputs' dims. Throws `GraphError` where an input is missing or does not fit.
   */
  run(feeds: Readonly<Record<string, Value>>, fetch?: readonly string[]): Promise<Record<string, Value>>;
  close(): Promise<void>;
}

export async function openSession(graph: Graph, options: SessionOptions): Promise<Session> {
  const model = writeOnnx(graph);
  const session = await InferenceSession.create(model.bytes, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    executionMode: 'sequential',
    externalData: model.externalData as { path: string; data: Uint8Array }[],
    extra: { session: { intra_op: { allow_spinning: options.spinning ? '1' : '0' } } },
    ...(options.profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
  }).catch((cause: unknown) => {
    throw new GraphError('LATHE_GRAPH_RUNTIME', `onnxruntime refused the graph: ${reason(cause)}`, { cause });
  });

  return {
    async run(feeds, fetch = graph.outputs.map(({ name }) => name)) {
      const symbols = bindSymbols(graph.inputs, feeds);
      const ortFeeds: Record<string, OrtTensor> = {};
      for (const { name } of graph.inputs) ortFeeds[name] = ortTensor(feeds[name]!);
      for (const { name, shape } of model.vectorInputs)
        ortFeeds[name] = new OrtTensor(
          'int64',
          BigInt64Array.from(shape, (dim) => BigInt(evaluateDim(dim, symbols))),
          [shape.length],
        );
      const results = await session.run(ortFeeds, fetch).catch((cause: unknown) => {
        throw new GraphError('LATHE_GRAPH_RUNTIME', `onnxruntime could not run the graph: ${reason(cause)}`, { cause });
      });
      const values: Record<string, Value> = {};
      for (const name of fetch) {
        const { type, dims, data } = results[name]!;
        values[name] = { dataType: type as DataType, dims, data: data as TensorData };
      }
      return values;
    },
    close: () => session.release(),
  };
}

function ortTensor({ dataType, data, dims }: Value): OrtTensor {
  return new OrtTensor(dataType, data, dims);
}

/** Values of all symbols. Every input is compared with its declared shape. */
function bindSymbols(inputs: readonly Tensor[], feeds: Readonly<Record<string, Value>>): ReadonlyMap<string, number> {
  const symbols = new Map<string, number>();
  const derived: Tensor[] = [];
  for (const input of inputs) {
    const value = feeds[input.name];
    if (value === undefined) throw new GraphError('LATHE_GRAPH_INPUT', `expected an input ${input.name}, got none`);
    if (value.dataType !== input.dataType || value.dims.length !== input.shape.length) refuse(input, value);
    for (const [i, dim] of input.shape.entries()) {
      const size = value.dims[i]!;
      const name = plainSymbol(dim);
      if (name !== null && !symbols.has(name)) symbols.set(name, size);
      else if (name !== null ? symbols.get(name) !== size : typeof dim === 'number' && dim !== size)
        refuse(input, value);
    }
    if (input.shape.some((dim) => typeof dim !== 'number' && plainSymbol(dim) === null)) derived.push(input);
  }
  for (const input of derived)
    if (input.shape.some((dim, i) => evaluateDim(dim, symbols) !== feeds[input.name]!.dims[i]))
      refuse(input, feeds[input.name]!);
  return symbols;
}

function refuse(input: Tensor, value: Value): never {
  throw new GraphError(
    'LATHE_GRAPH_INPUT',
    `input ${input.name}: expected ${input.dataType} ${shapeText(input.shape)}, got ${value.dataType} ${shapeText(value.dims as Shape)}`,
  );
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
