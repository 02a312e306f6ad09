import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { LatheError, type Tree } from '@lathe/protocol';

const SKIPPED = new Set(['.git', 'node_modules', '.venv', 'venv', '__pycache__']);

/** A folder or a single file as a tree, git or not. Links are not followed; dependencies are left out. */
export async function treeOfPath(path: string): Promise<Tree> {
  const about = await stat(path).catch(() => null);
  if (!about)
    throw new LatheError('LATHE_NOT_FOUND_PATH', `${path} does not exist`, {
      remedy: 'Name a file or a folder that exists.',
    });
  const root = about.isDirectory() ? path : dirname(path);
  return {
    async list() {
      if (!about.isDirectory()) return [basename(path)];
      const paths: string[] = [];
      const visit = async (folder: string): Promise<void> => {
        for (const entry of await readdir(folder, { withFileTypes: true })) {
          const at = join(folder, entry.name);
          if (entry.isDirectory()) {
            if (!SKIPPED.has(entry.name)) await visit(at);
          } else if (entry.isFile()) paths.push(relative(root, at).split(sep).join('/'));
        }
      };
      await visit(root);
      return paths.sort();
    },
    async read(file) {
      const at = join(root, file);
      const found = await lstat(at).catch(() => null);
      return found?.isFile() ? readFile(at) : null;
    },
  };
}
