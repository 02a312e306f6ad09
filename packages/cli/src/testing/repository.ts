import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface TestRepository {
  readonly root: string;
  git(...args: string[]): string;
  write(path: string, content: string): void;
}

/** An empty repository on `main`, with an author set and nothing of the machine's git configuration. */
export function initRepository(): TestRepository {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'lathe cli ü ')));
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  git('init', '-q', '-b', 'main');
  git('config', 'user.name', 'Test');
  git('config', 'user.email', 'test@example.org');
  return {
    root,
    git,
    write(path, content) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    },
  };
}

/** A function without a body, and a shell test that passes when `double 21` prints 42. */
export function repositoryWithHole(): TestRepository {
  const repository = initRepository();
  repository.write(
    'src/double.js',
    '/** Returns twice the number. */\nexport function double(number) {\n  throw new Error("not written yet");\n}\n',
  );
  repository.write('package.json', '{"name":"sample","type":"module","scripts":{"test":"node test.js"}}\n');
  repository.write(
    'test.js',
    'import { double } from "./src/double.js";\nif (double(21) !== 42) {\n  console.error("expected 42, got " + double(21));\n  process.exit(1);\n}\n',
  );
  repository.git('add', '-A');
  repository.git('commit', '-q', '-m', 'First');
  return repository;
}
