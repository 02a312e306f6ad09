import picomatch from 'picomatch';

/**
 * Paths a candidate may change only where the task names them: what decides whether it passes, what runs on other
 * machines, and what a reader does not see. Names without a slash stand for files in any folder; letter case does not
 * count, since it does not on every file system.
 */
const PROTECTED: readonly (readonly [why: string, globs: readonly string[]])[] = [
  [
    'a test',
    [
      '**/{test,tests,__tests__,spec,specs,e2e,cypress,testdata,__snapshots__,__mocks__,__fixtures__,fixtures}/**',
      '*.{test,tests,spec,e2e,cy}.*',
      '*.snap',
      'test_*.py',
      '*_test.py',
      'conftest.py',
      '*_test.go',
      '*_test.rs',
      'tests.rs',
      '*_{test,spec}.{rb,exs,dart,c,cc,cpp}',
      'test_*.{c,cc,cpp,rb}',
    ],
  ],
  [
    'configuration of checks or builds',
    [
      'package.json',
      'deno.json{,c}',
      '{ts,js}config{,.*}.json',
      '{vite,vitest,jest,babel,webpack,rollup,rolldown,esbuild,playwright,cypress,karma,mocha,ava,wdio,eslint,prettier,biome,swc,tsup,turbo,nx,lerna,next,nuxt,svelte,astro,metro}*.config.{js,cjs,mjs,ts,cts,mts,json}',
      '{vitest,vite}.workspace.{js,ts,json}',
      '{jest,vitest,mocha,test}{.,-}{setup,preset,global,env}*.{js,cjs,mjs,ts,cts,mts}',
      'setup{,-,_}{tests,test,jest,vitest}.{js,cjs,mjs,ts,cts,mts}',
      '{biome,turbo,nx,lerna,karma.conf,wdio.conf}.{json,jsonc,js,ts}',
      'pnpm-workspace.yaml',
      '{pyproject,pytest,uv,ruff,mypy,poetry,Pipfile,rustfmt,clippy,rust-toolchain,bunfig,nextest}.toml',
      '{pytest,tox,mypy,setup,noxfile}.{ini,cfg,py}',
      '{Pipfile,MANIFEST.in,noxfile.py,sitecustomize.py,usercustomize.py}',
      '*.pth',
      'requirements*.{txt,in}',
      'Cargo.toml',
      'build.rs',
      'go.{mod,work}',
      '{Makefile,GNUmakefile,makefile,justfile,Justfile,Taskfile.y{,a}ml,Rakefile,Gemfile,CMakeLists.txt,meson.build,BUILD,BUILD.bazel,WORKSPACE,MODULE.bazel}',
      '*.{mk,cmake,gradle,gradle.kts,csproj,fsproj,vbproj,sln,gemspec}',
      '{pom,phpunit}.xml{,.dist}',
      '{gradle,maven-wrapper}.properties',
      '{gradlew,mvnw}{,.bat,.cmd}',
      '{composer,project,mix}.{json,clj,exs}',
      '{Dockerfile,Containerfile}{,.*}',
      '{docker-,}compose{,.*}.y{,a}ml',
    ],
  ],
  [
    'a lockfile',
    [
      '{package-lock,npm-shrinkwrap,composer-lock}.json',
      '{yarn,pnpm-lock,bun,Cargo,poetry,uv,pdm,Pipfile,Gemfile,composer,mix,flake,deno,pixi,Podfile,pubspec}.{lock,yaml,lockb}',
      'go.{sum,work.sum}',
      'packages.lock.json',
      'gradle.lockfile',
    ],
  ],
  [
    'configuration of continuous integration',
    ['{azure-pipelines,appveyor,bitbucket-pipelines,codecov,cloudbuild}*.y{,a}ml', 'Jenkinsfile*'],
  ],
];

const RULES = PROTECTED.map(([why, globs]) => ({
  why,
  matches: picomatch(
    globs.map((glob) => (glob.includes('/') ? glob : `**/${glob}`)),
    { dot: true, nocase: true },
  ),
}));

/** The languages that name tests by a capital word: `ParserTest`, not `Contest`. */
const CAPITAL_TEST =
  /((^|[A-Za-z0-9_/])(Tests?|TestCase|Spec)|[a-z0-9]IT|(^|\/)Test[A-Z0-9_]\w*)\.(java|kts?|scala|groovy|cs|swift|php)$/;

/** Why the path is protected, in words, or null. */
export function protection(path: string): string | null {
  if (path.split('/').some((part) => part.startsWith('.'))) return 'a hidden file';
  if (CAPITAL_TEST.test(path)) return 'a test';
  for (const { why, matches } of RULES) if (matches(path)) return why;
  return null;
}
