import { hitsOf } from '../rules/match.ts';
import { parseFile } from '../rules/parsed-file.ts';
import { RULE_PREFIX, rulePack } from '../rules/rule-file.ts';
import { lineOf, whyUnparsable } from '../rules/syntax.ts';
import type { Scanner } from './scanner.ts';

/** The rule pack of this package, one parse a file. */
export const rules: Scanner = {
  name: 'rules',
  languages: ['javascript', 'typescript', 'tsx', 'python', 'c'],
  looksFor: "Lathe's own security rules",
  whyNot: async () => null,
  async scan(file) {
    if (file.language === 'text') return { findings: [] };
    const missing = whyUnparsable(file.language);
    if (missing) throw new Error(`no grammar for ${file.language}: ${missing}`);
    const language = file.language;
    const parsed = parseFile(file.path, file.text, language);
    const findings = rulePack()
      .filter((rule) => rule.languages.includes(language))
      .flatMap((rule) =>
        hitsOf(rule, parsed).map((hit) => {
          const line = lineOf(hit.node);
          const from = hit.source && lineOf(hit.source) !== line ? ` (from line ${lineOf(hit.source)})` : '';
          return {
            kind: 'security' as const,
            rule: RULE_PREFIX + rule.id,
            cwe: hit.cwe ?? rule.cwe,
            severity: hit.severity ?? rule.severity,
            confidence: rule.confidence,
            line,
            endLine: hit.node.range().end.line + 1,
            column: hit.node.range().start.column,
            message: (hit.message ?? rule.message) + from,
            help: rule.help,
          };
        }),
      );
    return { findings };
  },
};
