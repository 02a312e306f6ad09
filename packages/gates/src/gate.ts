import type { Finding, Gate, GateRequest, GateResult, NotLookedFor, Tree, Workspace } from '@lathe/protocol';
import { type CachePlace, type GateCache, openGateCache } from './cache.ts';
import { atLeast, type GateConfig, readGateConfig } from './config.ts';
import { dependencyFindings } from './dependencies/findings.ts';
import { differenceOfFindings } from './difference.ts';
import type { PlacedFinding, SourceFile } from './finding.ts';
import { distinct, findingsOf, sorted, type TreeFindings } from './findings-of.ts';
import { isTestPath } from './language.ts';
import { PROBES, runProbes } from './probes/run-probes.ts';
import { changeFindings } from './quality/change.ts';
import { type DuplicationIndex, duplicationFindings, indexOfTree } from './quality/duplication.ts';
import { configuredLinters, lintFiles } from './quality/repository-lint.ts';
import { toFinding } from './scan-tree.ts';
import { createScannerPool, type ScannerPool } from './scanners/pool.ts';
import { sourceFiles } from './source-files.ts';

export interface LatheGate extends Gate {
  /** Starts the scanner processes and imports what they need, so that the first candidate does not wait for it. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

export interface GateOptions {
  /** Instead of the base's own `.lathe/gates.yml`. */
  readonly config?: GateConfig;
  /**
   * Copies of the base: changed functions of known shape are attacked by running them there, and the repository's own
   * linters run. Without, nothing runs.
   */
  /** Where answers are kept between runs; without, every run asks again. */
  readonly cache?: CachePlace;
  readonly workspaces?: { open(id: string): Promise<Pick<Workspace, 'write' | 'run' | 'close'>> };
}

/** What is known of a base, kept for all candidates of a run. */
interface BaseMemory {
  readonly config: Promise<GateConfig>;
  /** Findings by path, filled as candidates touch paths. */
  readonly findings: Map<string, Promise<TreeFindings>>;
  duplication: Promise<DuplicationIndex> | null;
}

/**
 * The gate of security and cleanliness: what a candidate adds in findings over its base. Only files it changed are
 * scanned (on both sides, once a base); duplicates are looked for in the whole base. A candidate that no longer parses is
 * rejected. Settings come from the base's `.lathe/gates.yml` unless given.
 */
