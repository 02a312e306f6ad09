/**
 * Why a path from a candidate may not enter a tree, or null where it may. Refused: what leaves the repository, what
 * names git's own folder on any file system git knows of (letter case, NTFS short names, streams and trailing dots,
 * characters HFS+ ignores), and what no checkout could hold.
 */
export function pathRefusal(path: string): string | null {
  if (path === '') return 'the path is empty';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'the path has control characters';
  if (path.includes('\\')) return 'the path has a backslash; folders are separated by /';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'the path is absolute';
  if (!path.isWellFormed()) return 'the path is not well-formed Unicode';
  for (const part of path.split('/')) {
    if (part === '') return 'the path has an empty part';
    if (part === '.' || part === '..') return `the path has a part "${part}"`;
    if (Buffer.byteLength(part) > 255) return 'a part of the path is longer than 255 bytes';
    if (namesGitFolder(part)) return `"${part}" names git's own folder`;
  }
  return null;
}

/** Zero-width and direction characters that HFS+ drops when it compares names. */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

function namesGitFolder(part: string): boolean {
  const seen = part
    .replace(HFS_IGNORED, '')
    .replace(/:.*$/, '')
    .replace(/[ .]+$/, '')
    .toLowerCase();
  return seen === '.git' || /^git~[0-9]+$/.test(seen);
}

/**
 * Why a symbolic link from a candidate may not enter a tree, or null. Its target must stay inside the repository
 * whatever the links on the way are: `..` is therefore allowed only at the start, where it walks over the link's own,
 * real folders.
 */
export function linkRefusal(path: string, target: string): string | null {
  if (target === '') return 'the link has no target';
  if (target.startsWith('/') || /^[A-Za-z]:/.test(target) || target.includes('\\'))
    return 'the link has an absolute target';
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  let depth = path.split('/').length - 1;
  let descended = false;
  for (const part of parts) {
    if (part !== '..') {
      if (namesGitFolder(part)) return "the link leads into git's own folder";
      descended = true;
    } else if (descended || depth === 0) {
      return 'the link leads out of the repository';
    } else {
      depth -= 1;
    }
  }
  return null;
}
