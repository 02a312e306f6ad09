/** A mistake of the caller or the machine, in words for a person. What a command in the sandbox does is never one. */
export class SandboxError extends Error {
  /** `LATHE_NO_ISOLATION`, `LATHE_SANDBOX_SETUP`, `LATHE_EDIT_REFUSED`, `LATHE_CHANGES_TOO_LARGE`, `LATHE_CHANGES_UNREADABLE`, `LATHE_WORK_DIRECTORY`, `LATHE_WORKSPACE_CLOSED`. */
  readonly code: string;
  /** What to do, or null where nothing can be done. */
  readonly remedy: string | null;

  constructor(code: string, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'SandboxError';
    this.code = code;
    this.remedy = options.remedy ?? null;
  }
}
