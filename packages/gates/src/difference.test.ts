import { expect, it } from 'vitest';
import { differenceOfFindings } from './difference.ts';
import type { PlacedFinding } from './finding.ts';

const finding = (over: Partial<PlacedFinding>): PlacedFinding => ({
  kind: 'security',
  rule: 'lathe/x',
  cwe: null,
  severity: 'high',
  confidence: 'high',
  path: 'a.js',
  line: 3,
  endLine: 3,
  message: 'm',
  evidence: 'eval(text)',
  symbol: 'f',
  scanner: 'rules',
  ...over,
});

it('does not call a finding new that moved to another line and was indented', () => {
  expect(differenceOfFindings([finding({})], [finding({ line: 90, evidence: '    eval(text)' })]).added).toEqual([]);
});

it('does not call a finding new that moved to another file with its function', () => {
  expect(differenceOfFindings([finding({})], [finding({ path: 'b.js' })]).added).toEqual([]);
});

it('calls a copy new', () => {
  const copy = finding({ line: 50, symbol: 'g' });
  expect(differenceOfFindings([finding({})], [finding({}), copy]).added).toEqual([copy]);
});

it('pairs the same place first, so that the copy in the other file is the one that is new', () => {
  const copy = finding({ path: 'b.js' });
  expect(differenceOfFindings([finding({})], [copy, finding({ line: 7 })]).added).toEqual([copy]);
});

it('calls other evidence of the same rule new, and says what is gone', () => {
  const other = finding({ evidence: 'eval(body)' });
  expect(differenceOfFindings([finding({})], [other])).toEqual({ added: [other], removed: [finding({})] });
});
