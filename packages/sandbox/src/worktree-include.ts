import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readFile, readlink, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ignore from 'ignore';
import { dependencyPrefix } from './dependencies.ts';

/**
 * Picks the ignored files that the checkout's `.worktreeinclude` names, in gitignore syntax. A file must be both: a pattern that
 * matches a tracked file brings nothing, since only ignored ones are looked at. Dependency directories are left out; copies have them anyway.
 */
export async function includedFiles(checkoutDirectory: string, ignored: readonly string[]): Promise<string[]> {
  const rules = await readFile(join(checkoutDirectory, '.worktreeinclude'), 'utf8').catch(ifMissing);
  if (rules === null) return [];
  const matcher = ignore({ ignorecase: false, allowRelativePaths: true }).add(rules);
  const found: string[] = [];
  for (const entry of ignored) {
    if (dependencyPrefix(checkoutDirectory, entry) !== null) continue;
    if (!entry.endsWith('/')) {
      if (matcher.ignores(entry)) found.push(entry);
      continue;
    }
    for (const file of await filesUnder(checkoutDirectory, entry)) if (matcher.ignores(file)) found.push(file);
  }
  return found.sort();
}

/** Copies files and links of the checkout, links as links. */
export async function copyIncluded(checkoutDirectory: string, target: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    const from = join(checkoutDirectory, file);
    const to = join(target, file);
    const stat = await lstat(from).catch(ifMissing);
    if (stat === null) continue;
    await mkdir(dirname(to), { recursive: true });
    if (stat.isSymbolicLink()) await symlink(await readlink(from), to);
    else if (stat.isFile()) await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

async function filesUnder(root: string, directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of (await readdir(join(root, directory), { withFileTypes: true }).catch(ifMissing)) ?? []) {
    const path = `${directory}${entry.name}`;
    if (!entry.isDirectory()) found.push(path);
    else if (entry.name !== '.git' && dependencyPrefix(root, path) === null)
      found.push(...(await filesUnder(root, `${path}/`)));
  }
  return found;
}

function ifMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
