import { createRequire } from 'node:module';
import type { SgNode } from '@ast-grep/napi';

/** Names of the grammars in ast-grep. */
const GRAMMARS: Readonly<Record<string, string>> = {
  js: 'JavaScript',
  cjs: 'JavaScript',
  mjs: 'JavaScript',
  jsx: 'JavaScript',
  ts: 'TypeScript',
  cts: 'TypeScript',
  mts: 'TypeScript',
  tsx: 'Tsx',
  py: 'python',
  pyi: 'python',
};

/** Above this a file is compared byte for byte: walking its tree would hold everything else up. */
const MAX_BYTES = 64 * 1024;

/**
 * A file in a form that is equal for equal code. JavaScript, TypeScript and Python are written out as their syntax trees,
 * without white space, comments, the quotes around plain strings, and semicolons that end a statement; comments that
 * tell a tool something stay. Other files, and files that do not parse, stay as they are but for CRLF line ends.
 */
export async function normaliseCode(path: string, content: Uint8Array): Promise<Uint8Array | string> {
  if (content.length > MAX_BYTES) return content;
  const text = decode(content);
  if (text === null) return content;
  const unixText = text.replaceAll('\r\n', '\n');
  const grammar = GRAMMARS[path.slice(path.lastIndexOf('.') + 1).toLowerCase()];
  if (grammar === undefined) return unixText;
  return canonicalForm(parse(grammar, unixText)) ?? unixText;
}

function decode(content: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return null;
  }
}

type Napi = typeof import('@ast-grep/napi');
let napi: Napi | undefined;

/** The native parser is loaded by the first file that needs it. */
function parse(grammar: string, text: string): SgNode {
  const require = createRequire(import.meta.url);
  napi ??= require('@ast-grep/napi') as Napi;
  try {
    return napi.parse(grammar, text).root();
  } catch {
    // ast-grep takes one registration a process: another package's may have brought Python already.
    napi.registerDynamicLanguage({ python: require('@ast-grep/lang-python') });
    return napi.parse(grammar, text).root();
  }
}

/** Comments with one of these can change what a compiler, linter or formatter says. */
const TELLS_A_TOOL =
  /@|eslint|prettier|biome|noqa|type:|pylint|mypy|pyright|ruff|fmt:|isort|pragma|istanbul|\bc8\b|v8 ignore|nosec|nosonar|nosemgrep|jshint|jslint|\bglobals?\b|sourceMappingURL|coding[:=]|deno-|<reference|vim:|#!|__PURE__/i;

/** The tree as text, or null where the text does not parse. Iterative: a hostile file can be nested very deeply. */
function canonicalForm(root: SgNode): string | null {
  const parts: string[] = [];
  const pending: (SgNode | string)[] = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (typeof node === 'string') {
      parts.push(node);
      continue;
    }
    const kind = String(node.kind());
    if (kind === 'ERROR') return null;
    if (kind === 'comment' && !TELLS_A_TOOL.test(node.text())) continue;
    const children = node.children();
    if (children.length === 0) {
      const text = node.text();
      // A token the parser made up to go on.
      if (text === '' && node.isNamed() && node.parent() !== null && kind !== 'string_content') return null;
      if (!(kind === ';' && endsStatement(node))) parts.push(`${kind}${JSON.stringify(text)}`);
      continue;
    }
    parts.push(`(${kind}`);
    pending.push(')');
    const shown = isPlainString(kind, node) ? children.filter((child) => child.isNamed()) : children;
    for (let i = shown.length - 1; i >= 0; i -= 1) pending.push(shown[i]!);
  }
  return parts.join(' ');
}

function endsStatement(node: SgNode): boolean {
  const parent = String(node.parent()?.kind());
  return parent !== 'for_statement' && parent !== 'empty_statement' && /statement$|declaration$/.test(parent);
}

/** A JavaScript string without quotes or escapes in it: which quotes stand around it says nothing. */
function isPlainString(kind: string, node: SgNode): boolean {
  return kind === 'string' && /^(['"])[^'"\\]*\1$/.test(node.text());
}
