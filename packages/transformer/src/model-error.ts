/** A model that cannot be opened or asked as it was: the message says what was expected and what was got. */
export class ModelError extends Error {
  readonly code:
    | 'LATHE_MODEL_ARCHITECTURE'
    | 'LATHE_MODEL_CONFIG'
    | 'LATHE_MODEL_TENSOR'
    | 'LATHE_MODEL_CONTEXT'
    | 'LATHE_MODEL_REQUEST'
    | 'LATHE_MODEL_GRAMMAR'
    | 'LATHE_MODEL_WORKER';
  readonly remedy: string | null;

  constructor(code: ModelError['code'], message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ModelError';
    this.code = code;
    this.remedy = options.remedy ?? null;
  }
}
