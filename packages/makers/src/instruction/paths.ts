/**
 * A path as a model wrote it, as a path inside the repository; or why it may not be one. Absolute paths, `..`, anything
 * inside a `.git` and names no file system agrees on are refused, never mended: an edit goes where it says or nowhere.
 */
export function repositoryPath(written: string): { readonly path: string } | { readonly invalid: string } {
  const path = written
    .trim()
    .replaceAll('\\', '/')
    .replace(/^(\.\/+)+/, '')
    .replaceAll(/\/{2,}/g, '/');
  const refuse = (why: string) => ({ invalid: `\`${written.trim().slice(0, 200)}\` ${why}` });
  if (path === '' || path.endsWith('/')) return refuse('names no file');
  if (path.startsWith('/') || path.startsWith('~') || /^[A-Za-z]:/.test(path)) {
    return refuse('is not a path inside the repository');
  }
  const parts = path.split('/');
  if (parts.includes('..')) return refuse('leaves the repository');
  // HFS+ ignores some invisible characters, NTFS trailing dots and spaces: `.git` must not come back through either.
  const isGit = (part: string): boolean =>
    /^(\.git|git~1)$/i.test(
      part.replaceAll(/[\u200c-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, '').replace(/[. ]+$|:.*$/g, ''),
    );
  if (parts.some(isGit)) return refuse('is inside .git');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(path) || parts.includes('.')) return refuse('is not a usable path');
  return { path };
}

/** Does this line look like a path and nothing else? */
export function looksLikePath(text: string): boolean {
  return (
    /^(?:[\w@.+()[\]~\\/-]|(?<=\S) (?=[\w.-]+\.\w+$))+$/u.test(text) &&
    /[./\\]/.test(text) &&
    /[\p{L}\p{N}_]/u.test(text)
  );
}
