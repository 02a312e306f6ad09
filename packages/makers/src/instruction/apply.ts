import type { FileEdit, Tree } from '@lathe/protocol';
import type { Edits } from '../prepared-task.ts';
import { readText } from '../text.ts';
import type { Change } from './blocks.ts';
import { repositoryPath } from './paths.ts';

/**
 * Changes applied to the base exactly, in their order; the first that does not apply makes the whole answer `invalid`
 * with its number, its file and how often its text was found. Lines are compared without their ends; lines that stay
 * keep theirs, new ones get that of the lines they replace (of the file, where a whole file is written anew).
 */
export async function applyChanges(changes: readonly Change[], base: Tree): Promise<Edits> {
  const files = new Map<string, string | null>();
  const original = new Map<string, string | null>();
  for (const [i, change] of changes.entries()) {
    const where = repositoryPath(change.path);
    if ('invalid' in where) return where;
    const { path } = where;
    if (!files.has(path)) {
      const text = await readText(base, path);
      if (text === null && (await base.read(path)) !== null) return { invalid: `${path} is not UTF-8 text` };
      files.set(path, text);
      original.set(path, text);
    }
    const applied = apply(change, path, files.get(path)!, `change ${i + 1} of ${changes.length} (${path})`);
    if (applied !== null && typeof applied === 'object') return applied;
    files.set(path, applied);
  }
  const clash = [...files.keys()].find((path) =>
    [...files].some(([other, text]) => text !== null && other.startsWith(`${path}/`)),
  );
  if (clash !== undefined && files.get(clash) !== null) return { invalid: `${clash} would be a file and a folder` };
  return editsOf(files, original, base);
}

async function editsOf(
  files: ReadonlyMap<string, string | null>,
  original: ReadonlyMap<string, string | null>,
  base: Tree,
): Promise<Edits> {
  const edits: FileEdit[] = [];
  for (const [path, text] of files) {
    if (text === original.get(path)) continue;
    const mode = (await base.mode?.(path)) ?? '100644';
    edits.push({ path, content: text === null ? null : new TextEncoder().encode(text), mode });
  }
  return edits.length > 0 ? { edits } : { invalid: 'the answer changes nothing' };
}

type Applied = string | null | { readonly invalid: string };

function apply(change: Change, path: string, text: string | null, name: string): Applied {
  if (change.type === 'delete') {
    return text === null ? { invalid: `${name} deletes a file that is not there` } : null;
  }
  if (change.type === 'whole') return wholeFile(change.content, text);
  const isBlank = change.search.every((line) => line.trim() === '');
  if (text === null) {
    return isBlank
      ? wholeFile(change.replace.join('\n'), null)
      : { invalid: `${name}: there is no such file to search` };
  }
  if (isBlank) {
    return text === ''
      ? wholeFile(change.replace.join('\n'), text)
      : { invalid: `${name} has an empty SEARCH part, but the file has content` };
  }
  return replaceOnce(change.search, change.replace, text, name, path);
}

function wholeFile(content: string, old: string | null): string {
  const bom = old?.startsWith('\uFEFF') ? '\uFEFF' : '';
  const text = `${content.replace(/\n+$/, '')}\n`;
  return bom + (old !== null && mainEnd(old) === '\r\n' ? text.replaceAll('\n', '\r\n') : text);
}

function mainEnd(text: string): string {
  const crlf = text.match(/\r\n/g)?.length ?? 0;
  return crlf * 2 > (text.match(/\n/g)?.length ?? 0) ? '\r\n' : '\n';
}

interface Line {
  readonly text: string;
  /** `\n`, `\r\n`, or nothing on the last line. */
  readonly end: string;
}

function replaceOnce(
  search: readonly string[],
  replace: readonly string[],
  text: string,
  name: string,
  path: string,
): Applied {
  const bom = text.startsWith('\uFEFF') ? '\uFEFF' : '';
  const lines = [...text.slice(bom.length).matchAll(/([^\n]*?)(\r?\n|$)/g)]
    .filter((match) => match[0] !== '')
    .map((match): Line => ({ text: match[1]!, end: match[2]! }));
  const at = occurrences(lines, search, (a, b) => a === b);
  if (at.length !== 1) {
    const loose = occurrences(lines, search, (a, b) => a.trim() === b.trim());
    const hint =
      at.length === 0 && loose.length > 0 ? `; with other white space it does, at line ${loose[0]! + 1}` : '';
    const found =
      at.length === 0 ? 'does not occur' : `occurs ${at.length} times (lines ${at.map((i) => i + 1).join(', ')})`;
    return { invalid: `${name}: its SEARCH text ${found} in ${path} and must occur exactly once${hint}` };
  }
  const start = at[0]!;
  const old = lines.slice(start, start + search.length);
  const end = old.find((line) => line.end !== '')?.end ?? (lines[0]!.end || '\n');
  const fresh = replace.map((one): Line => ({ text: one, end }));
  // A last line without an end stays without one.
  if (fresh.length > 0 && old.at(-1)!.end === '') fresh[fresh.length - 1] = { ...fresh.at(-1)!, end: '' };
  const result = lines.toSpliced(start, search.length, ...fresh);
  return bom + result.map((line) => line.text + line.end).join('');
}

function occurrences(
  lines: readonly Line[],
  search: readonly string[],
  equal: (a: string, b: string) => boolean,
): readonly number[] {
  const found: number[] = [];
  for (let i = 0; i + search.length <= lines.length; i++) {
    if (search.every((line, k) => equal(lines[i + k]!.text, line))) found.push(i);
  }
  return found;
}
