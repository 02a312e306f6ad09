import { declaredBy, isImport } from '../syntax/declared.ts';
import { parse, type SgNode, walk } from '../syntax/parser.ts';
import type { Hole } from './hole.ts';

export type Extras =
  | { readonly imports: readonly string[]; readonly helpers: readonly string[] }
  | { readonly invalid: string };

/**
 * Imports and top-level declarations of an answer that the statements need, directly or through each other, and that the
 * file does not declare itself. What the file declares under the same name stays the file's: an answer that repeats its
 * neighbours does not change them.
 */
export function extrasNeeded(answer: string, statements: string, source: string, hole: Hole): Extras {
  const { language } = hole;
  const offered = parse(language, answer)
    .namedChildren()
    .filter((node) => !node.is('ERROR'));
  const file = parse(language, source);
  const known = new Set([
    ...file.namedChildren().flatMap((node) => declaredBy(node)),
    ...hole.parameters,
    ...hole.path,
  ]);
  const wanted = identifiersIn(parse(language, `${hole.opening}\n${statements}\n${language === 'python' ? '' : '}'}`));
  const taken = new Set<SgNode>();
  for (let grown = true; grown; ) {
    grown = false;
    for (const node of offered) {
      if (taken.has(node)) continue;
      const names = declaredBy(node);
      const missing = names.filter((name) => wanted.has(name) && !known.has(name));
      if (missing.length === 0) continue;
      const clash = names.find((name) => known.has(name));
      if (clash !== undefined) {
        return {
          invalid: `the body needs ${missing.join(', ')}, declared together with ${clash}, which the file has already`,
        };
      }
      for (const name of identifiersIn(node)) wanted.add(name);
      taken.add(node);
      grown = true;
    }
  }
  const imports = [...taken].filter(isImport);
  const wrong = imports.find((node) => !fitsModuleSystem(node, file, hole));
  if (wrong !== undefined)
    return { invalid: `\`${wrong.text()}\` is not how this file imports (ES module or CommonJS)` };
  return {
    imports: imports.map((node) => node.text()),
    helpers: offered
      .filter((node) => taken.has(node) && !isImport(node))
      .map((node) => node.text().replace(/^export\s+(default\s+)?/, '')),
  };
}

function fitsModuleSystem(node: SgNode, file: SgNode, hole: Hole): boolean {
  if (hole.language === 'python') return true;
  const isEsm = file.namedChildren().some((one) => one.is('import_statement') || one.is('export_statement'));
  const isCommonJs = !isEsm && /\brequire\s*\(|\bmodule\.exports\b|\bexports\.\w/.test(file.text());
  return node.is('import_statement') ? !isCommonJs : !isEsm;
}

function identifiersIn(root: SgNode): Set<string> {
  const names = new Set<string>();
  walk(root, (node) => {
    if (/^(identifier|type_identifier|shorthand_property_identifier|jsx_identifier)$/.test(String(node.kind()))) {
      names.add(node.text());
    }
    return true;
  });
  return names;
}
