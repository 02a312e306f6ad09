import type { SourceFile } from '../finding.ts';
import { isTestPath, languageOf } from '../language.ts';
import type { Change, QualityFinding } from './quality-finding.ts';

const EXPORTED =
  /^export\s+(?:default\s+)?(?:declare\s+)?(?:async\s+)?(?:abstract\s+)?(?:const|let|var|function\*?|class|interface|type|enum)\s+([A-Za-z_$][\w$]*)/gm;
const ENTRY = /(^|\/)(index|main|cli|bin|server|app)\.[cm]?[jt]sx?$|\.d\.ts$|\.config\.[cm]?[jt]s$/;

function exportsOf(file: SourceFile): { name: string; line: number; text: string }[] {
  if (!['javascript', 'typescript', 'tsx'].includes(file.language)) return [];
  return [...file.text.matchAll(EXPORTED)].map((match) => ({
    name: match[1]!,
    line: file.text.slice(0, match.index).split('\n').length,
    text: match[0].replace(/\s+/g, ' '),
  }));
}

/**
 * Names a change newly exports that no other file of the candidate mentions. Entry files (`index`, `main`, …) and tests
 * are left out: what they export is for the outside.
 */
export async function deadExports({ candidate, before, after }: Change): Promise<QualityFinding[]> {
  const fresh = after.flatMap((file) => {
    if (ENTRY.test(file.path) || isTestPath(file.path)) return [];
    const old = new Set(
      exportsOf(before.find((one) => one.path === file.path) ?? { ...file, text: '' }).map((one) => one.name),
    );
    return exportsOf(file)
      .filter((one) => !old.has(one.name))
      .map((one) => ({ ...one, path: file.path }));
  });
  if (fresh.length === 0) return [];
  const unused = new Map(fresh.map((one) => [`${one.path}\0${one.name}`, one]));
  for (const path of await candidate.list()) {
    if (
      !['javascript', 'typescript', 'tsx'].includes(languageOf(path)) &&
      !/\.(vue|svelte|astro|html|mdx?)$/.test(path)
    )
      continue;
    const text = Buffer.from((await candidate.read(path)) ?? []).toString('utf8');
    for (const [key, one] of unused) {
      if (one.path !== path && new RegExp(`(^|[^\\w$])${one.name.replaceAll('$', '\\$')}($|[^\\w$])`).test(text))
        unused.delete(key);
    }
    if (unused.size === 0) return [];
  }
  return [...unused.values()].map((one) => ({
    rule: 'lathe/dead-export',
    severity: 'low',
    confidence: 'medium',
    path: one.path,
    line: one.line,
    message: `${one.name} is exported, and no other file uses it`,
    evidence: one.text,
    help: 'Do not export it, or leave it out.',
  }));
}
