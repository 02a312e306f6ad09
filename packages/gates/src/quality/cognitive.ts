import type { Node } from '../rules/syntax.ts';
import { isFunction } from '../rules/syntax.ts';

const NESTING = new Set([
  'if_statement',
  'for_statement',
  'for_in_statement',
  'while_statement',
  'do_statement',
  'switch_statement',
  'match_statement',
  'catch_clause',
  'except_clause',
  'ternary_expression',
  'conditional_expression',
]);
const FLAT = new Set(['elif_clause', 'else_clause', 'goto_statement']);

/**
 * Cognitive complexity of one function (G. A. Campbell, "Cognitive Complexity", SonarSource 2018): one for each break in
 * the linear flow, plus its nesting depth; `else if` counts once and does not nest; a run of the same logical operator
 * counts once. Nested functions add to the function around them, one level deeper. No permissively licensed library
 * computes it for several languages.
 */
export function cognitiveComplexity(fn: Node): number {
  const body = fn.field('body');
  return body ? costOf(body, 0) : 0;
}

function costOf(node: Node, nesting: number): number {
  const kind = String(node.kind());
  let cost = 0;
  let inside = nesting;
  if (NESTING.has(kind)) {
    const elseIf = kind === 'if_statement' && node.parent()?.kind() === 'else_clause';
    cost += elseIf ? 0 : 1 + nesting;
    inside = elseIf ? nesting : nesting + 1;
  } else if (FLAT.has(kind)) {
    cost += 1;
  } else if (isFunction(node)) inside = nesting + 1;
  else if (kind === 'binary_expression' || kind === 'boolean_operator') {
    const operator = node.field('operator')?.text() ?? '';
    if (/^(&&|\|\||\?\?|and|or)$/.test(operator) && node.parent()?.field('operator')?.text() !== operator) cost += 1;
  } else if ((kind === 'break_statement' || kind === 'continue_statement') && node.namedChildren().length > 0)
    cost += 1;
  for (const child of node.namedChildren()) cost += costOf(child, inside);
  return cost;
}
