/** Languages the scanners know; `text` is every other text file (secrets and hidden characters are looked for there). */
export type Language = 'javascript' | 'typescript' | 'tsx' | 'python' | 'c' | 'text';

const BY_EXTENSION: Readonly<Record<string, Language>> = {
  js: 'javascript',
  mjs: 'javascript',
  cjs: 'javascript',
  jsx: 'javascript',
  ts: 'typescript',
  mts: 'typescript',
  cts: 'typescript',
  tsx: 'tsx',
  py: 'python',
  pyi: 'python',
  c: 'c',
  h: 'c',
};

export function languageOf(path: string): Language {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  return (dot > 0 && BY_EXTENSION[name.slice(dot + 1).toLowerCase()]) || 'text';
}

export function isCode(language: Language): boolean {
  return language !== 'text';
}

/** Whether a path is a test by the usual names: `x.test.ts`, `test_x.py`, a `tests` folder. */
export function isTestPath(path: string): boolean {
  return /(^|\/)(tests?|__tests__|spec)\/|(^|\/)test_[^/]*\.py$|_test\.py$|\.(test|spec)\.[cm]?[jt]sx?$/.test(path);
}
