/** A graph that cannot be built or run as asked: the message says the op, what was expected and what was got. */
export class GraphError extends Error {
  readonly code: 'LATHE_GRAPH_SHAPE' | 'LATHE_GRAPH_INPUT' | 'LATHE_GRAPH_RUNTIME' | 'LATHE_GRAPH_GRADIENT';
  readonly remedy: string | null = null;

  constructor(code: GraphError['code'], message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'GraphError';
    this.code = code;
  }
}
