import { functionsOf } from '../analyses/functions.ts';
import { cognitiveComplexity } from '../quality/cognitive.ts';
import { lineOf, outermostFunction, parseSource, symbolOf, whyUnparsable } from '../rules/syntax.ts';
import type { Scanner } from './scanner.ts';

/** Functions that are hard to follow. (Cyclomatic complexity, depth and parameters come from ESLint and Ruff.) */
export const complexity: Scanner = {
  name: 'complexity',
  languages: ['javascript', 'typescript', 'tsx', 'python', 'c'],
  looksFor: 'cognitive complexity',
  whyNot: async () => null,
  async scan(file, config) {
    if (file.language === 'text' || whyUnparsable(file.language)) return { findings: [] };
    const root = parseSource(file.language, file.text);
    return {
      findings: functionsOf({ root, language: file.language }).flatMap((fn) => {
        // A nested function counts with the one around it.
        if (outermostFunction(fn) !== null) return [];
        const value = cognitiveComplexity(fn);
        if (value <= config.complexity.cognitive) return [];
        const name = symbolOf(fn) ?? 'A function';
        return [
          {
            kind: 'quality' as const,
            rule: 'lathe/cognitive-complexity',
            cwe: null,
            severity: 'low' as const,
            confidence: 'high' as const,
            line: lineOf(fn),
            endLine: lineOf(fn),
            message: `${name} has a cognitive complexity of ${value} (limit ${config.complexity.cognitive})`,
            help: 'Take nested parts out into functions that name what they do.',
            evidence: name,
          },
        ];
      }),
    };
  },
};
