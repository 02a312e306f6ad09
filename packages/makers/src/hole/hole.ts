import type { Language, Span } from '../syntax/parser.ts';

/** A function whose body is to be written. Offsets are UTF-16 positions in the source it was found in. */
export interface Hole {
  readonly language: Language;
  /** Names from the outside in; the last is the function's own. */
  readonly path: readonly string[];
  /** Line of its name, from 1. */
  readonly line: number;
  /**
   * The text that is replaced. JavaScript: between the braces, or the whole expression of an arrow function. Python:
   * from the end of the docstring (of the line with the colon, where there is none) to the end of the function.
   */
  readonly span: Span;
  readonly body: 'block' | 'expression' | 'suite';
  /** From the start of the declaration (with `export`, `const f =`, decorators) up to `span`. */
  readonly header: string;
  /** The function once more, bare, up to and with the token that opens its body: what answers are parsed behind. */
  readonly opening: string;
  /** Comments directly above the declaration, as they stand. A docstring is part of `header`. */
  readonly comments: string;
  /** Offset of the outermost statement of the file that holds the function, comments above it included. */
  readonly statementStart: number;
  /** Names its parameters declare. */
  readonly parameters: readonly string[];
  readonly isAsync: boolean;
  readonly isGenerator: boolean;
  /** Indentation of the declaration, of its statements, and one step of the file. */
  readonly indent: string;
  readonly bodyIndent: string;
  readonly unit: string;
  readonly eol: '\n' | '\r\n';
}
