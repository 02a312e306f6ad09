/**
 * Sizes that are known only when the graph runs (rows of a batch, tokens of a prompt) as polynomials over named symbols,
 * so that shapes can be multiplied, added and compared while the graph is built.
 */

/** A size: a number, or a polynomial of symbols such as `rows·new·3` or `prefix+suffix+new`. */
export type Dim = number | SymbolicDim;
export type Shape = readonly Dim[];

interface Term {
  readonly coefficient: number;
  /** Sorted; a symbol stands twice for its square. */
  readonly symbols: readonly string[];
}

export interface SymbolicDim {
  readonly terms: readonly Term[];
  /** Canonical text: equal for equal polynomials. */
  readonly text: string;
}

export function symbol(name: string): SymbolicDim {
  return polynomial([{ coefficient: 1, symbols: [name] }]) as SymbolicDim;
}

export function addDims(...dims: readonly Dim[]): Dim {
  return polynomial(dims.flatMap(termsOf));
}

export function multiplyDims(...dims: readonly Dim[]): Dim {
  let product: readonly Term[] = [{ coefficient: 1, symbols: [] }];
  for (const dim of dims)
    product = product.flatMap((a) =>
      termsOf(dim).map((b) => ({
        coefficient: a.coefficient * b.coefficient,
        symbols: [...a.symbols, ...b.symbols].sort(),
      })),
    );
  return polynomial(product);
}

export function sameDim(a: Dim, b: Dim): boolean {
  return dimText(a) === dimText(b);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!));
}

export function dimText(dim: Dim): string {
  return typeof dim === 'number' ? String(dim) : dim.text;
}

export function shapeText(shape: Shape): string {
  return `[${shape.map(dimText).join(', ')}]`;
}

/** Value of `dim` where every symbol has its value. */
export function evaluateDim(dim: Dim, values: ReadonlyMap<string, number>): number {
  if (typeof dim === 'number') return dim;
  let sum = 0;
  for (const term of dim.terms) {
    let product = term.coefficient;
    for (const name of term.symbols) {
      const value = values.get(name);
      if (value === undefined) throw new Error(`internal: no value for dimension ${name} of ${dim.text}`);
      product *= value;
    }
    sum += product;
  }
  return sum;
}

/** The symbol's name where `dim` is just one symbol, else null. */
export function plainSymbol(dim: Dim): string | null {
  if (typeof dim === 'number' || dim.terms.length !== 1) return null;
  const term = dim.terms[0]!;
  return term.coefficient === 1 && term.symbols.length === 1 ? term.symbols[0]! : null;
}

function termsOf(dim: Dim): readonly Term[] {
  return typeof dim === 'number' ? [{ coefficient: dim, symbols: [] }] : dim.terms;
}

function polynomial(terms: readonly Term[]): Dim {
  const merged = new Map<string, Term>();
  for (const term of terms) {
    const key = term.symbols.join('·');
    const coefficient = (merged.get(key)?.coefficient ?? 0) + term.coefficient;
    merged.set(key, { coefficient, symbols: term.symbols });
  }
  const kept = [...merged].filter(([, term]) => term.coefficient !== 0).sort(([a], [b]) => (a < b ? -1 : 1));
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0]![0] === '') return kept[0]![1].coefficient;
  const text = kept
    .map(([key, { coefficient }]) =>
      key === '' ? `${coefficient}` : coefficient === 1 ? key : `${coefficient}·${key}`,
    )
    .join('+');
  return { terms: kept.map(([, term]) => term), text };
}
