import type { Tree } from '@lathe/protocol';

export interface FoundCheck {
  readonly command: string;
  /** Where it was found, in words. */
  readonly source: string;
}

/** What `npm init` writes where there are no tests. */
const NPM_PLACEHOLDER = /no test specified/;

/** The repository's own checks: its `test` script, and pytest where it is set up. Read from the base, never a candidate. */
export async function findChecks(base: Tree): Promise<readonly FoundCheck[]> {
  const [node, python] = await Promise.all([nodeCheck(base), pythonCheck(base)]);
  return [node, python].filter((check) => check !== null);
}

async function nodeCheck(base: Tree): Promise<FoundCheck | null> {
  const text = await readText(base, 'package.json');
  if (text === null) return null;
  const script = testScript(text);
  if (script === null || NPM_PLACEHOLDER.test(script)) return null;
  const manager = await packageManager(base);
  return { command: `${manager} test`, source: `package.json, script "test": ${script}` };
}

function testScript(text: string): string | null {
  try {
    const script = JSON.parse(text)?.scripts?.test;
    return typeof script === 'string' && script.trim() !== '' ? script : null;
  } catch {
    return null;
  }
}

async function packageManager(base: Tree): Promise<string> {
  if ((await base.read('pnpm-lock.yaml')) !== null) return 'pnpm';
  if ((await base.read('yarn.lock')) !== null) return 'yarn';
  return 'npm';
}

async function pythonCheck(base: Tree): Promise<FoundCheck | null> {
  const command = 'python3 -m pytest -q';
  if ((await base.read('pytest.ini')) !== null) return { command, source: 'pytest.ini' };
  const text = await readText(base, 'pyproject.toml');
  if (text === null) return null;
  const { parse } = await import('smol-toml');
  let project: Record<string, unknown>;
  try {
    project = parse(text);
  } catch {
    return null;
  }
  if (isTable(project.tool) && 'pytest' in project.tool) return { command, source: 'pyproject.toml, [tool.pytest]' };
  return namesPytest(project) ? { command, source: 'pyproject.toml, pytest among its dependencies' } : null;
}

/** Whether pytest stands among the dependencies, their extras (PEP 621) or the dependency groups (PEP 735). */
function namesPytest(project: Record<string, unknown>): boolean {
  const of = isTable(project.project) ? project.project : {};
  const extras = isTable(of['optional-dependencies']) ? Object.values(of['optional-dependencies']) : [];
  const groups = isTable(project['dependency-groups']) ? Object.values(project['dependency-groups']) : [];
  return [of.dependencies, ...extras, ...groups]
    .flatMap((list) => (Array.isArray(list) ? list : []))
    .some((name) => typeof name === 'string' && /^pytest\b/.test(name));
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readText(base: Tree, path: string): Promise<string | null> {
  const bytes = await base.read(path);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}
