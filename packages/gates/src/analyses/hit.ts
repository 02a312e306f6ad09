import type { Severity } from '@lathe/protocol';
import type { Node } from '../rules/syntax.ts';

/** A place a rule objects to. Severity and message replace the rule's own where the analysis knows more. */
export interface Hit {
  readonly node: Node;
  /** Where the data comes from, for rules that follow it. */
  readonly source?: Node;
  readonly severity?: Severity;
  readonly message?: string;
  readonly cwe?: string;
}
