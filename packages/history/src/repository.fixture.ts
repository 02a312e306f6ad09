import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A real repository in a temporary folder, built step by step by a test. */
export class ScriptedRepository {
  readonly directory = mkdtempSync(join(tmpdir(), 'lathe-history-'));
  #day = 0;

  constructor(...initArguments: string[]) {
    this.git('init', '-q', '-b', 'main', ...initArguments);
  }

  git(...args: string[]): string {
    const date = `${1_700_000_000 + this.#day * 86_400} +0000`;
    return execFileSync('git', args, {
      cwd: this.directory,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: this.directory,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_AUTHOR_NAME: 'Ada',
        GIT_AUTHOR_EMAIL: 'ada@example.org',
        GIT_COMMITTER_NAME: 'Ada',
        GIT_COMMITTER_EMAIL: 'ada@example.org',
        GIT_AUTHOR_DATE: date,
        GIT_COMMITTER_DATE: date,
      },
    });
  }

  write(path: string, content: string | Buffer): void {
    const file = join(this.directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  /** Writes files (null removes one), lets days pass, and commits. */
  commit(files: Record<string, string | Buffer | null>, options: { days?: number; message?: string } = {}): string {
    this.#day += options.days ?? 1;
    for (const [path, content] of Object.entries(files)) {
      if (content === null) rmSync(join(this.directory, path));
      else this.write(path, content);
    }
    this.git('add', '-A');
    this.git('commit', '-q', '--allow-empty', '-m', options.message ?? 'change');
    return this.git('rev-parse', 'HEAD').trim();
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
