import type { Finding, NotLookedFor, Tree } from '@lathe/protocol';
import type { GateConfig } from './config.ts';
import { dependencyFindings } from './dependencies/findings.ts';
import { differenceOfFindings } from './difference.ts';
import type { PlacedFinding } from './finding.ts';
import { distinct, findingsOfFiles, sorted } from './findings-of.ts';
import { duplicationFindings, indexOf } from './quality/duplication.ts';
import type { ScannerPool } from './scanners/pool.ts';
import { sourceFiles } from './source-files.ts';

/** What `lathe scan --json` prints. */
export interface ScanDocument {
  readonly schemaVersion: 1;
  readonly findings: readonly Finding[];
  readonly notLookedFor: readonly NotLookedFor[];
  /** Findings left out because of a comment in the source. */
  readonly suppressed: number;
  readonly files: number;
}

export interface ScanOptions {
  readonly config: GateConfig;
  /** Show only what this tree has and `base` has not. */
  readonly base?: Tree;
  readonly paths?: readonly string[];
  readonly pool?: ScannerPool;
  readonly signal?: AbortSignal;
}

interface WholeTree {
  readonly findings: readonly PlacedFinding[];
  readonly notLookedFor: readonly NotLookedFor[];
  readonly suppressed: number;
  readonly files: number;
}

async function wholeTree(tree: Tree, options: ScanOptions): Promise<WholeTree> {
  const selection = await sourceFiles(tree, options.config, options.paths ? { paths: options.paths } : {});
  const scanned = await findingsOfFiles(selection, options);
  const dependencies = await dependencyFindings(tree, selection.files, options.config);
  const duplicates = duplicationFindings(
    indexOf(selection.files, options.config.duplication.minimumLines),
    selection.files,
    options.config,
  );
  return {
    findings: sorted([...scanned.findings, ...dependencies.findings, ...duplicates]),
    notLookedFor: distinct([...scanned.notLookedFor, ...dependencies.notLookedFor]),
    suppressed: scanned.suppressed.length + dependencies.suppressed,
    files: selection.files.length,
  };
}

/** Findings of a whole tree, or what it adds to a base. */
export async function scanTree(tree: Tree, options: ScanOptions): Promise<ScanDocument> {
  const whole = await wholeTree(tree, options);
  const findings = options.base
    ? differenceOfFindings((await wholeTree(options.base, options)).findings, whole.findings).added
    : whole.findings;
  return { ...whole, schemaVersion: 1, findings: findings.map(toFinding) };
}

/** The finding as the protocol has it, without what only matching needs. */
export function toFinding({
  symbol: _symbol,
  endLine: _endLine,
  scanner: _scanner,
  ...finding
}: PlacedFinding): Finding {
  return finding;
}