export function createGate({ config: given, workspaces, cache: place }: GateOptions = {}): LatheGate {
  const opened: Promise<GateCache | null> = place ? openGateCache(place) : Promise.resolve(null);
  let pool: ScannerPool | null = null;
  const memory = new WeakMap<Tree, BaseMemory>();
  const remember = (base: Tree): BaseMemory => {
    let known = memory.get(base);
    if (!known) {
      known = { config: given ? Promise.resolve(given) : readGateConfig(base), findings: new Map(), duplication: null };
      memory.set(base, known);
    }
    return known;
  };
  const poolFor = (config: GateConfig): ScannerPool => (pool ??= createScannerPool(config.workers));

  async function baseFindings(
    base: Tree,
    known: BaseMemory,
    paths: readonly string[],
    config: GateConfig,
  ): Promise<TreeFindings[]> {
    const missing = paths.filter((path) => !known.findings.has(path));
    if (missing.length > 0) {
      // Not under the candidate's signal: what is found serves the other candidates too.
      const all = opened.then((cache) => findingsOf(base, { config, paths: missing, pool: poolFor(config), cache }));
      for (const path of missing) {
        const own = all.then((tree) => only(tree, path));
        own.catch(() => known.findings.delete(path));
        known.findings.set(path, own);
      }
    }
    return Promise.all(paths.map((path) => known.findings.get(path)!));
  }

  async function inspect(request: GateRequest): Promise<GateResult> {
    const { base, candidate, edits, signal } = request;
    const known = remember(base);
    const config = await known.config;
    const paths = [...new Set(edits.filter((edit) => edit.mode !== '120000').map((edit) => edit.path))].sort();
    const cache = await opened;
    const present = paths.filter((path) => edits.some((edit) => edit.path === path && edit.content !== null));
    const [old, fresh] = await Promise.all([
      baseFindings(base, known, paths, config),
      findingsOf(candidate, { config, paths: present, pool: poolFor(config), signal, cache }),
    ]);
    signal.throwIfAborted();
    const brokenBefore = new Set(old.flatMap((tree) => tree.syntaxErrors.map((problem) => problem.path)));
    const broken = fresh.syntaxErrors.filter((problem) => !brokenBefore.has(problem.path));
    if (broken.length > 0) {
      const reason = broken
        .map((problem) => `${problem.path}:${problem.line} does not parse: ${problem.message}`)
        .join('; ');
      return { findings: [], notLookedFor: fresh.notLookedFor, reject: reason };
    }

    const [oldFiles, newFiles] = await Promise.all([
      sourceFiles(base, config, { paths }),
      sourceFiles(candidate, config, { paths: present }),
    ]);
    known.duplication ??= indexOfTree(base, config, cache);
    const index = await known.duplication;
    const [oldDependencies, newDependencies] = await Promise.all([
      dependencyFindings(
        base,
        oldFiles.files,
        old.flatMap((tree) => tree.imports),
        config,
      ),
      dependencyFindings(candidate, newFiles.files, fresh.imports, config),
    ]);
    const before = [
      ...old.flatMap((tree) => tree.findings),
      ...oldDependencies.findings,
      ...duplicationFindings(index, oldFiles.files, config),
    ];
    const after = [
      ...fresh.findings,
      ...newDependencies.findings,
      ...duplicationFindings(index, newFiles.files, config),
    ];
    const added: PlacedFinding[] = [
      ...differenceOfFindings(before, after).added,
      ...suppressedNow(old, fresh),
      ...(await changeFindings({ base, candidate, before: oldFiles.files, after: newFiles.files, config })),
    ];
    const changed = newFiles.files.filter(
      (file) => oldFiles.files.find((old) => old.path === file.path)?.text !== file.text,
    );
    const ran = await run(request, config, changed);
    const findings = sorted([...added.map(toFinding), ...ran.findings]);
    const worst =
      config.rejectAt === null ? undefined : findings.find((finding) => atLeast(finding.severity, config.rejectAt!));
    return {
      findings,
      notLookedFor: distinct([
        ...fresh.notLookedFor,
        ...newDependencies.notLookedFor,
        ...ran.notLookedFor,
        ...unseen(edits),
      ]),
      reject: worst ? `${worst.path}:${worst.line} ${worst.message} (${worst.rule}, ${worst.severity})` : null,
    };
  }

  let copies = 0;

  /** What takes running: the repository's own linters on both sides, and probes of changed functions of known shape. */
  async function run(
    { base, edits, signal }: GateRequest,
    config: GateConfig,
    changed: readonly SourceFile[],
  ): Promise<{ findings: readonly Finding[]; notLookedFor: readonly NotLookedFor[] }> {
    const nothing = { findings: [], notLookedFor: [] };
    if (!workspaces) return nothing;
    const shaped = changed.filter((file) => !isTestPath(file.path) && PROBES.some((one) => one.applies(file)));
    const linters = changed.length > 0 ? await configuredLinters(base) : [];
    if (shaped.length === 0 && linters.length === 0) return nothing;
    const what = 'what running the code shows (probes, the linters of the repository)';
    const workspace = await workspaces
      .open(`gate-${process.pid}-${copies++}`)
      .catch((error: unknown) => wordsOf(error));
    if (typeof workspace === 'string') return { findings: [], notLookedFor: [{ what, why: workspace }] };
    try {
      const paths = changed.map((file) => file.path);
      const existing = new Set(await base.list());
      const before = await lintFiles(
        linters,
        paths.filter((path) => existing.has(path)),
        workspace,
        config,
        signal,
      );
      await workspace.write(edits);
      const after = await lintFiles(linters, paths, workspace, config, signal);
      const lint = differenceOfFindings(before.findings, after.findings).added.map(toFinding);
      const probed = await runProbes(shaped, { workspace, config, signal });
      return {
        findings: [...lint, ...probed.findings],
        notLookedFor: [...after.notLookedFor, ...probed.notLookedFor],
      };
    } catch (error) {
      // The sandbox failed, not the candidate: its other findings stand.
      if (signal.aborted) throw error;
      return { findings: [], notLookedFor: [{ what, why: wordsOf(error) }] };
    } finally {
      await workspace.close();
    }
  }

  return {
    name: 'security-and-cleanliness',
    inspect,
    async warm() {
      const config = given ?? (await readGateConfig(EMPTY_TREE));
      const files = [
        ['warm.ts', 'export const warm = 1;\n'],
        ['warm.py', 'warm = 1\n'],
      ] as const;
      const tree = treeOf(files);
      await Promise.all(
        Array.from({ length: config.workers }, () => findingsOf(tree, { config, pool: poolFor(config) })),
      );
    },
    async close() {
      await (await opened)?.save();
      await pool?.close();
      pool = null;
    },
  };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const EMPTY_TREE: Tree = treeOf([]);

function treeOf(files: readonly (readonly [string, string])[]): Tree {
  const contents = new Map(files.map(([path, text]) => [path, Buffer.from(text)]));
  return { list: async () => [...contents.keys()].sort(), read: async (path) => contents.get(path) ?? null };
}

function only(tree: TreeFindings, path: string): TreeFindings {
  return {
    findings: tree.findings.filter((finding) => finding.path === path),
    notLookedFor: tree.notLookedFor.filter((one) => one.what.includes(path)),
    suppressed: tree.suppressed.filter((one) => one.finding.path === path),
    syntaxErrors: tree.syntaxErrors.filter((problem) => problem.path === path),
    imports: tree.imports.filter((one) => one.path === path),
  };
}

/** A finding that a comment of the candidate itself silences is shown as that: silencing is the reviewer's to grant. */
function suppressedNow(old: readonly TreeFindings[], fresh: TreeFindings): PlacedFinding[] {
  const before = old.flatMap((tree) => [...tree.suppressed.map((one) => one.finding), ...tree.findings]);
  return differenceOfFindings(
    before,
    fresh.suppressed.map((one) => one.finding),
  ).added.map((finding) => {
    const by = fresh.suppressed.find((one) => one.finding === finding)!;
    return {
      ...finding,
      rule: 'lathe/suppressed-in-change',
      message: `The change silences its own finding with ${by.by}${by.reason ? ` ("${by.reason}")` : ''}: ${finding.message}`,
    };
  });
}

/** Links and binary files are part of the change and nobody reads them here. */
function unseen(edits: GateRequest['edits']): NotLookedFor[] {
  return edits
    .filter((edit) => edit.mode === '120000' || edit.content?.subarray(0, 8000).includes(0))
    .map((edit) => ({
      what: `weaknesses in ${edit.path}`,
      why: edit.mode === '120000' ? 'it is a symbolic link' : 'it is binary',
    }));
}
