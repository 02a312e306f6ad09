import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FileEdit, WorkspaceSource } from '@lathe/protocol';
import { createWorkspaceSource, removeWorkDirectory } from '@lathe/sandbox';

export const FILES = {
  'double.js': `/** Twice the number. */
export function double(number) {
  throw new Error('not written yet');
}
`,
  '.gitignore': 'ignored.log\n',
};

/** A checkout on disk, a home beside it, and copies of its base. */
export interface Checkout {
  readonly home: string;
  readonly root: string;
  readonly workspaces: WorkspaceSource;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openCheckout(homeFiles: Readonly<Record<string, string>> = {}): Promise<Checkout> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'lathe-agent-')));
  const [checkout, base, home, work] = ['my checkout', 'base', 'home', 'work'].map((name) => join(root, name));
  for (const directory of [checkout!, base!]) await put(directory, FILES);
  await put(home!, homeFiles);
  const source = await createWorkspaceSource({
    baseDirectory: base!,
    checkoutDirectory: checkout!,
    workDirectory: work!,
    ignoredFiles: async () => [],
  });
  return {
    home: home!,
    root,
    workspaces: source,
    async [Symbol.asyncDispose]() {
      await source.close();
      await removeWorkDirectory(work!);
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function put(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
}

/** Edits as text by path; null where a file was deleted. */
export function contents(edits: readonly FileEdit[]): Record<string, string | null> {
  return Object.fromEntries(
    edits.map(({ path, content }) => [path, content === null ? null : new TextDecoder().decode(content)]),
  );
}
