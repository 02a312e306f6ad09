/**
 * What a text may be. `ebnf`: a grammar whose first rule is `root`, in the notation of XGrammar (W3C EBNF: `::=`, quoted
 * strings, `[a-z]` of ASCII characters, `* + ? {m,n}`, `|`, `#` comments). `json-schema`: JSON on one line that the schema accepts.
 */
export type Grammar =
  | { readonly kind: 'ebnf'; readonly text: string }
  | { readonly kind: 'json-schema'; readonly schema: unknown };

/** Which tokens may come next: token t may where bit t mod 32 of word ⌊t / 32⌋ is set. */
export type TokenMask = Int32Array;

export function allows(mask: TokenMask, token: number): boolean {
  return ((mask[token >> 5]! >>> (token & 31)) & 1) === 1;
}

/** The grammar as one row sees it: which tokens may follow its tokens so far. */
export interface Constraint {
  /**
   * An end token may come where the text may end. Calls may go back to a shorter row; what is common to two calls in a row
   * is not read again. Throws `ModelError` where nothing may follow: no token of the vocabulary goes on as the grammar asks.
   */
  maskAfter(tokens: readonly number[]): Promise<TokenMask>;
}
