import type { NotLookedFor, Tree } from '@lathe/protocol';
import { type GateConfig, severityUnder } from '../config.ts';
import type { PlacedFinding, SourceFile } from '../finding.ts';
import { suppressionOf, suppressionsIn } from '../suppressions.ts';
import { looksLike } from './look-alike.ts';
import { type Manifest, manifestsOf } from './manifest.ts';
import { POPULAR_NPM, POPULAR_PYPI, PYPI_NAME_OF } from './popular.ts';

/** One import of one file of the tree. */
export interface Import {
  readonly path: string;
  readonly line: number;
  readonly name: string;
}

export interface DependencyFindings {
  readonly findings: readonly PlacedFinding[];
  readonly notLookedFor: readonly NotLookedFor[];
  readonly suppressed: number;
}

/**
 * Imports that no manifest declares, declared names the lockfile does not have, and names that look like a known one: how
 * an invented or imitated package comes in. Nothing is asked of a registry. `above` are the folders around a part of a
 * repository, whose manifests hold for it.
 */
export async function dependencyFindings(
  tree: Tree,
  files: readonly SourceFile[],
  imports: readonly Import[],
  config: GateConfig,
  above: readonly Tree[] = [],
): Promise<DependencyFindings> {
  const own = await manifestsOf(tree);
  // What a folder above declares holds here too.
  const manifests = [...own, ...(await Promise.all(above.map(manifestsOf))).flat()];
  const paths = new Set(await tree.list());
  const findings: PlacedFinding[] = [];
  const notLookedFor = new Map<string, NotLookedFor>();
  let suppressed = 0;
  const add = (
    file: SourceFile,
    line: number,
    rule: string,
    severity: PlacedFinding['severity'],
    name: string,
    message: string,
    help: string,
  ): void => {
    const settled = severityUnder(config, rule, severity);
    if (settled === null) return;
    const finding: PlacedFinding = {
      kind: 'dependency',
      rule,
      cwe: rule === 'lathe/undeclared-import' ? null : 'CWE-1357',
      severity: settled,
      confidence: 'medium',
      path: file.path,
      line,
      endLine: line,
      message,
      help,
      evidence: name,
      symbol: null,
      scanner: 'dependencies',
    };
    if (suppressionOf(finding, 'dependencies', suppressionsIn(file.text))) suppressed++;
    else findings.push(finding);
  };
  for (const file of files) {
    const ecosystem = file.language === 'python' ? 'pypi' : 'npm';
    const known = ecosystem === 'pypi' ? POPULAR_PYPI : POPULAR_NPM;
    const seen = new Set<string>();
    for (const { name: imported, line } of imports.filter((one) => one.path === file.path)) {
      if (seen.has(imported) || isOwnModule(imported, file, paths)) continue;
      seen.add(imported);
      const name = ecosystem === 'pypi' ? (PYPI_NAME_OF[imported] ?? imported) : imported;
      const applying = manifests.filter(
        (manifest) => manifest.ecosystem === ecosystem && appliesTo(manifest, file.path),
      );
      const declared = applying.some((manifest) => isDeclared(manifest, name, imported));
      const declaredNames = applying.flatMap((manifest) => [...manifest.declared]);
      const imitated = declared ? null : looksLike(name, [...known, ...declaredNames]);
      if (imitated && !(imported in PYPI_NAME_OF)) {
        add(
          file,
          line,
          'lathe/look-alike-package',
          'high',
          name,
          `${name} is one letter away from ${imitated}: a slip, or a package made to be mistaken for it`,
          `Check the name; if you mean ${imitated}, import that.`,
        );
      } else if (applying.length === 0) {
        notLookedFor.set(ecosystem, {
          what: 'undeclared dependencies',
          why: `there is no ${ecosystem === 'npm' ? 'package.json' : 'pyproject.toml, setup.cfg or requirements file'}`,
        });
      } else if (!declared) {
        add(
          file,
          line,
          'lathe/undeclared-import',
          'medium',
          name,
          `${imported} is imported, but ${applying[0]!.path} does not declare it`,
          'Declare it with a version, or do without; make sure that a package of this name is what you mean.',
        );
      }
    }
  }
  for (const file of files.filter((one) => own.some((manifest) => manifest.path === one.path))) {
    const manifest = own.find((one) => one.path === file.path)!;
    const known = manifest.ecosystem === 'pypi' ? POPULAR_PYPI : POPULAR_NPM;
    const lines = file.text.split('\n');
    for (const name of manifest.declared) {
      const line = Math.max(1, lines.findIndex((text) => text.includes(name)) + 1);
      const imitated = looksLike(name, known);
      if (imitated && editable(name, imitated)) {
        add(
          file,
          line,
          'lathe/look-alike-package',
          'high',
          name,
          `${name} is one letter away from ${imitated}: a slip, or a package made to be mistaken for it`,
          `Check the name; if you mean ${imitated}, declare that.`,
        );
      } else if (manifest.locked && !manifest.locked.has(name) && !manifest.workspaceNames.has(name)) {
        add(
          file,
          line,
          'lathe/not-in-lockfile',
          'medium',
          name,
          `${name} is declared, but the lockfile does not have it: nobody has installed it here yet`,
          'Install it, look at what came, and commit the lockfile.',
        );
      }
    }
  }
  return { findings, notLookedFor: [...notLookedFor.values()], suppressed };
}

/** Python treats separators and case as equal, so only a different word is a look-alike there. */
function editable(name: string, imitated: string): boolean {
  return name.toLowerCase().replace(/[-_.]/g, '') !== imitated.replace(/[-_.]/g, '');
}

function appliesTo(manifest: Manifest, path: string): boolean {
  return manifest.folder === '' || path.startsWith(`${manifest.folder}/`);
}

function isDeclared(manifest: Manifest, name: string, imported: string): boolean {
  const normal = (one: string): string => one.toLowerCase().replace(/[-_.]+/g, '-');
  if (manifest.ecosystem === 'npm') {
    return (
      manifest.declared.has(name) ||
      manifest.declared.has(`@types/${name}`) ||
      manifest.ownName === name ||
      manifest.workspaceNames.has(name)
    );
  }
  const wanted = [normal(name), normal(imported)];
  return [...manifest.declared].some((one) => {
    const declared = normal(one);
    return wanted.includes(declared) || wanted.includes(declared.replace(/^python-|-binary$|-python$/g, ''));
  });
}

/** A Python module of the tree itself: a file or folder of that name beside the importer, at the root or in `src`. */
function isOwnModule(name: string, file: SourceFile, paths: ReadonlySet<string>): boolean {
  if (file.language !== 'python') return false;
  const folders = new Set(['', 'src/', 'lib/']);
  const parts = file.path.split('/').slice(0, -1);
  for (let depth = 1; depth <= parts.length; depth++) folders.add(`${parts.slice(0, depth).join('/')}/`);
  for (const folder of folders) {
    if (paths.has(`${folder}${name}.py`) || paths.has(`${folder}${name}/__init__.py`)) return true;
    for (const path of paths) if (path.startsWith(`${folder}${name}/`) && path.endsWith('.py')) return true;
  }
  return false;
}
