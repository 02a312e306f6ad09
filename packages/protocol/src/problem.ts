/**
 * The shape of every error a user may meet, whichever package throws it. Packages that import nothing declare a class
 * of this shape of their own; the command line recognises it by `code` and prints message and remedy, no stack trace.
 */
export interface Problem extends Error {
  /** `LATHE_` and an upper-case name, e.g. `LATHE_MODEL_UNKNOWN`. Codes of usage errors start with `LATHE_USAGE`, of missing things with `LATHE_NOT_FOUND`. */
  readonly code: string;
  /** What to do, often a command; null where nothing can be done. */
  readonly remedy: string | null;
}

export class LatheError extends Error implements Problem {
  readonly code: string;
  readonly remedy: string | null;

  constructor(code: string, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'LatheError';
    this.code = code;
    this.remedy = options.remedy ?? null;
  }
}

export function isProblem(error: unknown): error is Problem {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('LATHE_');
}
