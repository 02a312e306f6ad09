import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

// Neither the tests' git nor the one under test sees the machine's configuration or identity.
process.env.GIT_CONFIG_GLOBAL = '/dev/null';
process.env.GIT_CONFIG_NOSYSTEM = '1';
for (const name of ['EMAIL', 'GIT_AUTHOR_NAME', 'GIT_AUTHOR_EMAIL', 'GIT_COMMITTER_NAME', 'GIT_COMMITTER_EMAIL']) {
  delete process.env[name];
}

/** A real repository in a temporary folder, removed after the test; its git knows no configuration of the machine's. */
export interface TestRepository {
  readonly root: string;
  git(...args: string[]): string;
  /** Like `git`, with the exit status instead of an exception. */
  tryGit(...args: string[]): { status: number; output: string };
  write(path: string, content: string | Uint8Array, mode?: number): void;
  read(path: string): string;
  commitAll(message: string): string;
}

export function temporaryDirectory(name = 'lathe-test'): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), `${name}-`)));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function testRepository(
  options: { name?: string; init?: readonly string[]; files?: Readonly<Record<string, string>> } = {},
): TestRepository {
  const root = join(temporaryDirectory(), options.name ?? 'repo');
  mkdirSync(root);
  const repository = repositoryAt(root);
  repository.git('init', '-q', '-b', 'main', ...(options.init ?? []));
  repository.git('config', 'user.name', 'Tester');
  repository.git('config', 'user.email', 'tester@example.org');
  const files = options.files ?? { 'a.txt': 'one\ntwo\nthree\n' };
  for (const [path, content] of Object.entries(files)) repository.write(path, content);
  if (Object.keys(files).length > 0) repository.commitAll('first');
  return repository;
}

export function repositoryAt(root: string): TestRepository {
  const env = {
    ...process.env,
    GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z',
    GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z',
    LC_ALL: 'C',
  };
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'protocol.file.allow=always', '-c', 'core.quotePath=false', ...args], {
      cwd: root,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  return {
    root,
    git,
    tryGit(...args) {
      try {
        return { status: 0, output: git(...args) };
      } catch (error) {
        const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
        return { status, output: stdout + stderr };
      }
    },
    write(path, content, mode) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
      if (mode !== undefined) chmodSync(join(root, path), mode);
    },
    read: (path) => readFileSync(join(root, path), 'utf8'),
    commitAll(message) {
      git('add', '-A');
      git('commit', '-q', '-m', message);
      return git('rev-parse', 'HEAD').trim();
    },
  };
}

export function edit(path: string, text: string | null, mode: '100644' | '100755' | '120000' = '100644') {
  return { path, content: text === null ? null : new TextEncoder().encode(text), mode };
}

/** Everything git shows of a checkout and its refs but Lathe's: equal before and after means untouched. */
export function visibleState(repository: TestRepository): string {
  return [
    repository.git('status', '--porcelain=v2', '--branch', '--ignored', '-z'),
    repository.git('ls-files', '--stage', '-z'),
    repository.git('for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads', 'refs/tags', 'refs/stash'),
    repository.git('stash', 'list'),
  ].join('\n');
}
