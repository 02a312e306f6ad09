import type { GateConfig } from '../config.ts';
import { severityUnder } from '../config.ts';
import type { PlacedFinding, SourceFile } from '../finding.ts';
import { isCode } from '../language.ts';

/** A run of lines that occurs elsewhere, each side from first to last line, from 1. */
export interface Duplicate {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly otherPath: string;
  readonly otherFrom: number;
  readonly otherTo: number;
}

interface Lines {
  /** Significant lines only: their text's hash and their number in the file. */
  readonly hashes: Int32Array;
  readonly numbers: Int32Array;
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

const INSIGNIFICANT =
  /^[\s{}()[\];,]*$|^\s*(\/\/|#|\*|\/\*|<!--|"""|''')|^\s*(import|from|export \{|export \*|use|#include|package)\b|^\s*(else|try|finally|do|end|pass|break|continue|return)\b\W*$/;

/** FNV-1a over the text without white space; collisions are excluded later by comparing the lines. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code <= 32) continue;
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  return hash;
}

function linesOf(text: string): Lines {
  const hashes: number[] = [];
  const numbers: number[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.length > 500 || INSIGNIFICANT.test(line)) return;
    hashes.push(hashOf(line));
    numbers.push(index + 1);
  });
  return { hashes: Int32Array.from(hashes), numbers: Int32Array.from(numbers) };
}

function windowAt(hashes: Int32Array, at: number, length: number): number {
  let hash = 17;
  for (let offset = 0; offset < length; offset++) hash = Math.imul(hash ^ hashes[at + offset]!, 0x5bd1e995) + offset;
  return hash;
}

export function indexOf(files: readonly SourceFile[], minimumLines: number): DuplicationIndex {
  const byPath = new Map<string, Lines>();
  const windows = new Map<number, (readonly [string, number])[]>();
  for (const file of files) {
    if (!isCode(file.language)) continue;
    const lines = linesOf(file.text);
    byPath.set(file.path, lines);
    for (let at = 0; at + minimumLines <= lines.hashes.length; at++) {
      const hash = windowAt(lines.hashes, at, minimumLines);
      const list = windows.get(hash);
      if (list) list.push([file.path, at]);
      else windows.set(hash, [[file.path, at]]);
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
