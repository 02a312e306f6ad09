import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { defaultGateConfig } from '../config.ts';
import type { RawFinding, SourceFile } from '../finding.ts';
import { cppcheck, cppcheckFindings, flawfinder, flawfinderFindings } from './c-tools.ts';

const fixture = (name: string): string => readFileSync(new URL(`./__fixtures__/${name}`, import.meta.url), 'utf8');
const weak: SourceFile = { path: 'src/weak.c', text: fixture('weak.c'), language: 'c' };
const brief = (findings: readonly RawFinding[]) =>
  findings.map(({ rule, cwe, severity, line }) => [rule, cwe, severity, line]);

// What the two tools of these versions printed for weak.c.
const FLAWFINDER = [
  ['flawfinder/FF1001', 'CWE-120', 'info', 7],
  ['flawfinder/FF1014', 'CWE-120', 'medium', 9],
];
const CPPCHECK = [
  ['cppcheck/arrayIndexOutOfBounds', 'CWE-788', 'high', 8],
  ['cppcheck/getsCalled', 'CWE-477', 'low', 9],
  ['cppcheck/doubleFree', 'CWE-415', 'high', 15],
];

it("reads Flawfinder's SARIF, and only from level 3 on", () => {
  expect(brief(flawfinderFindings(fixture('flawfinder-2.0.19.sarif'))).sort()).toEqual([...FLAWFINDER].sort());
});

it("reads Cppcheck's lines", () => {
  expect(brief(cppcheckFindings(fixture('cppcheck-2.10.txt')))).toEqual(CPPCHECK);
});

it('takes a file that Cppcheck cannot read for not looked at', () => {
  expect(() => cppcheckFindings("1\terror\tsyntaxError\t0\tUnmatched '{'.\n")).toThrow(/cannot read line 1/);
});

const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

it.skipIf(!has('flawfinder'))(
  'runs Flawfinder, and its own comments do not silence it (needs flawfinder)',
  async () => {
    expect(await flawfinder.whyNot()).toBeNull();
    const { findings } = await flawfinder.scan(weak, defaultGateConfig);
    expect(findings.map(({ line }) => line)).toEqual(expect.arrayContaining([7, 9]));
  },
);

it.skipIf(!has('cppcheck'))('runs Cppcheck (needs cppcheck)', async () => {
  expect(await cppcheck.whyNot()).toBeNull();
  const { findings } = await cppcheck.scan(weak, defaultGateConfig);
  expect(findings.map(({ line }) => line)).toEqual(expect.arrayContaining([8, 15]));
  await expect(cppcheck.scan({ ...weak, text: 'int f( {\n' }, defaultGateConfig)).rejects.toThrow(/cannot read/);
});
