import type { Tree } from '@lathe/protocol';
import MiniSearch from 'minisearch';
import { declaredBy } from '../syntax/declared.ts';
import { functionsOf } from '../syntax/functions.ts';
import { languageOf, parse, type SgNode } from '../syntax/parser.ts';
import { readText } from '../text.ts';

/** A file of the repository as the map shows it. */
export interface MappedFile {
  readonly path: string;
  /** Top-level names and `Class.method`, in the order of the file; empty where its language has no parser here. */
  readonly symbols: readonly string[];
}

/** A repository larger than this is mapped by paths alone beyond it; a file larger than this is not opened. */
const MAX_FILES_READ = 2_000;
const MAX_FILE_CHARACTERS = 200_000;
const MAX_SYMBOLS = 30;

/**
 * Files of the base, those first that have the most to do with the words of `query`: BM25 over the words of paths and
 * symbols, split at case changes (`getUser` → get, user). Files without any common word follow in the order of their
 * paths. The same base and query give the same order.
 */
export async function repositoryMap(base: Tree, query: string): Promise<readonly MappedFile[]> {
  const paths = (await base.list()).filter((path) => !isNoise(path));
  const files: MappedFile[] = [];
  for (const [i, path] of paths.entries()) {
    files.push({ path, symbols: i < MAX_FILES_READ ? await symbolsOf(base, path) : [] });
  }
  const index = new MiniSearch<{ id: number; path: string; symbols: string }>({
    fields: ['path', 'symbols'],
    tokenize: words,
    processTerm: (term) => term,
    searchOptions: {
      boost: { path: 2 },
      prefix: (term) => term.length > 3,
      tokenize: words,
      processTerm: (term) => term,
    },
  });
  index.addAll(files.map((file, id) => ({ id, path: file.path, symbols: file.symbols.join(' ') })));
  const scores = new Map(index.search(query).map((hit) => [hit.id as number, hit.score]));
  const score = (id: number): number => scores.get(id) ?? 0;
  return files
    .map((_, id) => id)
    .sort((a, b) => score(b) - score(a) || a - b)
    .map((id) => files[id]!);
}

/** Generated, vendored and binary files say nothing about where to work. */
function isNoise(path: string): boolean {
  return (
    /(^|\/)(node_modules|vendor|dist|build|\.git|__pycache__|__snapshots__)\//.test(path) ||
    /(^|\/)(package-lock\.json|yarn\.lock|pnpm-lock\.yaml|poetry\.lock|uv\.lock|Cargo\.lock)$|\.min\.\w+$/.test(path) ||
    /\.(png|jpe?g|gif|ico|webp|svg|pdf|zip|gz|woff2?|ttf|wasm|map|snap|so|node|gguf|sqlite)$/i.test(path)
  );
}

async function symbolsOf(base: Tree, path: string): Promise<readonly string[]> {
  const language = languageOf(path);
  const text = language === null ? null : await readText(base, path);
  if (language === null || text === null || text.length > MAX_FILE_CHARACTERS) return [];
  const root = parse(language, text);
  const methods = new Map<string, string[]>();
  for (const site of functionsOf(root, language)) {
    if (site.path.length === 2)
      methods.set(site.path[0]!, [...(methods.get(site.path[0]!) ?? []), site.path.join('.')]);
  }
  const isDeclaration = (node: SgNode): boolean => !/^import/.test(String(node.kind()));
  const names = root.namedChildren().filter(isDeclaration).flatMap(declaredBy);
  return [...new Set(names.flatMap((name) => [name, ...(methods.get(name) ?? [])]))].slice(0, MAX_SYMBOLS);
}

function words(text: string): string[] {
  return text
    .replaceAll(/(?<=\p{Ll}|\d)(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/gu, ' ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length > 1);
}
