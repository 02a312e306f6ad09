import type { Grammar } from '@lathe/transformer';

/** A file whose lines an answer may search for. */
export interface Searchable {
  readonly path: string;
  readonly text: string;
}

/** More lines than this make a grammar that takes longer to compile than the answer to write. */
const MOST_LINES = 400;
/** New files in one answer. */
const MOST_CREATED = 3;
/** A model that does not come to an end comes to this one: small models repeat themselves. */
const MOST_NEW_LINES = { small: 24, other: 200 };
const MOST_FILE_LINES = 600;

/**
 * Answers of SEARCH and REPLACE blocks whose SEARCH parts are whole lines of their file that occur in it once, from its top
 * to its end, and of new files where they may be made. What is left to the model is which lines, and what comes in their
 * place. Null where the files are too long, hold control characters, code blocks or such marks, or there is nothing to write.
 *
 * A right-linear grammar of the runs of a file's lines. Behind line i of file f:
 *
 *   next_i ::= start_i | next_{i+1}            where the next SEARCH part begins
 *   start_i ::= the shortest run from line i that occurs once, then rest_j
 *   rest_j ::= end_j | line_j rest_{j+1}       how far it goes
 *   end_j ::= "=======" new ">>>>>>> REPLACE" ("<<<<<<< SEARCH" next_j)?
 */
export function blockGrammar(
  files: readonly Searchable[],
  { mayCreate, isSmall }: { mayCreate: boolean; isSmall: boolean },
): Grammar | null {
  const rules: string[] = [];
  const changes = mayCreate ? ['whole'] : [];
  let lineCount = 0;
  for (const [f, { path, text }] of files.entries()) {
    const lines = linesOf(text);
    lineCount += lines.length;
    if (lineCount > MOST_LINES || lines.some((line) => /[^\P{Cc}\t]|^\s*(```|[<=>]{5})/u.test(line))) return null;
    const runs = lines.map((_, i) => uniqueRun(lines, i));
    const last = runs.findLastIndex((run) => run !== null);
    if (last < 0) continue;
    for (let i = 0; i <= lines.length; i++) {
      const more = i <= last ? ` ("<<<<<<< SEARCH\\n" next${f}_${i})?` : '';
      rules.push(`end${f}_${i} ::= "=======\\n" new ">>>>>>> REPLACE\\n"${more}`);
      const line = i < lines.length ? ` | ${literal(`${lines[i]}\n`)} rest${f}_${i + 1}` : '';
      rules.push(`rest${f}_${i} ::= end${f}_${i}${line}`);
      if (i > last) continue;
      const run = runs[i]!;
      if (run !== null) {
        const searched = lines.slice(i, i + run).map((one) => `${one}\n`);
        rules.push(`start${f}_${i} ::= ${literal(searched.join(''))} rest${f}_${i + run}`);
      }
      const starts = [...(run === null ? [] : [`start${f}_${i}`]), ...(i < last ? [`next${f}_${i + 1}`] : [])];
      rules.push(`next${f}_${i} ::= ${starts.join(' | ')}`);
    }
    rules.push(`edit${f} ::= ${literal(`${path}\n\`\`\``)} language "\\n<<<<<<< SEARCH\\n" next${f}_0 "\`\`\`"`);
    changes.push(`edit${f}`);
  }
  if (changes.length === 0) return null;
  return grammar([
    `root ::= change ("\\n\\n" change){0,${changes.length - 1 + (mayCreate ? MOST_CREATED - 1 : 0)}}`,
    `change ::= ${changes.join(' | ')}`,
    `new ::= (blank? newline){0,${isSmall ? MOST_NEW_LINES.small : MOST_NEW_LINES.other}} blank?`,
    ...LINES,
    LANGUAGE,
    ...(mayCreate ? whole() : []),
    ...rules,
  ]);
}

/** A line of marks would end the part early, and one of backticks the code block it stands in. */
const LINES = [
  'blank ::= "\\n"',
  'newline ::= [ \\t]* ([^<>=` \\t\\n] [^\\n]* | [<>=]{1,4} ([^<>=\\n] [^\\n]*)? | "`" ([^`\\n] [^\\n]*)?) "\\n"',
];

const LANGUAGE = 'language ::= [a-z]{0,12}';

function whole(): string[] {
  return [
    'whole ::= path "\\n```" language "\\n" content',
    'path ::= ([a-zA-Z0-9_-] [a-zA-Z0-9_.-]* "/"){0,8} [a-zA-Z0-9_-]+ ("." [a-zA-Z0-9_-]+){1,3}',
    // Lines that are no fence and no mark of a block, and then a fence.
    `content ::= (blank | newline){1,${MOST_FILE_LINES}} "\`\`\`"`,
  ];
}

function grammar(rules: readonly string[]): Grammar {
  return { kind: 'ebnf', text: rules.join('\n') };
}

function linesOf(text: string): string[] {
  const lines = text
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n')
    .split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

/** Lines from `start` on that it takes until they occur only once; null where they never do, or are all blank. */
function uniqueRun(lines: readonly string[], start: number): number | null {
  let places = Array.from(lines.keys());
  for (let length = 1; start + length <= lines.length; length++) {
    const last = lines[start + length - 1]!;
    places = places.filter((place) => lines[place + length - 1] === last);
    const isBlank = lines.slice(start, start + length).every((line) => line.trim() === '');
    if (places.length === 1 && !isBlank) return length;
  }
  return null;
}

/** A text in quotes as the grammar's notation wants it. */
function literal(text: string): string {
  return JSON.stringify(text);
}
