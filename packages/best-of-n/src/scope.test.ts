import { expect, test } from 'vitest';
import { edit, task } from './__fixtures__/fakes.ts';
import { protection } from './protected-paths.ts';
import { enforceScope } from './scope.ts';

const judged = (over: Parameters<typeof task>[0], paths: string[]) => {
  const { allowed, reverted } = enforceScope(
    task(over),
    paths.map((path) => edit(path, 'x')),
  );
  return { allowed: allowed.map(({ path }) => path), reverted: reverted.map(({ path }) => path) };
};

test('a hole may change its own file and nothing else', () => {
  const at = { file: 'src/slug.js', name: 'slugify' };
  expect(judged({ kind: 'hole', at }, ['src/slug.js', 'src/other.js', 'src/slug.js.bak', './src/slug.js'])).toEqual({
    allowed: ['src/slug.js'],
    reverted: ['src/other.js', 'src/slug.js.bak', './src/slug.js'],
  });
});

test('with globs exactly what they match is allowed, protected or not, hole or not', () => {
  const at = { file: 'src/slug.js', name: 'slugify' };
  const paths = [
    'src/a.ts',
    'src/deep/b.ts',
    'src/a.test.ts',
    'lib/a.ts',
    'package.json',
    '.github/x.yml',
    'src/slug.js',
  ];
  expect(judged({ kind: 'hole', at, allow: ['src/**/*.ts', 'package.json'] }, paths)).toEqual({
    allowed: ['src/a.ts', 'src/deep/b.ts', 'src/a.test.ts', 'package.json'],
    reverted: ['lib/a.ts', '.github/x.yml', 'src/slug.js'],
  });
  expect(judged({ allow: ['*.ts'] }, ['a.ts', 'src/a.ts']).allowed).toEqual(['a.ts']);
  expect(judged({ allow: ['.github/**'] }, ['.github/workflows/x.yml']).allowed).toHaveLength(1);
});

test('an instruction may change anything but protected paths, and the record says why not', () => {
  const edits = [edit('src/client.ts', 'x'), edit('src/client.test.ts', null), edit('.env', 'x')];
  const { allowed, reverted } = enforceScope(task(), edits);
  expect(allowed).toEqual([edits[0]]);
  expect(reverted).toEqual([
    { path: 'src/client.test.ts', why: 'a test' },
    { path: '.env', why: 'a hidden file' },
  ]);
});

test.each([
  'test/a.js',
  'tests/unit/a.py',
  'packages/x/__tests__/a.ts',
  'spec/a_spec.rb',
  'src/a.test.ts',
  'src/a.spec.jsx',
  'a.cy.ts',
  'src/__snapshots__/a.snap',
  'e2e/login.ts',
  'test_a.py',
  'pkg/a_test.py',
  'conftest.py',
  'pkg/conftest.py',
  'pkg/a_test.go',
  'src/a_test.rs',
  'src/tests.rs',
  'src/test/java/com/x/ATest.java',
  'com/x/FooTests.kt',
  'FooIT.java',
  'Foo.Tests/BarTests.cs',
  'a_test.exs',
  'TestFoo.java',
  'ATest.php',
  'x/A1Test.java',
  'fixtures/x.json',
  'testdata/x.golden',
  'Test/A.js',
  'src/A.TEST.ts',
])('%s is a test', (path) => {
  expect(protection(path)).toBe('a test');
});

test.each([
  'package.json',
  'packages/x/package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'vitest.config.ts',
  'jest.config.js',
  'jest.setup.ts',
  'babel.config.cjs',
  'eslint.config.mjs',
  'biome.json',
  'playwright.config.ts',
  'vite.config.ts',
  'vitest.workspace.ts',
  'pyproject.toml',
  'pytest.ini',
  'tox.ini',
  'setup.cfg',
  'setup.py',
  'noxfile.py',
  'requirements.txt',
  'requirements-dev.txt',
  'sitecustomize.py',
  'evil.pth',
  'Makefile',
  'makefile',
  'sub/Makefile',
  'CMakeLists.txt',
  'Cargo.toml',
  'build.rs',
  'go.mod',
  'build.gradle',
  'build.gradle.kts',
  'pom.xml',
  'phpunit.xml.dist',
  'Gemfile',
  'Rakefile',
  'composer.json',
  'mix.exs',
  'x.csproj',
  'Dockerfile',
  'docker-compose.yml',
  'compose.yaml',
  'justfile',
  'rust-toolchain.toml',
  'gradlew',
])('%s configures checks or builds', (path) => {
  expect(protection(path)).toBe('configuration of checks or builds');
});

test.each([
  'package-lock.json',
  'yarn.lock',
  'pnpm-lock.yaml',
  'bun.lockb',
  'Cargo.lock',
  'poetry.lock',
  'uv.lock',
  'Pipfile.lock',
  'go.sum',
  'Gemfile.lock',
  'composer.lock',
  'npm-shrinkwrap.json',
  'x/yarn.lock',
])('%s is a lockfile', (path) => {
  expect(protection(path)).toBe('a lockfile');
});

test.each([
  '.github/workflows/ci.yml',
  '.gitlab-ci.yml',
  '.gitattributes',
  '.gitmodules',
  '.gitignore',
  '.npmrc',
  '.eslintrc.js',
  '.mocharc.yml',
  '.env',
  '.husky/x',
  '.ci/run',
  'src/.hidden',
  '.vscode/settings.json',
  '.worktreeinclude',
  '.git/config',
])('%s is hidden', (path) => {
  expect(protection(path)).toBe('a hidden file');
});

test.each(['azure-pipelines.yml', 'Jenkinsfile', 'bitbucket-pipelines.yml'])('%s configures integration', (path) => {
  expect(protection(path)).toBe('configuration of continuous integration');
});

test.each([
  'src/index.ts',
  'src/testing-library.ts',
  'src/contest.ts',
  'latest/a.js',
  'src/attest.py',
  'src/test-utils/../x.ts',
  'lib/protest.go',
  'src/inspect.ts',
  'README.md',
  'docs/testing.md',
  'src/package.ts',
  'src/config.ts',
  'src/setup.ts',
  'src/spectrum.js',
  'Contest.java',
  'Testing.java',
  'Audit.java',
  'main.rs',
  'src/lock.ts',
  'a.b/c.d',
])('%s is free to change', (path) => {
  expect(protection(path.replace('/../', '/'))).toBeNull();
});
