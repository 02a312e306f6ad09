import type { Tree } from '@lathe/protocol';
import type { GateCache } from '../cache.ts';
import { type GateConfig, severityUnder } from '../config.ts';
import type { PlacedFinding, SourceFile } from '../finding.ts';
import { isCode, type Language, languageOf } from '../language.ts';
import { selector, sourceFiles } from '../source-files.ts';
import { type Lines, linesOf } from './lines.ts';

/** A run of lines that occurs elsewhere, each side from first to last line, from 1. */
export interface Duplicate {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly otherPath: string;
  readonly otherFrom: number;
  readonly otherTo: number;
}

/**
 * Windows of `minimumLines` significant lines by hash. Lines count without white space; blank lines, lone brackets,
 * comments and imports do not count at all. A library's token index would be finer, at a hundred times the cost of
 * building it; what is asked for here is identical lines, and one hash a line answers it.
 */
export interface DuplicationIndex {
  readonly minimumLines: number;
  readonly files: ReadonlyMap<string, Lines>;
  readonly windows: ReadonlyMap<number, readonly (readonly [path: string, at: number])[]>;
}

function windowAt(hashes: Int32Array, at: number, length: number): number {
  let hash = 17;
  for (let offset = 0; offset < length; offset++) hash = Math.imul(hash ^ hashes[at + offset]!, 0x5bd1e995) + offset;
  return hash;
}

export function indexOf(files: readonly SourceFile[], minimumLines: number): DuplicationIndex {
  const code = files.filter((file) => isCode(file.language));
  return indexOfLines(new Map(code.map((file) => [file.path, linesOf(file.text)])), minimumLines);
}

/** The index of a tree, reading only files whose lines no earlier run has kept. */
export async function indexOfTree(tree: Tree, config: GateConfig, cache: GateCache | null): Promise<DuplicationIndex> {
  const minimum = config.duplication.minimumLines;
  if (!cache || !tree.id) return indexOf((await sourceFiles(tree, config, { languages: CODE })).files, minimum);
  const byPath = new Map<string, Lines>();
  const unknown = new Map<string, string>();
  for (const path of (await tree.list()).filter((one) => isCode(languageOf(one)))) {
    const id = await tree.id(path);
    const known = id === null ? null : cache.lines(`${id} ${config.maxFileBytes}`);
    if (known) byPath.set(path, known);
    else if (id !== null) unknown.set(path, id);
  }
  const { files } = await sourceFiles(tree, config, { paths: [...unknown.keys()] });
  const read = new Map(files.map((file) => [file.path, linesOf(file.text)]));
  for (const [path, id] of unknown) {
    // A file that is left out for its size or form is known to have no lines that count.
    const lines = read.get(path) ?? NO_LINES;
    byPath.set(path, lines);
    cache.keepLines(`${id} ${config.maxFileBytes}`, lines);
  }
  const selected = selector(config);
  return indexOfLines(new Map([...byPath].filter(([path]) => selected(path))), minimum);
}

const CODE: readonly Language[] = ['javascript', 'typescript', 'tsx', 'python', 'c'];
const NO_LINES: Lines = { hashes: new Int32Array(), numbers: new Int32Array() };

function indexOfLines(byPath: ReadonlyMap<string, Lines>, minimumLines: number): DuplicationIndex {
  const windows = new Map<number, (readonly [string, number])[]>();
  for (const [path, lines] of byPath) {
    for (let at = 0; at + minimumLines <= lines.hashes.length; at++) {
      const hash = windowAt(lines.hashes, at, minimumLines);
      const list = windows.get(hash);
      if (list) list.push([path, at]);
      else windows.set(hash, [[path, at]]);
    }
  }
  return { minimumLines, files: byPath, windows };
}

/**
 * Blocks of `files` that also stand in the index or elsewhere in `files`. `files` lie over the index: the indexed
 * versions of their paths are not looked at, and the index is not written to.
 */
export function duplicatesIn(index: DuplicationIndex, files: readonly SourceFile[]): Duplicate[] {
  const over = indexOf(files, index.minimumLines);
  const own = new Set(over.files.keys());
  const duplicates: Duplicate[] = [];
  for (const [path, lines] of over.files) {
    let at = 0;
    while (at + index.minimumLines <= lines.hashes.length) {
      const hash = windowAt(lines.hashes, at, index.minimumLines);
      const places = [
        ...(over.windows.get(hash) ?? []),
        ...(index.windows.get(hash) ?? []).filter(([other]) => !own.has(other)),
      ].filter(
        ([other, start]) => other !== path || start + index.minimumLines <= at || start >= at + index.minimumLines,
      );
      let best: Duplicate | null = null;
      let bestLength = 0;
      for (const [other, start] of places) {
        const otherLines = over.files.get(other) ?? index.files.get(other)!;
        let length = 0;
        while (
          at + length < lines.hashes.length &&
          start + length < otherLines.hashes.length &&
          lines.hashes[at + length] === otherLines.hashes[start + length]
        ) {
          if (other === path && start < at ? start + length >= at : other === path && at + length >= start) break;
          length++;
        }
        if (length >= index.minimumLines && length > bestLength) {
          bestLength = length;
          best = {
            path,
            from: lines.numbers[at]!,
            to: lines.numbers[at + length - 1]!,
            otherPath: other,
            otherFrom: otherLines.numbers[start]!,
            otherTo: otherLines.numbers[start + length - 1]!,
          };
        }
      }
      if (best) {
        duplicates.push(best);
        at += bestLength;
      } else at++;
    }
  }
  return duplicates;
}

/** Each pair of equal blocks as one finding, at the block that comes second by path and line. */
export function duplicationFindings(
  index: DuplicationIndex,
  files: readonly SourceFile[],
  config: GateConfig,
): PlacedFinding[] {
  const severity = severityUnder(config, 'lathe/duplicate-block', 'low');
  if (severity === null) return [];
  const texts = new Map(files.map((file) => [file.path, file.text.split('\n')]));
  const seen = new Set<string>();
  const findings: PlacedFinding[] = [];
  for (const one of duplicatesIn(index, files)) {
    const ends = [`${one.path}:${one.from}`, `${one.otherPath}:${one.otherFrom}`].sort();
    if (seen.has(ends.join(' '))) continue;
    seen.add(ends.join(' '));
    const lines = texts.get(one.path)!.slice(one.from - 1, one.to);
    findings.push({
      kind: 'quality',
      rule: 'lathe/duplicate-block',
      cwe: null,
      severity,
      confidence: 'high',
      path: one.path,
      line: one.from,
      endLine: one.to,
      message: `${one.to - one.from + 1} lines stand in ${one.otherPath}:${one.otherFrom}-${one.otherTo} too`,
      help: 'Keep one and call it from both places.',
      evidence: lines
        .map((line) => line.trim())
        .join('\n')
        .slice(0, 400),
      symbol: null,
      scanner: 'duplication',
    });
  }
  return findings;
}
