import { createRequire } from 'node:module';
import type { SgNode } from '@ast-grep/napi';

export type { SgNode } from '@ast-grep/napi';

/** Languages whose syntax is known here. `tsx` is TypeScript with JSX; plain JavaScript always allows JSX. */
export type Language = 'javascript' | 'typescript' | 'tsx' | 'python';

const GRAMMAR: Record<Language, string> = {
  javascript: 'JavaScript',
  typescript: 'TypeScript',
  tsx: 'Tsx',
  python: 'python',
};

const LANGUAGE_OF_EXTENSION: Record<string, Language> = {
  js: 'javascript',
  cjs: 'javascript',
  mjs: 'javascript',
  jsx: 'javascript',
  ts: 'typescript',
  cts: 'typescript',
  mts: 'typescript',
  tsx: 'tsx',
  py: 'python',
  pyi: 'python',
};

/** Language of a file by its name, or null where it is none of those known here. */
export function languageOf(path: string): Language | null {
  const extension = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase();
  return (extension !== undefined && LANGUAGE_OF_EXTENSION[extension]) || null;
}

type Napi = typeof import('@ast-grep/napi');
let napi: Napi | undefined;

// The native parsers are loaded by the first parse, not by the import: most commands of `lathe` never parse anything.
function load(): Napi {
  if (napi === undefined) {
    const require = createRequire(import.meta.url);
    napi = require('@ast-grep/napi') as Napi;
    napi.registerDynamicLanguage({ python: require('@ast-grep/lang-python') });
  }
  return napi;
}

/** Concrete syntax tree of a text; never throws for a wrong text, which has `ERROR` nodes instead. Positions are UTF-16. */
export function parse(language: Language, source: string): SgNode {
  return load().parse(GRAMMAR[language], source).root();
}

export interface Span {
  /** UTF-16 offsets; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

export function spanOf(node: SgNode): Span {
  const { start, end } = node.range();
  return { start: start.index, end: end.index };
}

/** First place in `span` where the text is not well-formed, or null. Zero-width leaves are tokens the parser made up. */
export function syntaxError(root: SgNode, span?: Span): { readonly line: number; readonly near: string } | null {
  const pending = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const { start, end } = spanOf(node);
    if (span !== undefined && (end < span.start || start > span.end)) continue;
    const children = node.children();
    if (node.is('ERROR') || (children.length === 0 && start === end && node.parent() !== null)) {
      return { line: node.range().start.line + 1, near: node.text().split('\n', 1)[0]!.slice(0, 40) };
    }
    pending.push(...children.reverse());
  }
  return null;
}

/** Every node of the tree, parents before children, in the order of the text. `enter` returning false skips the children. */
export function walk(root: SgNode, enter: (node: SgNode) => boolean | undefined): void {
  const pending = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (enter(node) !== false) pending.push(...node.children().reverse());
  }
}
