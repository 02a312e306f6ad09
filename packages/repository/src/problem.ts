/**
 * What a user may meet when their repository cannot be used as asked. `code` starts with `LATHE_`; `remedy` says what
 * to do. Same shape as the problems of the other packages, so that the command line prints them alike.
 */
export class RepositoryError extends Error {
  readonly code: string;
  readonly remedy: string | null;

  constructor(code: string, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'RepositoryError';
    this.code = code;
    this.remedy = options.remedy ?? null;
  }
}
