/** Training that cannot start or go on: the message says what was expected and what was got, the remedy what to do. */
export class TrainError extends Error {
  readonly code:
    | 'LATHE_TRAIN_CONFIG'
    | 'LATHE_TRAIN_DATA'
    | 'LATHE_TRAIN_CHECKPOINT'
    | 'LATHE_TRAIN_ADAPTER'
    | 'LATHE_TRAIN_DIVERGED'
    | 'LATHE_TRAIN_MEMORY'
    | 'LATHE_CANCELLED_TRAINING';
  readonly remedy: string | null;

  constructor(code: TrainError['code'], message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'TrainError';
    this.code = code;
    this.remedy = options.remedy ?? null;
  }
}
