/**
 * Writes the table of rules in docs/gates.md from the rule files, between two marks. With `--check` it only compares, and
 * exits 1 where the page is not what the rules say.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RULE_PREFIX, rulePack } from '@lathe/gates';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const page = join(import.meta.dirname, '../docs/gates.md');
const BEGIN = '<!-- rules: written by scripts/gates-docs.ts -->';
const END = '<!-- /rules -->';

const FAMILY: Record<string, string> = { javascript: 'JS/TS', typescript: 'TS', tsx: 'JSX', python: 'Python', c: 'C' };
const byName = new Map<
  string,
  { languages: Set<string>; cwe: Set<string>; severity: string; message: string; examples: number }
>();
for (const rule of rulePack()) {
  const entry = byName.get(rule.id) ?? {
    languages: new Set(),
    cwe: new Set(),
    severity: rule.severity,
    message: rule.message,
    examples: 0,
  };
  entry.languages.add(FAMILY[rule.languages[0]!]!);
  entry.cwe.add(rule.cwe);
  entry.examples += rule.good.length + rule.bad.length;
  byName.set(rule.id, entry);
}
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
const table = [
  '| rule | languages | CWE | severity | what is wrong | examples |',
  '|---|---|---|---|---|---|',
  ...[...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([id, rule]) =>
        `| \`${RULE_PREFIX}${id}\` | ${[...rule.languages].join(', ')} | ${[...rule.cwe].join(', ')} | ${rule.severity} | ${cell(rule.message)} | ${rule.examples} |`,
    ),
].join('\n');

const text = readFileSync(page, 'utf8');
const begin = text.indexOf(BEGIN);
const end = text.indexOf(END);
if (begin < 0 || end < begin) throw new Error(`${page}: expected the marks ${BEGIN} and ${END}`);
const updated = `${text.slice(0, begin)}${BEGIN}\n${table}\n${text.slice(end)}`;
if (updated === text) console.log(`${byName.size} rules: docs/gates.md is up to date`);
else if (values.check) {
  console.error('docs/gates.md does not show the rules as they are. Run: node scripts/gates-docs.ts');
  process.exitCode = 1;
} else {
  writeFileSync(page, updated);
  console.log(`${byName.size} rules written to docs/gates.md`);
}
