/**
 * A graph as an ONNX model: the protocol buffer of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, field numbers
 * beside the names. Constants above a few hundred bytes are external data named by their tensor, so that the model's own
 * bytes stay small whatever the weights weigh and nothing is copied here.
 */
import protobuf from 'protobufjs/minimal.js';
import type { Graph, Node } from './builder.ts';
import { dimText, type Shape } from './dimension.ts';
import { liveNodes } from './liveness.ts';
import { type Attribute, ELEMENT_TYPE, ONNX, type OnnxNode, vectorKey } from './onnx-op.ts';
import type { Op } from './op.ts';
import type { Tensor } from './tensor.ts';

const IR_VERSION = 10;
const OPSET = 21;
const INLINE_BYTES = 512;
const EXTERNAL = 1;
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;

export interface OnnxModel {
  readonly bytes: Uint8Array;
  /** Constants left out of `bytes`: `path` is the location the model names. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** int64 inputs the runtime must be given besides the graph's own: their values follow from the symbols. */
  readonly vectorInputs: readonly { readonly name: string; readonly shape: Shape }[];
}

type Writer = protobuf.Writer;
const message = (writer: Writer, field: number, write: (inner: Writer) => void): void => {
  write(writer.uint32((field << 3) | 2).fork());
  writer.ldelim();
};
const int = (writer: Writer, field: number, value: number) => writer.uint32(field << 3).int64(value);
const text = (writer: Writer, field: number, value: string) => writer.uint32((field << 3) | 2).string(value);

export function writeOnnx(unnamed: Graph): OnnxModel {
  const graph = withOutputNames(unnamed);
  const externalData: { path: string; data: Uint8Array }[] = [];
  const vectors = new Map<string, { name: string; shape: Shape; constant: boolean }>();
  const vectorName = (shape: Shape): string => {
    const key = vectorKey(shape);
    let vector = vectors.get(key);
    if (vector === undefined) {
      vector = { name: `vector_${vectors.size}`, shape, constant: shape.every((dim) => typeof dim === 'number') };
      vectors.set(key, vector);
    }
    return vector.name;
  };

  const writer = protobuf.Writer.create();
  int(writer, 1 /* ir_version */, IR_VERSION);
  message(writer, 7 /* graph */, (g) => {
    text(g, 2 /* name */, 'lathe');
    for (const node of liveNodes(graph)) writeNode(g, node, vectorName);
    for (const { name, tensor } of graph.outputs)
      if (name !== tensor.name)
        message(g, 1 /* node */, (n) => {
          text(n, 1 /* input */, tensor.name);
          text(n, 2 /* output */, name);
          text(n, 4 /* op_type */, 'Identity');
        });
    for (const { tensor, data } of graph.constants)
      message(g, 5 /* initializer */, (t) => {
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        const external = bytes.length > INLINE_BYTES;
        if (external) externalData.push({ path: tensor.name, data: bytes });
        writeTensor(t, tensor.name, tensor.shape as readonly number[], ELEMENT_TYPE[tensor.dataType], bytes, external);
      });
    for (const { name, shape, constant } of vectors.values())
      if (constant)
        message(g, 5 /* initializer */, (t) => {
          const data = BigInt64Array.from(shape as readonly number[], BigInt);
          writeTensor(t, name, [shape.length], ELEMENT_TYPE.int64, new Uint8Array(data.buffer), false);
        });
    for (const tensor of graph.inputs) message(g, 11 /* input */, (v) => writeValueInfo(v, tensor));
    for (const { name, shape, constant } of vectors.values())
      if (!constant)
        message(g, 11 /* input */, (v) => writeValueInfo(v, { name, dataType: 'int64', shape: [shape.length] }));
    for (const { name, tensor } of graph.outputs)
      message(g, 12 /* output */, (v) => writeValueInfo(v, { ...tensor, name }));
    // The runtime cannot follow a shape that a vector input gives. Without it no buffer behind such a reshape is ever used
    // again, and its planner compares each with all that wait: quadratic in the nodes.
    for (const { outputs } of graph.nodes)
      for (const tensor of outputs) message(g, 13 /* value_info */, (v) => writeValueInfo(v, tensor));
  });
  for (const [domain, version] of [
    ['', OPSET],
    ['com.microsoft', 1],
  ] as const)
    message(writer, 8 /* opset_import */, (o) => {
      text(o, 1 /* domain */, domain);
      int(o, 2 /* version */, version);
    });
  const vectorInputs = [...vectors.values()].filter(({ constant }) => !constant);
  return { bytes: writer.finish(), externalData, vectorInputs };
}

/**
 * What a node makes for an output takes that output's name. Under another name the runtime would copy it there, asked for
 * or not; so only what is none's own result (an input, a constant, a tensor that is two outputs) is copied.
 */
