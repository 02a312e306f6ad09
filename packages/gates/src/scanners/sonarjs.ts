import type { Linter } from 'eslint';
import { lint } from './eslint.ts';
import type { Scanner } from './scanner.ts';

/** Rules of eslint-plugin-sonarjs about security. The plugin is LGPL-3.0 and stays the user's own choice to install. */
const CWE: Readonly<Record<string, string>> = {
  'code-eval': 'CWE-95',
  'os-command': 'CWE-78',
  'sql-queries': 'CWE-89',
  hashing: 'CWE-328',
  'weak-ssl': 'CWE-327',
  'no-hardcoded-passwords': 'CWE-798',
  'no-hardcoded-secrets': 'CWE-798',
  'pseudo-random': 'CWE-338',
  'encryption-secure-mode': 'CWE-327',
  'no-weak-cipher': 'CWE-327',
  'no-weak-keys': 'CWE-326',
  'unverified-certificate': 'CWE-295',
  'unverified-hostname': 'CWE-297',
  'xml-parser-xxe': 'CWE-611',
  'insecure-jwt-token': 'CWE-347',
  'insecure-cookie': 'CWE-614',
  'cookie-no-httponly': 'CWE-1004',
  csrf: 'CWE-352',
  'no-unsafe-unzip': 'CWE-409',
  'post-message': 'CWE-346',
  'slow-regex': 'CWE-1333',
  'disabled-auto-escaping': 'CWE-79',
  'file-permissions': 'CWE-732',
};

let plugin: Promise<Linter.Config['plugins'] | null> | null = null;

function load(): Promise<Linter.Config['plugins'] | null> {
  // Not a dependency: the specifier is a variable so that nothing asks for it at build time.
  const name = 'eslint-plugin-sonarjs';
  plugin ??= import(name).then((module) => ({ sonarjs: module.default ?? module })).catch(() => null);
  return plugin;
}

export const sonarjs: Scanner = {
  name: 'sonarjs',
  languages: ['javascript', 'typescript', 'tsx'],
  looksFor: 'weaknesses only eslint-plugin-sonarjs knows (weak hashes, cookies, unzip bombs, file permissions)',
  whyNot: async () =>
    (await load()) ? null : 'eslint-plugin-sonarjs (LGPL-3.0) is not installed: npm i -D eslint-plugin-sonarjs',
  async scan(file) {
    const loaded = (await load()) as Record<string, never>;
    const known = (loaded.sonarjs as { rules: Record<string, unknown> }).rules;
    const rules = Object.fromEntries(
      Object.keys(CWE)
        .filter((rule) => rule in known)
        .map((rule) => [`sonarjs/${rule}`, 'error' as const]),
    );
    const { messages } = lint(file, rules, loaded);
    return {
      findings: messages
        .filter((message) => message.ruleId?.startsWith('sonarjs/'))
        .map((message) => ({
          kind: 'security' as const,
          rule: message.ruleId!,
          cwe: CWE[message.ruleId!.slice('sonarjs/'.length)] ?? null,
          severity: 'medium' as const,
          confidence: 'low' as const,
          line: message.line,
          endLine: message.endLine ?? message.line,
          column: message.column - 1,
          message: message.message,
        })),
    };
  },
};
