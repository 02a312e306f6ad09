import type { ParsedFile } from '../rules/parsed-file.ts';
import { FUNCTION_KINDS, type Node, nodesOfKind } from '../rules/syntax.ts';

const KINDS: Readonly<Record<ParsedFile['language'], readonly string[]>> = {
  python: ['function_definition', 'lambda'],
  c: ['function_definition'],
  javascript: [...FUNCTION_KINDS].filter((kind) => kind !== 'function_definition' && kind !== 'lambda'),
  typescript: [...FUNCTION_KINDS].filter((kind) => kind !== 'function_definition' && kind !== 'lambda'),
  tsx: [...FUNCTION_KINDS].filter((kind) => kind !== 'function_definition' && kind !== 'lambda'),
};

/** Every function of a file, outer before inner. */
export function functionsOf(file: Pick<ParsedFile, 'root' | 'language'>): Node[] {
  return nodesOfKind(file.root, ...KINDS[file.language]);
}
