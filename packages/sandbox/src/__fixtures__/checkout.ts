import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  createWorkspaceSource,
  type Limits,
  removeWorkDirectory,
  type Workspace,
  type WorkspaceSource,
  type WorkspaceSourceOptions,
} from '../index.ts';

export const LIMITS: Limits = {
  timeMs: 20_000,
  memoryBytes: 512 * 2 ** 20,
  processes: 128,
  outputBytes: 2 ** 20,
  diskBytes: 64 * 2 ** 20,
};

/** A checkout on disk, its base as exported, and a source of copies of it. */
export interface Playground {
  readonly root: string;
  readonly checkout: string;
  readonly base: string;
  readonly work: string;
  readonly source: WorkspaceSource;
  /** Opens a copy and runs one command in it; the copy is closed with the playground. */
  run(command: string, limits?: Partial<Limits>): ReturnType<Workspace['run']>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PlaygroundOptions extends Partial<WorkspaceSourceOptions> {
  /** Committed files: in the checkout and in the base. */
  readonly files?: Readonly<Record<string, string>>;
  /** Files in the checkout alone. */
  readonly untracked?: Readonly<Record<string, string>>;
  readonly ignored?: readonly string[];
  /** Called with the base directory before the source is made: links and modes. */
  readonly arrange?: (base: string, checkout: string) => Promise<void>;
}

/** The name of the checkout has a space and an umlaut, as users' do. */
export async function playground(options: PlaygroundOptions = {}): Promise<Playground> {
  const { files = { 'readme.md': 'base\n' }, untracked = {}, ignored = [], arrange, ...rest } = options;
  const root = await realpath(await mkdtemp(join(tmpdir(), 'lathe-sandbox-')));
  const [checkout, base, work] = [join(root, 'mein Prüfling'), join(root, 'exported'), join(root, 'work')];
  for (const directory of [checkout, base]) {
    await mkdir(directory);
    for (const [path, text] of Object.entries(files)) await put(join(directory, path), text);
  }
  for (const [path, text] of Object.entries(untracked)) await put(join(checkout, path), text);
  await arrange?.(base, checkout);
  const source = await createWorkspaceSource({
    baseDirectory: base,
    checkoutDirectory: checkout,
    workDirectory: work,
    ignoredFiles: async () => ignored,
    ...rest,
  });
  let opened = 0;
  return {
    root,
    checkout,
    base,
    work,
    source,
    async run(command, limits = {}) {
      opened += 1;
      const workspace = await source.open(`run-${opened}`);
      return workspace.run(command, { limits: { ...LIMITS, ...limits } });
    },
    async [Symbol.asyncDispose]() {
      await source.close();
      await removeWorkDirectory(work);
      await rm(root, { recursive: true, force: true });
    },
  };
}

export async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

export function edit(path: string, text: string | null, mode: '100644' | '100755' | '120000' = '100644') {
  return { path, content: text === null ? null : Buffer.from(text), mode };
}

/** Processes on this machine whose command line contains `needle`. */
export async function processesWith(needle: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const commandLine = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (commandLine.includes(needle)) found.push(`${name}: ${commandLine.replaceAll('\0', ' ')}`);
  }
  return found;
}
