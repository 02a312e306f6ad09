/**
 * A model file that cannot be trusted or is not supported. Names the field (`tensor "blk.0.attn_q.weight" offset`), what
 * was expected and what the file says.
 */
export class GgufError extends Error {
  /** `LATHE_GGUF_INVALID`: the file breaks the format. `LATHE_GGUF_UNSUPPORTED`: it keeps it, with something unknown here. */
  readonly code: 'LATHE_GGUF_INVALID' | 'LATHE_GGUF_UNSUPPORTED';
  readonly remedy: string;
  readonly path: string;
  readonly field: string;
  readonly expected: string;
  readonly got: string;

  constructor(path: string, field: string, expected: string, got: string, kind: 'invalid' | 'unsupported' = 'invalid') {
    super(`${path}: ${field}: expected ${expected}, got ${got}`);
    this.name = 'GgufError';
    this.code = kind === 'invalid' ? 'LATHE_GGUF_INVALID' : 'LATHE_GGUF_UNSUPPORTED';
    this.remedy =
      kind === 'invalid'
        ? 'The file is damaged or not a GGUF model; download it again and compare its SHA-256 with the publisher’s.'
        : 'Use a GGUF file of another kind, for example one quantised as Q4_K_M or Q8_0.';
    this.path = path;
    this.field = field;
    this.expected = expected;
    this.got = got;
  }
}
