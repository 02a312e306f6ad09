import { type Fence, fencesOf } from '../answer.ts';
import { looksLikePath } from './paths.ts';

/** One change an answer asks for, in its order. */
export type Change =
  | { readonly type: 'whole'; readonly path: string; readonly content: string }
  | {
      readonly type: 'replace';
      readonly path: string;
      readonly search: readonly string[];
      readonly replace: readonly string[];
    }
  | { readonly type: 'delete'; readonly path: string };

export type Changes = { readonly changes: readonly Change[] } | { readonly invalid: string };

const SEARCH = /^\s*<{5,9} ?SEARCH\b.*$/;
const DIVIDER = /^\s*={5,9}\s*$/;
const REPLACE = /^\s*>{5,9} ?REPLACE\b.*$/;

/** Lines that stand for code left out of what claims to be a whole file. */
const ELISION =
  /^\s*(\/\/|#|\/\*|<!--|\.\.\.|…)[\s.…*-]*((rest|remainder) of|(existing|other|previous|remaining|unchanged|same)\b.*\b(code|content|file|functions?|methods?|imports?|lines?|here|above|before|unchanged))\b|^\s*(\/\/|#|\/\*)\s*(\.\.\.|…)\s*(?:\*\/\s*)?$/i;

/**
 * The changes in an answer of the form that `FORMAT` asks for, whatever prose, headings or list marks stand around them.
 * A path may stand on the line above a fence (plain, in backticks, bold, as a heading, `File: path`), in the fence's info
 * string or on the fence's first line; blocks also count without a fence around them.
 */
export function changesIn(answer: string): Changes {
  const lines = answer.split('\n');
  const changes: Change[] = [];
  const fences = markedFences(lines);
  let last: string | null = null;
  let i = 0;
  while (i < lines.length) {
    const fence = fences.find((one) => one.openLine === i);
    const gone = /^(?:[-*] )?\**DELETE\**:?\s(.*)$/.exec(lines[i]!.trim())?.[1]?.trim().replace(/^`|`$/g, '');
    if (gone && looksLikePath(gone)) changes.push({ type: 'delete', path: gone });
    if (fence !== undefined) {
      const read = fromFence(fence, pathAbove(lines, i) ?? null, last);
      if ('invalid' in read) return read;
      changes.push(...read.changes);
      last = read.changes.at(-1)?.path ?? last;
      i = fence.closeLine + 1;
    } else if (SEARCH.test(lines[i]!)) {
      const path: string | null = pathAbove(lines, i) ?? last;
      const read = blocksOf(lines.slice(i), path);
      if ('invalid' in read) return read;
      changes.push(...read.changes);
      last = path;
      i += read.lineCount;
    } else i++;
  }
  return { changes };
}

/**
 * Fences, those of edit blocks by their marks: what is searched or put in may hold fences of its own, so such a fence
 * reaches at least to its last `REPLACE` line.
 */
function markedFences(lines: readonly string[]): readonly Fence[] {
  const fences: Fence[] = [];
  for (let from = 0; from < lines.length; ) {
    const next = fencesOf(lines.slice(from).join('\n'))[0];
    if (next === undefined) break;
    const fence = { ...next, openLine: from + next.openLine, closeLine: from + next.closeLine };
    const marked = untilLastReplace(fence, lines.slice(fence.openLine + 1));
    fences.push(marked);
    from = marked.closeLine + 1;
  }
  return fences;
}

function untilLastReplace(fence: Fence, inside: readonly string[]): Fence {
  const first = inside.findIndex((line) => line.trim() !== '' && !looksLikePath(line.trim()));
  let end = 0;
  for (let at = first; at >= 0 && SEARCH.test(inside[at]!); ) {
    const close = inside.findIndex((line, i) => i > at && REPLACE.test(line));
    if (close < 0) return fence;
    end = close + 1;
    at = inside.findIndex((line, i) => i >= end && line.trim() !== '');
  }
  if (end === 0) return fence;
  const after = inside.findIndex((line, i) => i >= end && line.trim() !== '');
  const isClosed = after >= 0 && /^\s*(`{3,}|~{3,})\s*$/.test(inside[after]!);
  const closeLine = fence.openLine + 1 + (isClosed ? after : end - 1);
  return { ...fence, text: inside.slice(0, end).join('\n'), closeLine, isClosed };
}

function fromFence(fence: Fence, above: string | null, last: string | null): Changes {
  const lines = fence.text.split('\n');
  const first = lines.findIndex((line) => line.trim() !== '');
  const isBlock = lines.some((line) => SEARCH.test(line));
  const own = pathInInfo(fence.info);
  const onFirstLine = first >= 0 ? pathOnFirstLine(lines[first]!, isBlock) : null;
  const path = above ?? own ?? onFirstLine;
  if (isBlock) return blocksOf(lines, path ?? last);
  if (path === null) return { changes: [] };
  if (!fence.isClosed) return { invalid: `the new content of ${path} is cut off` };
  const content = above === null && own === null ? lines.slice(first + 1) : lines;
  const elided = content.find((line) => ELISION.test(line));
  if (elided !== undefined) {
    return { invalid: `the new content of ${path} leaves code out (\`${elided.trim().slice(0, 80)}\`)` };
  }
  return { changes: [{ type: 'whole', path, content: content.join('\n') }] };
}

function blocksOf(
  lines: readonly string[],
  first: string | null,
): (Changes & { readonly lineCount: number }) | { readonly invalid: string } {
  const changes: Change[] = [];
  let path = first;
  let i = 0;
  while (i < lines.length) {
    if (!SEARCH.test(lines[i]!)) {
      const named = /^\s*(`{3,}|~{3,})/.test(lines[i]!) ? null : pathIn(lines[i]!);
      if (named === null && lines[i]!.trim() !== '' && changes.length > 0) break;
      path = named ?? path;
      i++;
      continue;
    }
    const block = `block ${changes.length + 1}${path === null ? '' : ` of ${path}`}`;
    const divider = lines.findIndex((line, at) => at > i && DIVIDER.test(line));
    const end = lines.findIndex((line, at) => at > i && REPLACE.test(line));
    if (divider < 0 || end < 0 || end < divider) {
      return { invalid: `${block} is not complete: it needs SEARCH, =======, and REPLACE lines` };
    }
    if (path === null) return { invalid: `${block} does not say which file it changes` };
    changes.push({
      type: 'replace',
      path,
      search: lines.slice(i + 1, divider),
      replace: lines.slice(divider + 1, end),
    });
    i = end + 1;
  }
  return { changes, lineCount: i };
}

/** The path on the nearest line above that is not blank. */
function pathAbove(lines: readonly string[], from: number): string | null {
  for (let i = from - 1; i >= Math.max(0, from - 3); i--) {
    if (lines[i]!.trim() !== '') return pathIn(lines[i]!);
  }
  return null;
}

function pathIn(line: string): string | null {
  const bare = line
    .trim()
    .replace(/^(#{1,6}|[-*+]|\d+[.)])\s+/, '')
    .replace(/^\**(new file|file|path|filename|create|update|edit|modify)[*:\s]*\s/i, '')
    .replace(/\s*\((new( file)?|modified|updated|created)\)\s*:?$/i, '')
    .replace(/:$/, '')
    .replace(/^[*_`"']+|[*_`"':]+$/g, '');
  if (looksLikePath(bare)) return bare;
  // "Here is the new `src/a.js`:" – one path in backticks in a sentence that ends with a colon.
  const quoted = /:\s*$/.test(line) ? [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1]!) : [];
  return quoted.length === 1 && looksLikePath(quoted[0]!) ? quoted[0]! : null;
}

function pathInInfo(info: string): string | null {
  const named = /(?:^|\s)(?:path|file|title|filename)=["']?([^"'\s]+)["']?/.exec(info)?.[1];
  if (named !== undefined) return named;
  const word = info.replace(/^[\w+-]+[\s:]+/, '');
  return /[./]/.test(word) && looksLikePath(word) ? word : null;
}

function pathOnFirstLine(line: string, isBlock: boolean): string | null {
  const comment = /^\s*(?:\/\/|#|--|\/\*|<!--)\s*(?:file:\s*)?(\S+?)\s*(?:(?:\*\/|-->)\s*)?$/i.exec(line)?.[1] ?? null;
  const text = comment ?? (isBlock ? line.trim() : null);
  return text !== null && looksLikePath(text) && /\.\w+$/.test(text) ? text : null;
}
