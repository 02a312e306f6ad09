import type { Tree } from '@lathe/protocol';

export interface Manifest {
  readonly ecosystem: 'npm' | 'pypi';
  readonly path: string;
  /** Folder it speaks for; empty for the root. */
  readonly folder: string;
  readonly ownName: string | null;
  readonly declared: ReadonlySet<string>;
  /** Packages of the same repository, which no registry has to know. */
  readonly workspaceNames: ReadonlySet<string>;
  /** Names in the lockfile that belongs to it; null where there is none or it is of a kind not read here. */
  readonly locked: ReadonlySet<string> | null;
}

async function textOf(tree: Tree, path: string): Promise<string | null> {
  const content = await tree.read(path);
  return content === null ? null : Buffer.from(content).toString('utf8');
}

function jsonOf(text: string | null): Record<string, unknown> | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    // A manifest that does not parse declares nothing; that it does not parse is the package manager's to say.
    return null;
  }
}

function keysOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

/** Every manifest of the tree, dependencies' own left out. */
export async function manifestsOf(tree: Tree): Promise<Manifest[]> {
  const paths = (await tree.list()).filter((path) => !/(^|\/)(node_modules|vendor|\.venv)\//.test(path));
  const named = (pattern: RegExp): string[] => paths.filter((path) => pattern.test(path));
  const packages = await Promise.all(
    named(/(^|\/)package\.json$/).map(async (path) => ({ path, json: jsonOf(await textOf(tree, path)) })),
  );
  const workspaceNames = new Set(packages.flatMap(({ json }) => (typeof json?.name === 'string' ? [json.name] : [])));
  const locks = new Map<string, Set<string>>();
  for (const path of named(/(^|\/)(package-lock|npm-shrinkwrap)\.json$/)) {
    const lock = jsonOf(await textOf(tree, path));
    const names = keysOf(lock?.packages).flatMap((key) =>
      key.includes('node_modules/') ? [key.slice(key.lastIndexOf('node_modules/') + 13)] : [],
    );
    if (lock) locks.set(folderOf(path), new Set([...names, ...keysOf(lock.dependencies)]));
  }
  for (const path of named(/(^|\/)yarn\.lock$/)) {
    const text = (await textOf(tree, path)) ?? '';
    locks.set(folderOf(path), new Set([...text.matchAll(/^"?(@?[^@"\s]+)@/gm)].map((match) => match[1]!)));
  }
  for (const path of named(/(^|\/)pnpm-lock\.yaml$/)) {
    const text = (await textOf(tree, path)) ?? '';
    locks.set(folderOf(path), new Set([...text.matchAll(/^\s+['"]?\/?(@?[^@'"\s(]+)@\d/gm)].map((match) => match[1]!)));
  }
  const manifests = packages.map(({ path, json }): Manifest => {
    const folder = folderOf(path);
    return {
      ecosystem: 'npm',
      path,
      folder,
      ownName: typeof json?.name === 'string' ? json.name : null,
      declared: new Set(
        ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'].flatMap((field) =>
          keysOf(json?.[field]),
        ),
      ),
      workspaceNames,
      locked: locks.get(folder) ?? locks.get('') ?? null,
    };
  });
  for (const path of named(
    /(^|\/)(pyproject\.toml|setup\.(cfg|py)|Pipfile|requirements[\w.-]*\.txt|requirements\/[\w.-]+\.txt|environment\.ya?ml)$/,
  )) {
    const text = (await textOf(tree, path)) ?? '';
    manifests.push({
      ecosystem: 'pypi',
      path,
      folder: folderOf(path).replace(/(^|\/)requirements$/, ''),
      ownName: null,
      declared: new Set(path.endsWith('.txt') ? requirementNames(text) : namesInProject(text)),
      workspaceNames: new Set(),
      locked: null,
    });
  }
  return manifests;
}

function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

function requirementNames(text: string): string[] {
  return text.split('\n').flatMap((line) => /^\s*([A-Za-z][\w.-]*)/.exec(line)?.[1] ?? []);
}

/**
 * Names in pyproject.toml (PEP 621, Poetry), setup.cfg, setup.py, Pipfile and conda files: quoted requirements, and keys
 * or list entries below a heading about dependencies. Wide on purpose: a name too many hides one warning, a name too few
 * makes a wrong one.
 */
function namesInProject(text: string): string[] {
  const names = [...text.matchAll(/['"]([A-Za-z][\w.-]*)(?![\w.:/-])[^'"\n]*['"]/g)].map((match) => match[1]!);
  let inside = false;
  for (const line of text.split('\n')) {
    if (/^\s*\[/.test(line)) inside = /depend|packages|requires/i.test(line);
    else if (/^\s*(install_requires|dependencies|requires)\s*[=:]/.test(line)) inside = true;
    const entry = /^\s*(?:-\s*)?["']?([A-Za-z][\w.-]*)["']?\s*(?:[=<>!~;[].*)?$/.exec(line);
    if (inside && entry) names.push(entry[1]!);
  }
  return names;
}
