import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { join } from 'node:path';
import envPaths from 'env-paths';
import { z } from 'zod';
import { writeWhole } from './write-whole.ts';

/** Extensions that several languages claim, and the one that is meant nearly always. */
const MEANT: Readonly<Record<string, string>> = {
  '.cs': 'C#',
  '.d': 'D',
  '.ex': 'Elixir',
  '.h': 'C',
  '.html': 'HTML',
  '.json': 'JSON',
  '.m': 'Objective-C',
  '.md': 'Markdown',
  '.php': 'PHP',
  '.pl': 'Perl',
  '.r': 'R',
  '.rs': 'Rust',
  '.sql': 'SQL',
  '.ts': 'TypeScript',
  '.tsx': 'TSX',
  '.txt': 'Text',
  '.yaml': 'YAML',
  '.yml': 'YAML',
};

/** What is used of linguist: its languages in its order, not all of them with extensions or file names. */
const Languages = z.array(
  z.object({
    name: z.string(),
    extensions: z.array(z.string()).optional(),
    filenames: z.array(z.string()).optional(),
  }),
);
type Languages = z.infer<typeof Languages>;

/**
 * Linguist's languages, out of the cache folder where an earlier process left them: the library is 800 modules, and
 * loading them takes 0.4 s and 30 MB, one file a few milliseconds. Without a cache that can be read or written the
 * library is loaded, which gives the same.
 */
async function languages(): Promise<Languages> {
  const manifest = findPackageJSON('linguist-languages', import.meta.url);
  if (manifest === undefined) throw new Error('the package linguist-languages is not installed: npm ci');
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  const cached = join(envPaths('lathe', { suffix: '' }).cache, 'languages', `linguist-${version}.json`);
  try {
    return Languages.parse(JSON.parse(await readFile(cached, 'utf8')));
  } catch {
    const read = Languages.parse(Object.values(await import('linguist-languages')));
    await writeWhole(cached, JSON.stringify(read)).catch(() => undefined);
    return read;
  }
}

const byExtension = new Map<string, string>();
const byFilename = new Map<string, string>();
const names = new Set<string>();
for (const language of await languages()) {
  names.add(language.name);
  for (const extension of language.extensions ?? []) {
    if (!byExtension.has(extension)) byExtension.set(extension, language.name);
  }
  for (const name of language.filenames ?? []) byFilename.set(name, language.name);
}
for (const [extension, name] of Object.entries(MEANT)) byExtension.set(extension, name);

/** Language by file name, as GitHub's linguist lists them; `Other` where nothing fits. */
export function languageOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const named = byFilename.get(name);
  if (named) return named;
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const language = byExtension.get(name.slice(dot).toLowerCase());
    if (language) return language;
  }
  return 'Other';
}

/** Names of all languages, as `languageOf` gives them. */
export const LANGUAGE_NAMES: ReadonlySet<string> = names;
