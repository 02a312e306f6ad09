import type { Language } from '../language.ts';
import { enclosingFunction, type Node, nodesOfKind } from './syntax.ts';

/** Where it holds that an expression was compared with a list of allowed values or a narrow pattern. */
interface Guard {
  readonly from: number;
  readonly to: number;
}

const SUBJECTS = /^(identifier|attribute|member_expression|subscript|subscript_expression|call)$/;
const SUBJECT = String.raw`((?:[A-Za-z_$][\w$]*)(?:\.[\w$]+|\[[^\]]{1,40}\]|\([^()]{0,40}\))*)`;
/** A regular expression that lets only letters, digits, `-`, `_` (and `.`, blank, `@`, `+`) pass, from one end to the other. */
const NARROW = String.raw`\^[\w\\\-\[\]{}+*?(),. @|:]*(?:\$|\\Z|\\z)`;

/** Conditions that hold where the subject is one of few values. `not` says that they hold where it is not. */
const ALLOWED: readonly { readonly pattern: RegExp; readonly not?: boolean }[] = [
  { pattern: new RegExp(String.raw`(?<![\w.])${SUBJECT}\s+not\s+in\s+[\w.{(\[]`), not: true },
  {
    pattern: new RegExp(
      String.raw`(?<![\w.])(?<!not\s)${SUBJECT}\s+in\s+(?:[A-Z_][A-Z0-9_.]*\b|self\.\w+|\w*(?:[Aa]llow|ALLOW|[Vv]alid|[Kk]nown|[Ss]afe|[Pp]ermit|[Ww]hite)\w*|[{(\[]\s*['"\d])`,
    ),
  },
  {
    pattern: new RegExp(
      String.raw`!\s*(?:[\w.$]+|\[[^\]]*\])\.(?:includes|has|hasOwnProperty|get)\(\s*${SUBJECT}\s*\)`,
    ),
    not: true,
  },
  {
    pattern: new RegExp(
      String.raw`(?<!!\s?)(?<![\w.$])(?:[\w.$]+|\[[^\]]*\])\.(?:includes|has|hasOwnProperty)\(\s*${SUBJECT}\s*\)`,
    ),
  },
  {
    pattern: new RegExp(
      String.raw`!\s*(?:Object\.(?:hasOwn|prototype\.hasOwnProperty\.call))\(\s*[\w.$]+\s*,\s*${SUBJECT}\s*\)`,
    ),
    not: true,
  },
  { pattern: new RegExp(String.raw`!\s*(?:\(\s*)?${SUBJECT}\s+in\s+[A-Za-z_$][\w$.]*`), not: true },
  { pattern: new RegExp(String.raw`!\s*/${NARROW}/[a-z]*\.test\(\s*${SUBJECT}\s*\)`), not: true },
  { pattern: new RegExp(String.raw`(?<!!\s?)/${NARROW}/[a-z]*\.test\(\s*${SUBJECT}\s*\)`) },
  { pattern: new RegExp(String.raw`!\s*[A-Z][A-Z0-9_]*\.test\(\s*${SUBJECT}\s*\)`), not: true },
  { pattern: new RegExp(String.raw`!\s*${SUBJECT}\.match\(\s*/${NARROW}/`), not: true },
  {
    pattern: new RegExp(String.raw`not\s+re\.(?:match|fullmatch)\(\s*r?['"]${NARROW}?['"]\s*,\s*${SUBJECT}\s*\)`),
    not: true,
  },
  { pattern: new RegExp(String.raw`(?<!not\s)re\.(?:match|fullmatch)\(\s*r?['"]${NARROW}['"]\s*,\s*${SUBJECT}\s*\)`) },
  { pattern: new RegExp(String.raw`not\s+[A-Z][A-Z0-9_]*\.(?:match|fullmatch)\(\s*${SUBJECT}\s*\)`), not: true },
  {
    pattern: new RegExp(String.raw`not\s+${SUBJECT}\.(?:isdigit|isalnum|isalpha|isdecimal|isnumeric|isidentifier)\(\)`),
    not: true,
  },
  {
    pattern: new RegExp(
      String.raw`(?<!not\s)(?<![\w.])${SUBJECT}\.(?:isdigit|isalnum|isalpha|isdecimal|isnumeric|isidentifier)\(\)`,
    ),
  },
  { pattern: new RegExp(String.raw`!\s*(?:Number\.)?is(?:Integer|SafeInteger|Finite)\(\s*${SUBJECT}\s*\)`), not: true },
  { pattern: new RegExp(String.raw`(?<![\w.])isNaN\(\s*${SUBJECT}\s*\)`), not: true },
  {
    pattern: new RegExp(
      String.raw`re\.(?:match|fullmatch)\(\s*r?['"]${NARROW}['"]\s*,\s*${SUBJECT}\s*\)\s*(?:is\s+None|==\s*None)`,
    ),
    not: true,
  },
  {
    pattern: new RegExp(
      String.raw`(?<![\w.$])${SUBJECT}\s*={2,3}\s*(?:['"][^'"]|[A-Z][A-Z0-9_]+\b|\w*(?:[Tt]rusted|[Aa]llowed|[Ee]xpected)\w*)`,
    ),
  },
  {
    pattern: new RegExp(
      String.raw`(?<![\w.$])${SUBJECT}\s*!={1,2}\s*(?:['"][^'"]|[A-Z][A-Z0-9_]+\b|\w*(?:[Tt]rusted|[Aa]llowed|[Ee]xpected)\w*)`,
    ),
    not: true,
  },
];
/** Conditions that hold where the subject has what breaks out of a quote or of a folder; only leaving helps. */
const FORBIDDEN: readonly RegExp[] = [
  new RegExp(String.raw`['"](?:\.\.[/\\]{0,2}|\\?['"])['"]\s+in\s+${SUBJECT}`),
  new RegExp(String.raw`(?<![\w.$])${SUBJECT}\.(?:includes|indexOf)\(\s*['"](?:\.\.[/\\]{0,2}|\\?['"])['"]\s*\)`),
];
const LEAVES =
  /^[\s{:]*(?:return|raise|throw|continue|break|abort\(|sys\.exit|process\.exit|(?:\w+\.)?(?:status|sendStatus|send|redirect|json)\()/;

function plain(text: string): string {
  return text.replace(/\s+/g, '').replaceAll('?.', '.');
}

/** Whether the last thing a branch does is to leave. */
function leaves(branch: Node): boolean {
  const last = branch
    .namedChildren()
    .filter((child) => child.kind() !== 'comment')
    .at(-1);
  const text = /^(block|statement_block)$/.test(String(branch.kind())) ? (last?.text() ?? '') : branch.text();
  return LEAVES.test(text);
}

/** Every guard of a file, by what it is about. */
function guardsOf(root: Node, language: Exclude<Language, 'text'>): ReadonlyMap<string, readonly Guard[]> {
  const guards = new Map<string, Guard[]>();
  const add = (subject: string, from: number, to: number): void => {
    const name = plain(subject);
    guards.set(name, [...(guards.get(name) ?? []), { from, to }]);
  };
  for (const branch of nodesOfKind(root, 'if_statement')) {
    const condition = branch.field('condition');
    const consequence = branch.field('consequence');
    const text = condition?.text() ?? '';
    if (!condition || !consequence || text.length > 400) continue;
    for (const { pattern, not } of [...ALLOWED, ...FORBIDDEN.map((one) => ({ pattern: one, not: true }))]) {
      for (const match of text.matchAll(new RegExp(pattern.source, `${pattern.flags}g`))) {
        // `x || !allowed(x)` leaves with every x that is not allowed; `x && !allowed(x)` does too, where x is there.
        if (not) {
          if (leaves(consequence))
            add(match[1]!, branch.range().end.index, (enclosingFunction(branch) ?? root).range().end.index);
        } else if (!/\|\||\bor\b/.test(text)) {
          add(match[1]!, consequence.range().start.index, consequence.range().end.index);
        }
      }
    }
  }
  const choices = language === 'python' || language === 'c' ? 'conditional_expression' : 'ternary_expression';
  for (const choice of nodesOfKind(root, choices)) {
    const [first, second] = choice.namedChildren();
    const [value, condition] = language === 'python' ? [first, second] : [second, first];
    if (!value || !condition || condition.text().length > 400) continue;
    for (const { pattern, not } of ALLOWED) {
      const match = not ? null : pattern.exec(condition.text());
      if (match) add(match[1]!, value.range().start.index, value.range().end.index);
    }
  }
  return guards;
}

/** Whether the expression is known at its place to be one of a list of allowed values, or of a narrow form. */
export function createGuards(root: Node, language: Exclude<Language, 'text'>): (expression: Node) => boolean {
  let guards: ReadonlyMap<string, readonly Guard[]> | null = null;
  return (expression) => {
    guards ??= guardsOf(root, language);
    if (guards.size === 0 || !SUBJECTS.test(String(expression.kind()))) return false;
    const own = guards.get(plain(expression.text()));
    if (!own) return false;
    const at = expression.range().start.index;
    return own.some(({ from, to }) => from <= at && at < to);
  };
}
