import { expect, it } from 'vitest';
import { defaultGateConfig } from '../config.ts';
import { sonarjs } from './sonarjs.ts';

const missing = await sonarjs.whyNot();

it('says how to get the plugin where it is missing', () => {
  if (missing !== null) expect(missing).toMatch(/npm i eslint-plugin-sonarjs|cannot be loaded/);
  else expect(missing).toBeNull();
});

it.skipIf(missing)('finds what only the plugin knows, also in TypeScript (needs eslint-plugin-sonarjs)', async () => {
  const javascript = "const c = require('crypto');\nconst h = c.createHash('md5');\n";
  const found = await sonarjs.scan({ path: 'a.js', text: javascript, language: 'javascript' }, defaultGateConfig);
  expect(found.findings).toEqual([
    expect.objectContaining({ rule: 'sonarjs/hashing', cwe: 'CWE-328', line: 2, severity: 'medium' }),
  ]);
  const typescript = 'export const run = (text: string): unknown => eval(text);\n';
  const typed = await sonarjs.scan({ path: 'a.ts', text: typescript, language: 'typescript' }, defaultGateConfig);
  expect(typed.findings.map(({ rule }) => rule)).toEqual(['sonarjs/code-eval']);
});
