import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { env, InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { type Graph, GraphBuilder } from './builder.ts';
import { evaluateDim, plainSymbol, type Shape, shapeText } from './dimension.ts';
import { GraphError } from './graph-error.ts';
import { writeOnnx } from './onnx.ts';
import type { DataType, Tensor, TensorData, Value } from './tensor.ts';
import { forWebGpu, type View, webGpuError } from './webgpu.ts';

/** Where a graph runs: on this machine's processor, or on a GPU through WebGPU (Vulkan, Direct3D 12 or Metal below it). */
export type Device = 'cpu' | 'webgpu';

/**
 * Long enough for the step from one operation to the next, so that a thread need not be woken for each; too short to keep a
 * core from others.
 */
const BRIEF_WAIT_US = 50;

export interface SessionOptions {
  /** `cpu` by default. */
  readonly device?: Device | undefined;
  /** Threads of one operation, this one included. */
  readonly threads: number;
  /**
   * Whether idle threads wait actively as long as they may: a little faster alone, slower beside other work on the same
   * cores. Otherwise they sleep after BRIEF_WAIT_US.
   */
  readonly spinning: boolean;
  /**
   * Numbers too small for a full mantissa (below 1.2e-38) become 0. Processors take a hundred times as long for them, and
   * softmax makes many where a mask hides most of a row. It holds for the thread that opens the session too, from then on.
   */
  readonly flushDenormals?: boolean;
  /**
   * Take memory value by value instead of as one block that is planned from the first run, whose own memory then stays
   * beside it: a third less in all, for graphs whose runs have one size.
   */
  readonly sparing?: boolean;
  /**
   * Transpositions before a product and sums behind it stay operations of their own. Fused, they save a constant weight's
   * session a pass over memory; where neither operand is constant, the product itself gets slower by more.
   */
  readonly unfused?: boolean;
  /** Writes a trace of every node to `<prefix>_<time>.json` when the session is closed. */
  readonly profilePrefix?: string;
}

/**
 * A graph ready to run in this thread. `run` blocks the thread's event loop while the graph runs, so a session belongs in
 * a worker thread.
 */
export interface Session {
  /**
   * Results named in `fetch` (all where left out). Inputs are read in place. A result named in `into` is written into that
   * value's array, which is what comes back; every other one is a fresh buffer, copied once more (some 0.6 ms a megabyte).
   * Sizes of symbols follow from the inputs' dims. Throws `GraphError` where an input is missing or does not fit.
   */
  run(
    feeds: Readonly<Record<string, Value>>,
    fetch?: readonly string[],
    into?: Readonly<Record<string, Value>>,
  ): Promise<Record<string, Value>>;
  close(): Promise<void>;
}

/**
 * Throws `GraphError` `LATHE_GRAPH_DEVICE` where `webgpu` is asked for and there is no adapter, or the graph holds what
 * it cannot run: nothing falls back to the processor unsaid.
 */
export async function openSession(graph: Graph, options: SessionOptions): Promise<Session> {
  const { graph: lowered, views } = options.device === 'webgpu' ? forWebGpu(graph) : { graph, views: [] };
  const model = writeOnnx(lowered);
  const session = await create(model.bytes, options, {
    graphOptimizationLevel: 'all',
    externalData: model.externalData as { path: string; data: Uint8Array }[],
  });
  return running(session, { inputs: graph.inputs, outputs: namesOf(graph), vectorInputs: model.vectorInputs, views });
}

/** Throws `GraphError` `LATHE_GRAPH_DEVICE` where the device cannot be had: to know before there is a graph. */
export async function requireDevice(device: Device): Promise<void> {
  const g = new GraphBuilder();
  g.output('y', g.abs(g.input('x', 'float32', [1])));
  await (await openSession(g.build(), { device, threads: 1, spinning: false })).close();
}

const MODEL_FILE = 'model.onnx';
const WEIGHTS_FILE = 'weights.bin';
const FACE_FILE = 'face.json';

/**
 * Writes to `folder` what `openSavedSession` opens: the graph as the runtime optimised it, with every constant in the
 * layout it computes with. Throws `GraphError` where the runtime refuses the graph or cannot write.
 */
export async function saveSession(graph: Graph, folder: string): Promise<void> {
  const model = writeOnnx(graph);
  const session = await create(
    model.bytes,
    { threads: 1, spinning: false },
    {
      graphOptimizationLevel: 'all',
      externalData: model.externalData as { path: string; data: Uint8Array }[],
      optimizedModelFilePath: join(folder, MODEL_FILE),
    },
    {
      optimized_model_external_initializers_file_name: WEIGHTS_FILE,
      optimized_model_external_initializers_min_size_in_bytes: '1024',
    },
  );
  await session.release();
  const face: Face = { inputs: graph.inputs, outputs: namesOf(graph), vectorInputs: model.vectorInputs, views: [] };
  await writeFile(join(folder, FACE_FILE), JSON.stringify(face));
}

/**
 * Opens what `saveSession` wrote, without copying its constants: the runtime maps them from the file, which must not
 * change as long as the session lives. The folder must come from the same runtime on the same processor: see
 * `savedSessionRuntime`.
 */
export async function openSavedSession(folder: string, options: SessionOptions): Promise<Session> {
  const face = JSON.parse(await readFile(join(folder, FACE_FILE), 'utf8')) as Face;
  return running(await create(join(folder, MODEL_FILE), options, { graphOptimizationLevel: 'disabled' }), face);
}

/** What a saved session depends on besides its graph: it is of no use to another version or another processor. */
export function savedSessionRuntime(): string {
  return `onnxruntime ${env.versions.node} ${process.platform} ${process.arch} ${cpus()[0]?.model ?? ''}`;
}

/** A graph seen from outside. */
interface Face {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly string[];
  readonly vectorInputs: readonly { readonly name: string; readonly shape: Shape }[];
  readonly views: readonly View[];
}

function namesOf(graph: Graph): string[] {
  return graph.outputs.map(({ name }) => name);
}

async function create(
  model: string | Uint8Array,
  options: SessionOptions,
  own: InferenceSession.SessionOptions,
  extra: Record<string, string> = {},
): Promise<InferenceSession> {
  const all: InferenceSession.SessionOptions = {
    executionProviders: [options.device ?? 'cpu'],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    executionMode: 'sequential',
    enableMemPattern: !options.sparing,
    extra: {
      session: {
        intra_op: {
          allow_spinning: '1',
          ...(options.spinning ? {} : { spin_duration_us: String(BRIEF_WAIT_US) }),
        },
        force_spinning_stop: '1',
        disable_cpu_ep_fallback: options.device === 'webgpu' ? '1' : '0',
        set_denormal_as_zero: options.flushDenormals ? '1' : '0',
        ...extra,
      },
      ...(options.unfused
        ? { optimization: { disable_specified_optimizers: 'MatMulAddFusion;MatmulTransposeFusion' } }
        : {}),
    },
    ...(options.profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
    ...own,
  };
  // The two kinds of source are two overloads.
  const creating =
    typeof model === 'string' ? InferenceSession.create(model, all) : InferenceSession.create(model, all);
  return creating.catch((cause: unknown) => {
    if (options.device === 'webgpu') throw webGpuError(cause);
    throw new GraphError('LATHE_GRAPH_RUNTIME', `onnxruntime refused the graph: ${reason(cause)}`, { cause });
  });
}

function running(session: InferenceSession, { inputs, outputs, vectorInputs, views }: Face): Session {
  return {
    async run(feeds, fetch = outputs, into = {}) {
      const symbols = bindSymbols(inputs, feeds);
      const ortFeeds: Record<string, OrtTensor> = {};
      for (const { name } of inputs) ortFeeds[name] = ortTensor(feeds[name]!);
      for (const { name, source, shape } of views)
        ortFeeds[name] = ortTensor({ ...feeds[source]!, dims: shape.map((dim) => evaluateDim(dim, symbols)) });
      for (const { name, shape } of vectorInputs)
        ortFeeds[name] = new OrtTensor(
          'int64',
          BigInt64Array.from(shape, (dim) => BigInt(evaluateDim(dim, symbols))),
          [shape.length],
        );
      const fetches: Record<string, OrtTensor | null> = {};
      for (const name of fetch) fetches[name] = into[name] === undefined ? null : ortTensor(into[name]);
      const results = await session.run(ortFeeds, fetches).catch((cause: unknown) => {
        throw new GraphError('LATHE_GRAPH_RUNTIME', `onnxruntime could not run the graph: ${reason(cause)}`, { cause });
      });
      const values: Record<string, Value> = {};
      for (const name of fetch) {
        const { type, dims } = results[name]!;
        const data = results[name]!.data as TensorData;
        if (into[name] !== undefined) {
          // The runtime's binding copies what it has written there once more. Left to be found as garbage, such copies make
          // V8 look for it at every run.
          if (data.buffer !== into[name].data.buffer) (data.buffer as ArrayBuffer).transfer(0);
          values[name] = into[name];
          continue;
        }
        values[name] = { dataType: type as DataType, dims, data };
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
