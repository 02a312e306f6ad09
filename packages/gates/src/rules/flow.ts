import { enclosingFunction, type Node } from './syntax.ts';

/** One assignment to a name: the value, and the node that makes it. */
export interface Definition {
  readonly value: Node;
  readonly at: Node;
  /** Id of the function it is made in; null at the top level. */
  readonly fn: number | null;
}

const LOOPS = /^(for_statement|for_in_statement|while_statement|do_statement)$/;
const BLOCKS = /^(block|statement_block|program|module|compound_statement|switch_case|case_clause)$/;
const KEEPS_OLD = /^augmented_assignment/;

/** Where an assignment has happened: at the end of its statement; of a loop's variable, at the head. */
function done(at: Node): number {
  const left = LOOPS.test(String(at.kind())) ? at.field('left') : null;
  return (left ?? at).range().end.index;
}

/** The block whose statement the node is, itself or with nothing but its own statement in between. */
function blockOf(at: Node): Node | null {
  let up = at.parent();
  while (
    up &&
    /^(expression_statement|lexical_declaration|variable_declaration|variable_declarator)$/.test(String(up.kind()))
  )
    up = up.parent();
  return up && BLOCKS.test(String(up.kind())) ? up : null;
}

/** Positions at which a value was certainly given before the use: by plain assignments in blocks around it. */
function certain(definitions: readonly Definition[], use: Node): number {
  const position = use.range().start.index;
  const blocks = new Set(
    use
      .ancestors()
      .filter((one) => BLOCKS.test(String(one.kind())))
      .map((one) => one.id()),
  );
  let from = -1;
  for (const { at } of definitions) {
    if (KEEPS_OLD.test(String(at.kind())) || done(at) > position) continue;
    const block = blockOf(at);
    if (block && blocks.has(block.id())) from = Math.max(from, done(at));
  }
  return from;
}

function sameFunction(definitions: readonly Definition[], use: Node): boolean {
  const fn = enclosingFunction(use)?.id() ?? null;
  return definitions.every((one) => one.fn === fn);
}

/** Whether an assignment has certainly happened before the use, in the same function. */
export function replaced(definitions: readonly Definition[], use: Node): boolean {
  return definitions.length > 0 && sameFunction(definitions, use) && certain(definitions, use) >= 0;
}

/**
 * The assignments whose value a name can have at a use, by position in one function: later ones only within a shared
 * loop, and none before one that has certainly happened. Definitions and uses in different functions are all kept.
 * With `adding` none replaces another: what is put into a list stays beside what was there.
 */
export function reaching<T extends Definition>(definitions: readonly T[], use: Node, adding = false): readonly T[] {
  if (definitions.length === 0 || !sameFunction(definitions, use)) return definitions;
  const position = use.range().start.index;
  const loops = use.ancestors().filter((one) => LOOPS.test(String(one.kind())));
  const from = adding ? -1 : certain(definitions, use);
  return definitions.filter(({ at }) => {
    const end = done(at);
    if (end <= position) return end >= from;
    // What comes later is there the next time round, unless each round begins with an assignment of its own.
    return loops.some((loop) => {
      const { start, end: stop } = loop.range();
      return start.index <= at.range().start.index && at.range().end.index <= stop.index && from < start.index;
    });
  });
}
