import { existsSync, lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Directories that hold installed dependencies wherever git ignores them. */
const ALWAYS = new Set([
  ...['node_modules', 'bower_components', 'jspm_packages', '.yarn'],
  ...['.venv', 'venv', '__pypackages__', 'vendor', '.bundle', 'Pods', 'elm-stuff'],
]);

/** Directories that do so beside the file that shows which tool made them. */
const BESIDE: Readonly<Record<string, string>> = { target: 'Cargo.toml', deps: 'mix.exs', _build: 'mix.exs' };

export interface DependencyDirectory {
  /** Relative to the repository's root, without a slash at the end. */
  readonly path: string;
  /** Real directory in the user's checkout. */
  readonly source: string;
}

/**
 * Picks the dependency directories out of what git ignores in the checkout: the outermost directory of such a name on each path.
 * `ignored` is relative to the checkout; directories, which may stand for all they contain, end in a slash.
 */
export function findDependencies(
  checkoutDirectory: string,
  baseDirectory: string,
  ignored: readonly string[],
): DependencyDirectory[] {
  const found = new Map<string, DependencyDirectory>();
  for (const entry of ignored) {
    const path = dependencyPrefix(checkoutDirectory, entry);
    if (path === null || found.has(path)) continue;
    // Partly committed: the base's own files stay what candidates see.
    if (lstatSync(join(baseDirectory, path), { throwIfNoEntry: false }) !== undefined) continue;
    const source = realDirectory(join(checkoutDirectory, path));
    if (source !== null) found.set(path, { path, source });
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** `packages/a/node_modules/b/` gives `packages/a/node_modules`; null where no part is a dependency directory. */
export function dependencyPrefix(checkoutDirectory: string, entry: string): string | null {
  const parts = entry.split('/').filter(Boolean);
  for (let i = 0; i < parts.length; i++) {
    const path = parts.slice(0, i + 1).join('/');
    const name = parts[i]!;
    if (ALWAYS.has(name)) return path;
    const sign = BESIDE[name];
    if (sign !== undefined && existsSync(join(checkoutDirectory, dirname(path), sign))) return path;
    // A virtual environment may have any name; this file is its mark (PEP 405).
    if (existsSync(join(checkoutDirectory, path, 'pyvenv.cfg'))) return path;
  }
  return null;
}

function realDirectory(path: string): string | null {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return null;
  try {
    const real = realpathSync(path);
    return statSync(real).isDirectory() ? real : null;
  } catch {
    return null;
  }
}
