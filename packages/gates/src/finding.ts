import type { Finding, Severity } from '@lathe/protocol';
import type { Language } from './language.ts';

/** A finding with what is needed to recognise it in another version of the tree. */
export interface PlacedFinding extends Finding {
  /** `Class.method` around it, or null at the top level. */
  readonly symbol: string | null;
  readonly endLine: number;
  /** Which scanner found it: `rules`, `eslint`, `ruff`, `secrets`, … */
  readonly scanner: string;
}

/** A finding somebody wrote a comment about. It counts, but is not shown among the findings. */
export interface SuppressedFinding {
  readonly finding: PlacedFinding;
  readonly by: 'lathe-ignore' | 'eslint-disable' | 'noqa' | 'nosec';
  /** What the comment gives as reason, or null. */
  readonly reason: string | null;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly language: Language;
}

export interface SyntaxProblem {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** What one scanner says of one file. */
export interface FileReport {
  readonly path: string;
  readonly findings: readonly PlacedFinding[];
  readonly suppressed: readonly SuppressedFinding[];
  /** The file cannot be parsed by its own language's parser: nothing else about it is reliable. */
  readonly syntaxError: SyntaxProblem | null;
}

export interface RawFinding {
  readonly kind: Finding['kind'];
  readonly rule: string;
  readonly cwe: string | null;
  readonly severity: Severity;
  readonly confidence: Finding['confidence'];
  /** First and last line, from 1. */
  readonly line: number;
  readonly endLine: number;
  readonly message: string;
  readonly help?: string;
  /** Column of the first character, from 0, where the scanner knows it. */
  readonly column?: number;
  /** Replaces the source line as evidence: for findings about a whole function, or text that must not be shown. */
  readonly evidence?: string;
}
