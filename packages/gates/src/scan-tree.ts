import type { Finding, NotLookedFor, Tree, Workspace } from '@lathe/protocol';
import type { GateCache } from './cache.ts';
import type { GateConfig } from './config.ts';
import { dependencyFindings } from './dependencies/findings.ts';
import { differenceOfFindings } from './difference.ts';
import type { PlacedFinding, SourceFile } from './finding.ts';
import { distinct, findingsOfFiles, sorted } from './findings-of.ts';
import { runProbes } from './probes/run-probes.ts';
import { changeFindings } from './quality/change.ts';
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
  /** Folders around the tree, whose manifests hold for it. */
  readonly above?: readonly Tree[];
  readonly pool?: ScannerPool;
  /**
   * An isolated, empty or matching workspace: functions of known shape are attacked by running them there. Without it the
   * document says that nothing was run.
   */
  readonly workspace?: Pick<Workspace, 'write' | 'run'>;
  readonly signal?: AbortSignal;
  /** Answers of earlier runs; saving it is the caller's. */
  readonly cache?: GateCache | null;
}

interface WholeTree {
  readonly findings: readonly PlacedFinding[];
  readonly notLookedFor: readonly NotLookedFor[];
  readonly suppressed: number;
  readonly files: readonly SourceFile[];
}

async function wholeTree(tree: Tree, options: ScanOptions): Promise<WholeTree> {
  const selection = await sourceFiles(tree, options.config, options.paths ? { paths: options.paths } : {});
  const scanned = await findingsOfFiles(selection, options);
  const dependencies = await dependencyFindings(tree, selection.files, scanned.imports, options.config, options.above);
  const duplicates = duplicationFindings(
    indexOf(selection.files, options.config.duplication.minimumLines),
    selection.files,
    options.config,
  );
  return {
    findings: sorted([...scanned.findings, ...dependencies.findings, ...duplicates]),
    notLookedFor: distinct([...scanned.notLookedFor, ...dependencies.notLookedFor]),
    suppressed: scanned.suppressed.length + dependencies.suppressed,
    files: selection.files,
  };
}

/** Findings of a whole tree, or what it adds to a base. */
export async function scanTree(tree: Tree, options: ScanOptions): Promise<ScanDocument> {
  const whole = await wholeTree(tree, options);
  const old = options.base ? await wholeTree(options.base, options) : null;
  const findings = old
    ? [
        ...differenceOfFindings(old.findings, whole.findings).added,
        ...(await changeFindings({
          ...changeBetween(old.files, whole.files),
          base: options.base!,
          candidate: tree,
          config: options.config,
        })),
      ]
    : whole.findings;
  const probed = options.workspace
    ? await probedTree(tree, options.workspace, options)
    : { findings: [], notLookedFor: [] };
  return {
    schemaVersion: 1,
    suppressed: whole.suppressed,
    files: whole.files.length,
    findings: sorted([...findings.map(toFinding), ...probed.findings]),
    notLookedFor: distinct([...whole.notLookedFor, ...probed.notLookedFor]),
  };
}

/** Files that differ, on both sides. */
function changeBetween(
  old: readonly SourceFile[],
  fresh: readonly SourceFile[],
): { before: SourceFile[]; after: SourceFile[] } {
  const before = new Map(old.map((file) => [file.path, file.text]));
  const after = new Map(fresh.map((file) => [file.path, file.text]));
  return {
    before: old.filter((file) => after.get(file.path) !== file.text),
    after: fresh.filter((file) => before.get(file.path) !== file.text),
  };
}

/** Probes of the tree's code, or of what differs from the base: a function that did not change was attacked before. */
async function probedTree(
  tree: Tree,
  workspace: Pick<Workspace, 'write' | 'run'>,
  options: ScanOptions,
): Promise<Pick<ScanDocument, 'findings' | 'notLookedFor'>> {
  const { config, base, signal } = options;
  const { files } = await sourceFiles(tree, config, options.paths ? { paths: options.paths } : {});
  const before = base ? await sourceFiles(base, config, { paths: files.map((file) => file.path) }) : { files: [] };
  const same = new Map(before.files.map((file) => [file.path, file.text]));
  const changed = files.filter((file) => same.get(file.path) !== file.text);
  return runProbes(changed, { workspace, config, ...(signal ? { signal } : {}) });
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
