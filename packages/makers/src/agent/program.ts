import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { LatheError } from '@lathe/protocol';
import { agentForms } from './agent-command.ts';

export interface Program {
  /** The command line, with the program by its full path where the sandbox has it at no other. */
  readonly command: string;
  /** What has to be shown for the program to run. */
  readonly readOnly: readonly string[];
}

/** Every sandbox has these, and finds these by itself. */
const SYSTEM = ['/usr/', '/bin/', '/sbin/', '/lib/', '/lib64/', '/nix/'];
const RUNTIMES = new Set(['node', 'npm', 'npx', 'python', 'python3', 'uv', 'bun', 'deno']);

/**
 * Finds the program a command line starts, which may be installed in the user's home. Shown is what it was installed
 * with: the folder of the `node_modules` it is in, the prefix P of `P/bin/x` where P has `lib`, else the one file. A
 * path of the repository (with a slash in it) and anything but a plain word is left to the shell in the sandbox.
 *
 * @throws LATHE_NOT_FOUND_AGENT where no such program is on the user's PATH
 */
export function locateProgram(command: string, path: string, home: string): Program {
  const [word] = /^[A-Za-z0-9_.+-]+/.exec(command) ?? [];
  if (word === undefined || !/^(\s|$)/.test(command.slice(word.length))) return { command, readOnly: [] };
  if (RUNTIMES.has(word)) return { command, readOnly: [] };
  const file = findOnPath(word, path);
  if (file === null) {
    throw new LatheError(
      'LATHE_NOT_FOUND_AGENT',
      `the agent's program ${word} is not installed: it is nowhere on PATH`,
      {
        remedy: `install it, or ${agentForms()}`,
      },
    );
  }
  const real = realpathSync(file);
  if (SYSTEM.some((root) => real.startsWith(root))) return { command, readOnly: [] };
  return { command: quoted(real) + command.slice(word.length), readOnly: [installationOf(real, home)] };
}

function findOnPath(word: string, path: string): string | null {
  for (const directory of path.split(':').filter((entry) => entry.startsWith('/'))) {
    const file = join(directory, word);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // Not here: the next directory.
    }
  }
  return null;
}

function installationOf(file: string, home: string): string {
  const parts = file.split(sep);
  const modules = parts.indexOf('node_modules');
  if (modules > 1) return parts.slice(0, modules + 1).join(sep);
  const prefix = dirname(dirname(file));
  const isPrefix = basename(dirname(file)) === 'bin' && existsSync(join(prefix, 'lib'));
  const isTooMuch = prefix === '/' || `${home}/`.startsWith(`${prefix}/`) || prefix === join(home, '.local');
  return isPrefix && !isTooMuch ? prefix : file;
}

/** For a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
