import { importsOf } from '../dependencies/imports.ts';
import { parseSource } from '../rules/syntax.ts';
import type { Scanner } from './scanner.ts';

/** Not findings yet: which packages a file imports, with the package as message. What is wrong with one depends on the tree. */
export const imports: Scanner = {
  name: 'imports',
  languages: ['javascript', 'typescript', 'tsx', 'python'],
  looksFor: 'dependencies',
  whyNot: async () => null,
  async scan(file) {
    if (file.language === 'text' || file.language === 'c') return { findings: [] };
    return {
      findings: importsOf(parseSource(file.language, file.text), file.language).map(({ name, line }) => ({
        kind: 'dependency' as const,
        rule: 'lathe/import',
        cwe: null,
        severity: 'info' as const,
        confidence: 'high' as const,
        line,
        endLine: line,
        message: name,
      })),
    };
  },
};
