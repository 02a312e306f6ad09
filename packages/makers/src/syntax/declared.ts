import { type SgNode, walk } from './parser.ts';

/** An `import`, or a `const` that is nothing but a `require`. */
export function isImport(node: SgNode): boolean {
  const kind = String(node.kind());
  if (kind === 'import_statement' || kind === 'import_from_statement' || kind === 'future_import_statement')
    return true;
  return (
    /^(lexical|variable)_declaration$/.test(kind) &&
    /=\s*require\s*\(\s*['"][^'"]*['"]\s*\)(\.\w+)?;?$/.test(node.text())
  );
}

/** Names a top-level statement declares. */
export function declaredBy(statement: SgNode): readonly string[] {
  const names: string[] = [];
  const pattern = (node: SgNode | null): void => {
    if (node === null) return;
    walk(node, (part) => {
      if (/^(identifier|shorthand_property_identifier_pattern|type_identifier)$/.test(String(part.kind()))) {
        names.push(part.text());
      }
      return !part.is('type_annotation');
    });
  };
  const declare = (node: SgNode): void => {
    const kind = String(node.kind());
    if (kind === 'export_statement' || kind === 'decorated_definition' || kind === 'ambient_declaration') {
      for (const child of node.namedChildren()) declare(child);
    } else if (kind === 'lexical_declaration' || kind === 'variable_declaration') {
      for (const declarator of node.namedChildren()) pattern(declarator.field('name'));
    } else if (kind === 'import_statement' || kind === 'import_from_statement' || kind === 'future_import_statement') {
      names.push(...importedBy(node));
    } else if (kind === 'expression_statement' && node.child(0)?.is('assignment')) {
      pattern(node.child(0)!.field('left'));
    } else if (/_declaration$|_definition$|^function_signature$/.test(kind)) {
      pattern(node.field('name'));
    }
  };
  declare(statement);
  return names;
}

function importedBy(node: SgNode): readonly string[] {
  const names: string[] = [];
  if (node.children().some((child) => child.is('import_clause'))) {
    walk(node, (part) => {
      if (part.is('import_specifier')) names.push((part.field('alias') ?? part.field('name'))!.text());
      else if (part.is('identifier')) names.push(part.text());
      return !part.is('import_specifier');
    });
  }
  for (const part of node.fieldChildren('name')) {
    names.push(part.is('aliased_import') ? part.field('alias')!.text() : part.text().split('.')[0]!);
  }
  return names;
}
