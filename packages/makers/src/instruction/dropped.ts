import type { Tree } from '@lathe/protocol';
import { declaredBy } from '../syntax/declared.ts';
import { type Language, languageOf, parse } from '../syntax/parser.ts';
import { readText } from '../text.ts';
import type { Change } from './blocks.ts';

/**
 * What a file written in full would lose without being told to: names it exports (JavaScript, TypeScript) or makes public
 * (Python) that the instruction does not mention and no written file declares. A small model asked for a whole file likes
 * to give the changed function alone. Null where nothing is lost.
 */
export async function droppedBy(changes: readonly Change[], instruction: string, base: Tree): Promise<string | null> {
  const whole = changes.filter((change) => change.type === 'whole');
  const written = new Set(whole.flatMap(({ path, content }) => publicNames(path, content)));
  for (const { path } of whole) {
    const old = await readText(base, path);
    const lost = publicNames(path, old ?? '').filter((name) => !written.has(name) && !mentions(instruction, name));
    if (lost.length > 0) return `the new content of ${path} lacks ${lost.join(', ')}, which it was not told to remove`;
  }
  return null;
}

function publicNames(path: string, text: string): readonly string[] {
  const language: Language | null = languageOf(path);
  if (language === null || text === '') return [];
  const statements = parse(language, text).namedChildren();
  return language === 'python'
    ? statements
        .filter((node) => /definition$/.test(String(node.kind())))
        .flatMap(declaredBy)
        .filter((name) => !name.startsWith('_'))
    : statements.filter((node) => node.is('export_statement')).flatMap(declaredBy);
}

function mentions(instruction: string, name: string): boolean {
  return instruction.split(/[^\w$]+/).includes(name);
}
