import type { GateConfig } from '../config.ts';
import { severityUnder } from '../config.ts';
import type { FileReport, PlacedFinding, RawFinding, SourceFile, SuppressedFinding } from '../finding.ts';
import { type Node, parseSource, symbolOf, whyUnparsable } from '../rules/syntax.ts';
import { suppressionOf, suppressionsIn } from '../suppressions.ts';
import { endWithParent } from './end-with-parent.ts';
import { scannerNamed } from './index.ts';
import type { ScannerName } from './scanner.ts';

// Only where a pool started this file as a process of its own.
if (process.send) endWithParent();

export interface ScanTask {
  readonly scanner: ScannerName;
  readonly files: readonly SourceFile[];
  readonly config: GateConfig;
}

export type ScanAnswer =
  | { readonly whyNot: string }
  | { readonly reports: readonly FileReport[]; readonly failed: readonly { path: string; why: string }[] };

/** What a scanner process does: one scanner over some files. A file that makes the scanner throw is reported by name. */
export default async function scan({ scanner: name, files, config }: ScanTask): Promise<ScanAnswer> {
  const scanner = await scannerNamed(name);
  const whyNot = await scanner.whyNot();
  if (whyNot) return { whyNot };
  const reports: FileReport[] = [];
  const failed: { path: string; why: string }[] = [];
  for (const file of files) {
    try {
      const outcome = await scanner.scan(file, config);
      reports.push(report(file, name, config, outcome));
    } catch (error) {
      failed.push({ path: file.path, why: error instanceof Error ? error.message.split('\n')[0]! : String(error) });
    }
  }
  return { reports, failed };
}

function report(
  file: SourceFile,
  scanner: ScannerName,
  config: GateConfig,
  outcome: Awaited<ReturnType<Awaited<ReturnType<typeof scannerNamed>>['scan']>>,
): FileReport {
  const lines = file.text.split('\n');
  const suppressions = suppressionsIn(file.text);
  const place = placer(file, lines, scanner);
  const findings: PlacedFinding[] = [];
  const suppressed: SuppressedFinding[] = [];
  const settled = (raw: RawFinding): RawFinding | null => {
    const severity = severityUnder(config, raw.rule, raw.severity);
    return severity === null ? null : { ...raw, severity };
  };
  for (const raw of outcome.findings) {
    const finding = settled(raw);
    if (!finding) continue;
    const comment = suppressionOf(finding, scanner, suppressions);
    if (comment) suppressed.push({ finding: place(finding), by: comment.by, reason: comment.reason });
    else findings.push(place(finding));
  }
  for (const { finding: raw, by, reason } of outcome.suppressed ?? []) {
    const finding = settled(raw);
    if (finding) suppressed.push({ finding: place(finding), by, reason });
  }
  return { path: file.path, findings, suppressed, syntaxError: outcome.syntaxError ?? null };
}

function placer(file: SourceFile, lines: readonly string[], scanner: ScannerName): (raw: RawFinding) => PlacedFinding {
  let root: Node | null | undefined;
  return ({ column, help, evidence, ...raw }) => {
    if (root === undefined) {
      root = file.language === 'text' || whyUnparsable(file.language) ? null : parseSource(file.language, file.text);
    }
    const line = Math.min(Math.max(raw.line, 1), Math.max(lines.length, 1));
    const source = evidence ?? lines.slice(line - 1, Math.min(raw.endLine, line + 2)).join('\n');
    const at = root ? nodeAt(root, line - 1, column ?? lines[line - 1]?.search(/\S/) ?? 0) : null;
    return {
      ...raw,
      line,
      endLine: Math.max(line, raw.endLine),
      path: file.path,
      scanner,
      symbol: at ? symbolOf(at) : null,
      evidence: source.length > 400 ? `${source.slice(0, 397)}...` : source,
      ...(help === undefined ? {} : { help }),
    };
  };
}

/** The innermost node that covers a position. */
function nodeAt(root: Node, line: number, column: number): Node {
  let at = root;
  for (;;) {
    const inner = at.children().find((child) => {
      const { start, end } = child.range();
      const after = start.line < line || (start.line === line && start.column <= column);
      const before = end.line > line || (end.line === line && end.column > column);
      return after && before;
    });
    if (!inner) return at;
    at = inner;
  }
}
