import type { NotLookedFor, Tree } from '@lathe/protocol';
import { type GateCache, isKept } from './cache.ts';
import { atLeast, type GateConfig } from './config.ts';
import type { Import } from './dependencies/findings.ts';
import type { FileReport, PlacedFinding, SourceFile, SuppressedFinding, SyntaxProblem } from './finding.ts';
import type { Language } from './language.ts';
import { batchesOf, createScannerPool, type ScannerPool, scanBatch } from './scanners/pool.ts';
import { SCANNER_NAMES, type ScannerName } from './scanners/scanner.ts';
import { type Selection, sourceFiles } from './source-files.ts';

export interface FindingsOptions {
  readonly config: GateConfig;
  /** Only these files; all of the tree otherwise. */
  readonly paths?: readonly string[];
  readonly languages?: readonly Language[];
  readonly scanners?: readonly ScannerName[];
  /** Warm processes to use; without it some are started and ended. */
  readonly pool?: ScannerPool;
  readonly signal?: AbortSignal;
  /** Answers of earlier runs; what is new is put there. */
  readonly cache?: GateCache | null;
}

export interface TreeFindings {
  /** By path and line. */
  readonly findings: readonly PlacedFinding[];
  readonly notLookedFor: readonly NotLookedFor[];
  readonly suppressed: readonly SuppressedFinding[];
  readonly syntaxErrors: readonly SyntaxProblem[];
  /** Packages the files import; `dependencyFindings` makes findings of them. */
  readonly imports: readonly Import[];
}

const LANGUAGES_OF: Readonly<Record<ScannerName, readonly Language[]>> = {
  rules: ['javascript', 'typescript', 'tsx', 'python', 'c'],
  eslint: ['javascript', 'typescript', 'tsx'],
  sonarjs: ['javascript', 'typescript', 'tsx'],
  ruff: ['python'],
  secrets: ['javascript', 'typescript', 'tsx', 'python', 'c', 'text'],
  characters: ['javascript', 'typescript', 'tsx', 'python', 'c'],
  complexity: ['javascript', 'typescript', 'tsx', 'python', 'c'],
  imports: ['javascript', 'typescript', 'tsx', 'python'],
  flawfinder: ['c'],
  cppcheck: ['c'],
};

const LOOKS_FOR: Readonly<Record<ScannerName, string>> = {
  rules: "weaknesses Lathe's own rules know",
  eslint: 'weaknesses ESLint and its security plugins know',
  sonarjs: 'weaknesses only eslint-plugin-sonarjs knows (weak hashes, cookies, unzip bombs, file permissions)',
  ruff: 'weaknesses Ruff knows',
  secrets: 'secrets',
  characters: 'hidden characters',
  complexity: 'cognitive complexity',
  imports: 'dependencies',
  flawfinder: 'dangerous C functions Flawfinder knows',
  cppcheck: 'memory errors Cppcheck knows',
};

/**
 * Everything the scanners find in a tree. A scanner that is missing, crashes or exceeds its time is listed in
 * `notLookedFor`, by file where it was one file's fault: an empty list of findings means clean only where that is empty.
 */
export async function findingsOf(tree: Tree, options: FindingsOptions): Promise<TreeFindings> {
  return findingsOfFiles(await sourceFiles(tree, options.config, options), options);
}

export async function findingsOfFiles(
  { files, notLookedFor: left }: Selection,
  options: FindingsOptions,
): Promise<TreeFindings> {
  const { config, signal, cache = null } = options;
  const pool = options.pool ?? createScannerPool(config.workers);
  const notLookedFor: NotLookedFor[] = [...left];
  const found: PlacedFinding[] = [];
  const suppressed: SuppressedFinding[] = [];
  const imports: Import[] = [];
  const syntaxErrors = new Map<string, SyntaxProblem>();
  const take = (scanner: ScannerName, report: FileReport): void => {
    if (scanner === 'imports')
      imports.push(...report.findings.map(({ path, line, message }) => ({ path, line, name: message })));
    else found.push(...report.findings);
    suppressed.push(...report.suppressed);
    if (report.syntaxError) syntaxErrors.set(report.path, report.syntaxError);
  };
  try {
    await Promise.all(
      (options.scanners ?? SCANNER_NAMES).map(async (scanner) => {
        const own = files.filter((file) => LANGUAGES_OF[scanner].includes(file.language));
        const fresh: SourceFile[] = [];
        for (const file of own) {
          const known = cache && isKept(scanner) ? cache.report(scanner, file, config) : null;
          if (known) take(scanner, known);
          else fresh.push(file);
        }
        const ask = async (batch: readonly SourceFile[]): Promise<boolean> => {
          const result = await scanBatch(pool, scanner, batch, config, signal);
          if (result.whyNot) notLookedFor.push({ what: LOOKS_FOR[scanner], why: result.whyNot });
          for (const { path, why } of result.failed)
            notLookedFor.push({ what: `${LOOKS_FOR[scanner]}, in ${path}`, why });
          for (const report of result.answers.flatMap((answer) => answer.reports)) {
            take(scanner, report);
            const file = cache && isKept(scanner) ? batch.find((one) => one.path === report.path) : undefined;
            if (file) cache?.keepReport(scanner, file, config, report);
          }
          return result.whyNot === null;
        };
        const [first, ...rest] = batchesOf(fresh);
        if (!first) return;
        // What may not be installed is asked with one batch, not handed every file of the tree.
        if (isKept(scanner)) await Promise.all([first, ...rest].map(ask));
        else if (await ask(first)) await Promise.all(rest.map(ask));
      }),
    );
  } finally {
    if (!options.pool) await pool.close();
  }
  for (const problem of syntaxErrors.values()) {
    notLookedFor.push({
      what: `weaknesses in ${problem.path}`,
      why: `it does not parse: line ${problem.line}: ${problem.message}`,
    });
  }
  return {
    findings: withoutDoubles(found),
    notLookedFor: distinct(notLookedFor),
    suppressed,
    syntaxErrors: [...syntaxErrors.values()],
    imports,
  };
}

/**
 * One finding where several scanners object to the same weakness (CWE) on the same line: the pack's own rule, which says
 * what to do, else the most severe.
 */
function withoutDoubles(findings: readonly PlacedFinding[]): PlacedFinding[] {
  const better = (a: PlacedFinding, b: PlacedFinding): PlacedFinding => {
    if ((a.scanner === 'rules') !== (b.scanner === 'rules')) return a.scanner === 'rules' ? a : b;
    return atLeast(a.severity, b.severity) ? a : b;
  };
  const byWeakness = new Map<string, PlacedFinding>();
  for (const finding of findings) {
    const key = `${finding.path}\0${finding.line}\0${finding.cwe ?? finding.rule + finding.message}`;
    const other = byWeakness.get(key);
    byWeakness.set(key, other ? better(other, finding) : finding);
  }
  return sorted([...byWeakness.values()]);
}

export function sorted<T extends { path: string; line: number; rule: string }>(findings: T[]): T[] {
  return findings.sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line || (a.rule < b.rule ? -1 : 1),
  );
}

export function distinct(list: readonly NotLookedFor[]): NotLookedFor[] {
  return [...new Map(list.map((one) => [`${one.what}\0${one.why}`, one])).values()];
}
