import type { GateConfig } from '../config.ts';
import type { RawFinding, SourceFile, SuppressedFinding, SyntaxProblem } from '../finding.ts';
import type { Language } from '../language.ts';

export interface ScanOutcome {
  readonly findings: readonly RawFinding[];
  /** Findings the library itself left out because of a comment. */
  readonly suppressed?: readonly {
    readonly finding: RawFinding;
    readonly by: SuppressedFinding['by'];
    readonly reason: string | null;
  }[];
  readonly syntaxError?: SyntaxProblem | null;
}

/** One way of looking at one file. Loaded once a process; may throw, which its caller reports as not looked for. */
export interface Scanner {
  readonly name: ScannerName;
  readonly languages: readonly Language[];
  /** In words, for the list of what was not looked for. */
  readonly looksFor: string;
  /** Null where it can run; otherwise what is missing and how to get it. */
  whyNot(): Promise<string | null>;
  scan(file: SourceFile, config: GateConfig): Promise<ScanOutcome>;
}

export const SCANNER_NAMES = [
  'rules',
  'eslint',
  'sonarjs',
  'ruff',
  'secrets',
  'characters',
  'complexity',
  'imports',
  'flawfinder',
  'cppcheck',
] as const;
export type ScannerName = (typeof SCANNER_NAMES)[number];
