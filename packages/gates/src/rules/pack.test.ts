import { describe, expect, it } from 'vitest';
import { hitsOf } from './match.ts';
import { parseFile } from './parsed-file.ts';
import { rulePack } from './rule-file.ts';
import { whyUnparsable } from './syntax.ts';

describe.each(rulePack().map((rule) => [`${rule.languages[0]} ${rule.id}`, rule] as const))('%s', (_, rule) => {
  for (const language of rule.languages.filter((one) => one !== 'tsx')) {
    const missing = whyUnparsable(language);
    it.skipIf(missing).each(rule.bad.map((code, index) => [index, code] as const))(
      `finds bad example %i as ${language}`,
      (_, code) => {
        expect(hitsOf(rule, parseFile('example', code, language)).length).toBeGreaterThan(0);
      },
    );
    it.skipIf(missing).each(rule.good.map((code, index) => [index, code] as const))(
      `leaves good example %i as ${language}`,
      (_, code) => {
        expect(hitsOf(rule, parseFile('example', code, language)).map((hit) => hit.node.text())).toEqual([]);
      },
    );
  }
});
