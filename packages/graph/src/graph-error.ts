/** A graph that cannot be built or run as asked: the message says the op, what was expected and what was got. */
export class GraphError extends Error {
  readonly code:
    | 'LATHE_GRAPH_SHAPE'
    | 'LATHE_GRAPH_INPUT'
    | 'LATHE_GRAPH_RUNTIME'
    | 'LATHE_GRAPH_GRADIENT'
    | 'LATHE_GRAPH_DEVICE';
  readonly remedy: string | null;

  constructor(
    code: GraphError['code'],
    message: string,
    options: { remedy?: string | null | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'GraphError';
    this.code = code;
    this.remedy = options.remedy ?? null;
  }
}
