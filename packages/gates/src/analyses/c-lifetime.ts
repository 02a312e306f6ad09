import type { ParsedFile } from '../rules/parsed-file.ts';
import { type Node, nodesOfKind } from '../rules/syntax.ts';
import type { Hit } from './hit.ts';

function named(text: string, name: string): boolean {
  return new RegExp(`(?<![\\w.>])${name}\\b`).test(text);
}

/** Name a statement gives back with `free(name)`, or null. */
function freedBy(statement: Node): string | null {
  return /^free\s*\(\s*([A-Za-z_]\w*)\s*\)\s*;$/.exec(statement.text())?.[1] ?? null;
}

const LEAVES = /\b(return|goto|break|continue|exit|_exit|abort)\b/;

/** Names a statement surely or on a condition gives back, when control goes on after it. */
function freedIn(statement: Node): string[] {
  const own = freedBy(statement);
  if (own) return [own];
  if (statement.kind() !== 'if_statement' || statement.field('alternative')) return [];
  const body = statement.field('consequence');
  if (!body || LEAVES.test(body.text())) return [];
  const inner = body.kind() === 'compound_statement' ? body.namedChildren() : [body];
  return inner
    .flatMap((one) => freedBy(one) ?? [])
    .filter((name) => !new RegExp(`\\b${name}\\s*=[^=]`).test(body.text()));
}

/**
 * A name used, or freed again, after `free` in the same block (CWE-416, CWE-415). Statements are followed until the name is
 * assigned or control leaves; what other functions do with the memory is not known.
 */
export function useAfterFree(file: ParsedFile): Hit[] {
  const hits: Hit[] = [];
  for (const block of nodesOfKind(file.root, 'compound_statement')) {
    const statements = block.namedChildren().filter((one) => one.kind() !== 'comment');
    statements.forEach((statement, index) => {
      for (const name of freedIn(statement)) {
        for (const next of statements.slice(index + 1)) {
          if (freedBy(next) === name) {
            hits.push({ node: next, cwe: 'CWE-415', message: `${name} is freed a second time` });
            break;
          }
          const text = next.text();
          const assigned = new RegExp(`(?<![\\w.>*])${name}\\s*=[^=]([\\s\\S]*)`).exec(text);
          if (assigned && !named(assigned[1]!, name)) break;
          if (named(text, name)) {
            hits.push({ node: next, message: `${name} is used after it was freed` });
            break;
          }
          if (/^(return|goto|break|continue)\b/.test(text)) break;
        }
      }
    });
  }
  return hits;
}

/** `access(path)` or `stat(path)`, then `open(path)` in the same function (CWE-367). */
export function checkedThenOpened(file: ParsedFile): Hit[] {
  const hits: Hit[] = [];
  for (const fn of nodesOfKind(file.root, 'function_definition')) {
    const { start, end } = fn.range();
    const calls = file.calls.filter((call) => start.index < call.start && call.start < end.index);
    for (const look of calls.filter((call) => /^(access|stat|lstat|euidaccess)$/.test(call.callee))) {
      const subject = look.args[0]?.value.text();
      const opened = calls.find(
        (call) =>
          call.start > look.start &&
          /^(open|fopen|creat|freopen|remove|unlink|rename|chmod|chown)$/.test(call.callee) &&
          call.args[0]?.value.text() === subject,
      );
      if (opened) hits.push({ node: look.node });
    }
  }
  return hits;
}
