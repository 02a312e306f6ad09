import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Ajv from 'ajv';
import { expect, it } from 'vitest';
import { toSarif } from './sarif.ts';

const require = createRequire(import.meta.url);
const draft04 = require('ajv/lib/refs/json-schema-draft-04.json') as object;
const schema = JSON.parse(
  readFileSync(
    require.resolve('@microsoft/jest-sarif/package.json').replace('package.json', 'lib/schemas/sarif-2.1.0-rtm.5.json'),
    'utf8',
  ),
);

function validator(): Ajv.ValidateFunction {
  const ajv = new Ajv({ schemaId: 'auto', unknownFormats: 'ignore', meta: false });
  ajv.addMetaSchema(draft04);
  return ajv.compile(schema);
}

it('is a SARIF 2.1.0 log by the published schema', () => {
  const log = toSarif(
    [
      {
        kind: 'security',
        rule: 'lathe/sql-from-text',
        cwe: 'CWE-89',
        severity: 'high',
        confidence: 'high',
        path: 'src/a b.js',
        line: 3,
        message: 'SQL',
        evidence: 'db.query(x)',
        help: 'Parameters',
      },
      {
        kind: 'quality',
        rule: 'lathe/duplicate-block',
        cwe: null,
        severity: 'low',
        confidence: 'high',
        path: 'b.js',
        line: 1,
        message: '7 lines',
      },
    ],
    {
      version: '0.1.0',
      notLookedFor: [{ what: 'C', why: 'no compiler' }],
      revision: 'abc',
      repositoryUri: 'https://example.org/r',
    },
  );
  const validate = validator();
  expect(validate(log), JSON.stringify(validate.errors)).toBe(true);
  expect(log.runs[0]!.results!.map(({ level, ruleIndex }) => [level, ruleIndex])).toEqual([
    ['error', 0],
    ['note', 1],
  ]);
  expect(log.runs[0]!.results![0]!.locations![0]!.physicalLocation!.artifactLocation!.uri).toBe('src/a%20b.js');
});

it('is valid for no findings at all', () => {
  const validate = validator();
  expect(validate(toSarif([], { version: '0.1.0' }))).toBe(true);
});