function withOutputNames(graph: Graph): Graph {
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
  const names = new Map<string, string>();
  for (const { name, tensor } of graph.outputs)
    if (made.has(tensor.name) && !names.has(tensor.name)) names.set(tensor.name, name);
  const renamed = (tensor: Tensor): Tensor => ({ ...tensor, name: names.get(tensor.name) ?? tensor.name });
  return {
    ...graph,
    nodes: graph.nodes.map(({ op, inputs, outputs }) => ({
      op,
      inputs: inputs.map(renamed),
      outputs: outputs.map(renamed),
    })),
    outputs: graph.outputs.map(({ name, tensor }) => ({ name, tensor: renamed(tensor) })),
  };
}

function writeNode(graph: Writer, { op, inputs, outputs }: Node, vectorName: (shape: Shape) => string): void {
  const lower = ONNX[op.kind] as (op: Op, inputs: readonly Tensor[]) => OnnxNode;
  const { type, domain, attributes = {}, shapeInputs = [], repeated, outputsAt } = lower(op, inputs);
  const names = inputs.map(({ name }) => name);
  if (repeated !== undefined) {
    const source = names[repeated.input]!;
    names[repeated.input] = `${outputs[0]!.name}.repeated`;
    message(graph, 1 /* node */, (n) => {
      text(n, 1 /* input */, source);
      text(n, 1 /* input */, vectorName(repeated.shape));
      text(n, 2 /* output */, names[repeated.input]!);
      text(n, 4 /* op_type */, 'Expand');
    });
  }
  message(graph, 1 /* node */, (n) => {
    for (const name of names) text(n, 1 /* input */, name);
    for (const shape of shapeInputs) text(n, 1 /* input */, vectorName(shape));
    for (const name of placed(outputs, outputsAt)) text(n, 2 /* output */, name);
    text(n, 3 /* name */, outputs[0]!.name);
    text(n, 4 /* op_type */, type);
    for (const [name, attribute] of Object.entries(attributes))
      message(n, 5 /* attribute */, (a) => writeAttribute(a, name, attribute));
    if (domain !== '') text(n, 7 /* domain */, domain);
  });
}

/** Names of a node's outputs; one that nobody wants has none. */
function placed(outputs: readonly Tensor[], at: readonly number[] = outputs.map((_, i) => i)): readonly string[] {
  return Array.from({ length: Math.max(...at) + 1 }, (_, place) => outputs[at.indexOf(place)]?.name ?? '');
}

function writeAttribute(writer: Writer, name: string, attribute: Attribute): void {
  text(writer, 1 /* name */, name);
  if ('float' in attribute) {
    writer.uint32((2 /* f */ << 3) | 5).float(attribute.float);
    int(writer, 20 /* type */, ATTRIBUTE_TYPE.float);
  } else if ('int' in attribute) {
    int(writer, 3 /* i */, attribute.int);
    int(writer, 20 /* type */, ATTRIBUTE_TYPE.int);
  } else if ('text' in attribute) {
    text(writer, 4 /* s */, attribute.text);
    int(writer, 20 /* type */, ATTRIBUTE_TYPE.string);
  } else {
    for (const value of attribute.ints) int(writer, 8 /* ints */, value);
    int(writer, 20 /* type */, ATTRIBUTE_TYPE.ints);
  }
}

function writeTensor(
  writer: Writer,
  name: string,
  dims: readonly number[],
  elementType: number,
  bytes: Uint8Array,
  external: boolean,
): void {
  for (const dim of dims) int(writer, 1 /* dims */, dim);
  int(writer, 2 /* data_type */, elementType);
  text(writer, 8 /* name */, name);
  if (!external) {
    writer.uint32((9 /* raw_data */ << 3) | 2).bytes(bytes);
    return;
  }
  for (const [key, value] of [
    ['location', name],
    ['offset', '0'],
    ['length', String(bytes.length)],
  ] as const)
    message(writer, 13 /* external_data */, (entry) => {
      text(entry, 1 /* key */, key);
      text(entry, 2 /* value */, value);
    });
  int(writer, 14 /* data_location */, EXTERNAL);
}

function writeValueInfo(writer: Writer, { name, dataType, shape }: Tensor): void {
  text(writer, 1 /* name */, name);
  message(writer, 2 /* type */, (type) =>
    message(type, 1 /* tensor_type */, (tensorType) => {
      int(tensorType, 1 /* elem_type */, ELEMENT_TYPE[dataType]);
      message(tensorType, 2 /* shape */, (s) => {
        for (const dim of shape)
          message(s, 1 /* dim */, (d) => {
            if (typeof dim === 'number') int(d, 1 /* dim_value */, dim);
            else text(d, 2 /* dim_param */, dimText(dim));
          });
      });
    }),
  );
}
