import type { ParsedFile } from '../rules/parsed-file.ts';
import { nodesOfKind, outermostFunction } from '../rules/syntax.ts';
import { taintOf } from '../rules/taint.ts';
import type { Hit } from './hit.ts';

const GUARDED = /__proto__|['"`]constructor['"`]|hasOwn|Object\.create\(null\)|new Map\b|structuredClone/;

/**
 * Two shapes: a recursive copy `target[key] = merge(target[key], source[key])` over `for (key in source)`, and a nested
 * write `object[a][b] = value` (also while walking a path) whose keys come from a request or a parameter.
 */
export function prototypePollution(file: ParsedFile): Hit[] {
  const fromRequest = taintOf({ request: true }, file.bindings, file.language);
  // `const FORBIDDEN = new Set(['__proto__', …])` outside of the function that asks it.
  const forbidden = [...file.code.matchAll(/\b(?:const|let|var)\s+(\w+)\s*=[^;]{0,200}__proto__/g)].map(
    (one) => one[1]!,
  );
  const hits: Hit[] = [];
  for (const write of nodesOfKind(file.root, 'assignment_expression')) {
    const target = write.field('left');
    if (target?.kind() !== 'subscript_expression') continue;
    const key = target.field('index');
    const object = target.field('object');
    if (!key || !object || file.bindings.isConstant(key)) continue;
    const fn = outermostFunction(write);
    const around = fn?.text() ?? file.code;
    if (GUARDED.test(around) || forbidden.some((name) => new RegExp(`\\b${name}\\b`).test(around))) continue;
    const loop = write
      .ancestors()
      .find((ancestor) => /^(for_in_statement|call_expression)$/.test(String(ancestor.kind())));
    const overKeys =
      loop?.kind() === 'for_in_statement'
        ? /\bin\b|Object\.(keys|entries)|Reflect\.ownKeys/.test(
            `${loop.field('operator')?.text() ?? ''} ${loop.field('right')?.text() ?? ''}`,
          )
        : /^Object\.(keys|entries)\(.*\)\.forEach$/s.test(loop?.field('function')?.text() ?? '');
    const name = fn ? (fn.field('name')?.text() ?? fn.parent()?.field('name')?.text() ?? '') : '';
    const recursive =
      name !== '' &&
      new RegExp(`(?<![.\\w])${name.replace(/\W/g, '\\$&')}\\s*\\(`).test(around.slice(around.indexOf('{')));
    if (overKeys && recursive) {
      hits.push({ node: write });
      continue;
    }
    const nested =
      object.kind() === 'subscript_expression' && !file.bindings.isConstant(object.field('index') ?? object);
    if (nested && fromRequest.sourceOf(object.field('index')!)) {
      hits.push({ node: write });
      continue;
    }
    // `for (const part of path.split('.')) { at = at[part] }` … `at[last] = value`
    const walked =
      object.kind() === 'identifier' &&
      file.bindings.valuesOf(object).some((value) => {
        // `const parent = keys.reduce((at, key) => (at[key] ??= {}), root)`
        if (/\.reduce\([^;]*\w\[\w+\]/.test(value.text())) return true;
        const inner =
          value.kind() === 'subscript_expression' ? value : value.find({ rule: { kind: 'subscript_expression' } });
        return inner !== null && inner.field('object')?.text() === object.text();
      });
    if (walked && /\.split\(/.test(around)) hits.push({ node: write });
  }
  return hits;
}
