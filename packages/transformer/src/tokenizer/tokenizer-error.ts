/** A vocabulary or chat template of a model file that cannot be used. */
export class TokenizerError extends Error {
  readonly code: 'LATHE_TOKENIZER_UNSUPPORTED' | 'LATHE_TOKENIZER_INVALID' | 'LATHE_CHAT_TEMPLATE';
  readonly remedy: string;

  constructor(code: TokenizerError['code'], message: string, remedy: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'TokenizerError';
    this.code = code;
    this.remedy = remedy;
  }
}
