import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
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

interface Loaded {
  readonly plugin: Record<string, never> | null;
  /** Why there is none. */
  readonly why: string;
}

let loaded: Promise<Loaded> | null = null;

function load(): Promise<Loaded> {
  loaded ??= importPlugin();
  return loaded;
}

/**
 * From beside Lathe, or from the folder LATHE_PLUGINS names. Never from the code that is scanned: what lies there is not
 * run.
 */
async function importPlugin(): Promise<Loaded> {
  const name = 'eslint-plugin-sonarjs';
  const places = [
    import.meta.url,
    ...(process.env.LATHE_PLUGINS ? [join(process.env.LATHE_PLUGINS, 'plugins.js')] : []),
  ];
  for (const place of places) {
    let path: string;
    try {
      path = createRequire(place).resolve(name);
    } catch {
      continue;
    }
    try {
      // lathe-ignore no-unsanitized/method -- found beside Lathe, or in a folder that the user named
      const module = await import(pathToFileURL(path).href);
      return { plugin: { sonarjs: (module.default ?? module) as never }, why: '' };
    } catch (error) {
      const words = error instanceof Error ? error.message.split('\n')[0] : String(error);
      return { plugin: null, why: `${name} is installed and cannot be loaded (it needs typescript 5): ${words}` };
    }
  }
  return {
    plugin: null,
    why: `${name} (LGPL-3.0) is not installed: npm i ${name} typescript@5 in a folder, and name it in LATHE_PLUGINS`,
  };
}

export const sonarjs: Scanner = {
  name: 'sonarjs',
  languages: ['javascript', 'typescript', 'tsx'],
  looksFor: 'weaknesses only eslint-plugin-sonarjs knows (weak hashes, cookies, unzip bombs, file permissions)',
  whyNot: async () => {
    const { plugin, why } = await load();
    return plugin ? null : why;
  },
  async scan(file) {
    const { plugin, why } = await load();
    if (!plugin) throw new Error(why);
    const known = (plugin.sonarjs as { rules: Record<string, unknown> }).rules;
    const rules = Object.fromEntries(
      Object.keys(CWE)
        .filter((rule) => rule in known)
        .map((rule) => [`sonarjs/${rule}`, 'error' as const]),
    );
    const { messages } = lint(file, rules, plugin);
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
