import { LatheError, type Tree } from '@lathe/protocol';

/** Text of a file of the base; null where there is none or it is not UTF-8. A byte order mark stays in the text. */
export async function readText(base: Tree, path: string): Promise<string | null> {
  const bytes = await base.read(path);
  if (bytes === null) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The same for a file the user named: throws where it is missing or not text. */
export async function requireText(base: Tree, path: string): Promise<string> {
  const text = await readText(base, path);
  if (text !== null) return text;
  const isThere = (await base.read(path)) !== null;
  throw new LatheError(
    isThere ? 'LATHE_USAGE_NOT_TEXT' : 'LATHE_NOT_FOUND_FILE',
    isThere ? `${path} is not UTF-8 text` : `there is no file ${path} in the base`,
    { remedy: isThere ? 'name a text file' : 'give the path from the root of the repository, with forward slashes' },
  );
}
