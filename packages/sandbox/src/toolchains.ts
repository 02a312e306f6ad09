import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';

export interface Toolchains {
  /** Directories and files to show read-only at their own path. */
  readonly readOnly: readonly string[];
  /** Directories to search for programs, in order. */
  readonly path: readonly string[];
  /** Variables the toolchains need to find themselves. */
  readonly environment: Readonly<Record<string, string>>;
}

const SYSTEM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const SYSTEM_ROOTS = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/nix'];

/** Programs whose installation is looked for on the user's PATH. Others outside the system's directories are not there. */
const PROGRAMS = [
  ...['node', 'npm', 'pnpm', 'yarn', 'bun', 'deno'],
  ...['python3', 'python', 'uv', 'poetry'],
  ...[
    'go',
    'cargo',
    'rustc',
    'java',
    'javac',
    'mvn',
    'gradle',
    'ruby',
    'bundle',
    'php',
    'composer',
    'dotnet',
    'elixir',
  ],
];

/** Version managers: programs in `<root>/shims` or `<root>/bin` that choose and start the real one under the same root. */
const VERSION_MANAGERS = ['.pyenv', '.rbenv', '.nodenv', '.asdf', '.volta', '.sdkman'];

export interface ToolchainSearch {
  /** The user's PATH. */
  readonly path: string;
  readonly home: string;
  /** The Node that runs Lathe. */
  readonly nodePath: string;
  readonly checkoutDirectory: string;
}

/**
 * Finds where the programs on the user's PATH are installed, so that exactly those places can be shown in the sandbox.
 *
 * A program at `P/bin/x` brings its prefix P only where P looks like an installation (it has `lib`) and is neither the
 * home directory, nor above it, nor `~/.local`, which holds keyrings and much else; otherwise the one file is shown. The real path of
 * a program is treated in the same way as the link that leads to it.
 */
export function findToolchains({ path, home, nodePath, checkoutDirectory }: ToolchainSearch): Toolchains {
  const readOnly = new Set<string>();
  const searchPath = new Set<string>();
  const environment: Record<string, string> = {};
  const inSandbox = (target: string): boolean => SYSTEM_ROOTS.some((root) => isWithin(target, root));
  const show = (file: string): void => {
    if (inSandbox(file) || isWithin(file, checkoutDirectory)) return;
    const prefix = dirname(dirname(file));
    const installation =
      basename(dirname(file)) === 'bin' &&
      existsSync(join(prefix, 'lib')) &&
      !isWithin(home, prefix) &&
      prefix !== join(home, '.local') &&
      prefix !== '/';
    readOnly.add(installation ? prefix : file);
  };

  for (const directory of path.split(':').filter((entry) => entry.startsWith('/'))) {
    if (inSandbox(directory) || isWithin(directory, checkoutDirectory)) {
      searchPath.add(directory);
      continue;
    }
    const manager = VERSION_MANAGERS.map((name) => join(home, name)).find((root) => isWithin(directory, root));
    if (manager !== undefined) {
      if (!existsSync(directory)) continue;
      readOnly.add(manager);
      for (const bin of pyenvVersions(manager, checkoutDirectory)) searchPath.add(bin);
      searchPath.add(directory);
      continue;
    }
    for (const program of PROGRAMS) {
      const file = join(directory, program);
      const real = realPathOfFile(file);
      if (real === null) continue;
      show(file);
      show(real);
      searchPath.add(directory);
    }
  }
  // The Node that runs Lathe comes last among the user's: it is there where the user has no other.
  show(nodePath);
  if (!isWithin(nodePath, checkoutDirectory)) searchPath.add(dirname(nodePath));
  for (const directory of SYSTEM_PATH) searchPath.add(directory);

  if ([...readOnly].some((entry) => isWithin(entry, join(home, '.cargo')))) {
    // Not ~/.cargo itself: it holds the credentials for publishing.
    environment.RUSTUP_HOME = join(home, '.rustup');
    for (const part of ['.cargo/bin', '.cargo/registry', '.cargo/git', '.rustup']) readOnly.add(join(home, part));
  }
  if (existsSync(join(home, 'go/pkg/mod'))) {
    readOnly.add(join(home, 'go/pkg/mod'));
    environment.GOMODCACHE = join(home, 'go/pkg/mod');
  }
  const userBase = join(home, '.local');
  const userPackages = list(join(userBase, 'lib')).filter((name) => /^python3/.test(name));
  if (userPackages.length > 0) {
    environment.PYTHONUSERBASE = userBase;
    for (const name of userPackages) readOnly.add(join(userBase, 'lib', name));
  }
  return {
    readOnly: [...readOnly]
      .filter((entry) => existsSync(entry) && ![...readOnly].some((other) => other !== entry && isWithin(entry, other)))
      .sort(),
    path: [...searchPath],
    environment,
  };
}

/**
 * What the program behind a link needs to be shown: nothing where it is the system's, its installation otherwise. Null
 * where there is no such program.
 */
export function installationOf(link: string, home: string): readonly string[] | null {
  const real = realPathOfFile(link);
  if (real === null) return null;
  if (SYSTEM_ROOTS.some((root) => isWithin(real, root))) return [];
  const prefix = dirname(dirname(real));
  return [existsSync(join(prefix, 'lib')) && !isWithin(home, prefix) ? prefix : real];
}

/** `bin` of the versions pyenv would choose here: going past its shims saves their 100 ms at every start. */
function pyenvVersions(root: string, checkoutDirectory: string): string[] {
  if (basename(root) !== '.pyenv') return [];
  const chosen = [join(checkoutDirectory, '.python-version'), join(root, 'version')].find((file) => existsSync(file));
  if (chosen === undefined) return [];
  const wanted = readFileSync(chosen, 'utf8').split(/\s+/).filter(Boolean);
  const installed = list(join(root, 'versions'));
  return wanted
    .map((name) =>
      installed
        .filter((version) => version === name || version.startsWith(`${name}.`))
        .sort()
        .at(-1),
    )
    .filter((version) => version !== undefined)
    .map((version) => join(root, 'versions', version, 'bin'));
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function realPathOfFile(file: string): string | null {
  try {
    const real = realpathSync(file);
    return statSync(real).isFile() ? real : null;
  } catch {
    return null;
  }
}

function isWithin(target: string, directory: string): boolean {
  return target === directory || target.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}
