import { createRequire } from 'node:module';
import type { Diagnostic, Workspace } from '@astral-sh/ruff-wasm-nodejs';
import type { GateConfig } from '../config.ts';
import type { RawFinding } from '../finding.ts';
import { withNoqaHidden } from '../suppressions.ts';
import type { Scanner } from './scanner.ts';

const CWE: Readonly<Record<string, string>> = {
  S102: 'CWE-95',
  S103: 'CWE-732',
  S104: 'CWE-605',
  S105: 'CWE-259',
  S106: 'CWE-259',
  S107: 'CWE-259',
  S108: 'CWE-377',
  S110: 'CWE-703',
  S112: 'CWE-703',
  S113: 'CWE-400',
  S201: 'CWE-94',
  S202: 'CWE-22',
  S301: 'CWE-502',
  S302: 'CWE-502',
  S303: 'CWE-327',
  S304: 'CWE-327',
  S305: 'CWE-327',
  S306: 'CWE-377',
  S307: 'CWE-95',
  S308: 'CWE-79',
  S310: 'CWE-22',
  S311: 'CWE-330',
  S312: 'CWE-319',
  S323: 'CWE-295',
  S324: 'CWE-327',
  S501: 'CWE-295',
  S502: 'CWE-327',
  S503: 'CWE-327',
  S504: 'CWE-327',
  S505: 'CWE-326',
  S506: 'CWE-20',
  S507: 'CWE-295',
  S508: 'CWE-319',
  S509: 'CWE-319',
  S602: 'CWE-78',
  S604: 'CWE-78',
  S605: 'CWE-78',
  S606: 'CWE-78',
  S608: 'CWE-89',
  S609: 'CWE-155',
  S610: 'CWE-89',
  S611: 'CWE-89',
  S612: 'CWE-94',
  S701: 'CWE-94',
  S702: 'CWE-79',
  S704: 'CWE-79',
};

const HIGH = new Set([
  'S102',
  'S202',
  'S301',
  'S302',
  'S501',
  'S502',
  'S506',
  'S507',
  'S602',
  'S605',
  'S611',
  'S701',
  'S323',
  'S324',
  'S304',
  'S305',
  'S505',
]);
/** True often, of little weight alone: temporary paths, words that look like passwords. */
const LOW = new Set(['S104', 'S108', 'S105', 'S106', 'S107', 'S608']);
/** Reminders to look, whatever the code does: any `random`, any `urlopen`, any process. */
const INFO = new Set(['S310', 'S311', 'S606']);
/** About robustness: swallowed exceptions, requests without a time limit. */
const QUALITY = new Set(['S110', 'S112', 'S113']);

let workspace: { ruff: Workspace; forComplexity: number } | null = null;

function ruff(config: GateConfig): Workspace {
  const { cyclomatic, parameters } = config.complexity;
  const key = cyclomatic * 1000 + parameters;
  if (workspace?.forComplexity === key) return workspace.ruff;
  const require = createRequire(import.meta.url);
  const { Workspace: Constructor, PositionEncoding } =
    require('@astral-sh/ruff-wasm-nodejs') as typeof import('@astral-sh/ruff-wasm-nodejs');
  workspace = {
    forComplexity: key,
    ruff: new Constructor(
      {
        lint: {
          select: ['S', 'C901', 'PLR0912', 'PLR0913', 'PLR0915'],
          ignore: ['S101', 'S403', 'S404', 'S603', 'S607'],
          mccabe: { 'max-complexity': cyclomatic },
          pylint: { 'max-args': parameters },
        },
      },
      PositionEncoding.Utf16,
    ),
  };
  return workspace.ruff;
}

function meaningOf(diagnostic: Diagnostic): RawFinding {
  const code = diagnostic.code ?? 'syntax';
  const security = code.startsWith('S') && !QUALITY.has(code);
  return {
    kind: security ? 'security' : 'quality',
    rule: `ruff/${code}`,
    cwe: CWE[code] ?? null,
    severity: !security ? 'low' : HIGH.has(code) ? 'high' : LOW.has(code) ? 'low' : INFO.has(code) ? 'info' : 'medium',
    confidence: LOW.has(code) || INFO.has(code) ? 'low' : 'medium',
    line: diagnostic.start_location.row,
    endLine: diagnostic.end_location.row,
    column: diagnostic.start_location.column - 1,
    message: diagnostic.message,
  };
}

/** Ruff's port of Bandit (without the rules that object to every assert and import), McCabe and Pylint's size rules. */
export const ruffScanner: Scanner = {
  name: 'ruff',
  languages: ['python'],
  looksFor: "weaknesses Ruff's S rules know",
  whyNot: async () => null,
  async scan(file, config) {
    const diagnostics = ruff(config).check(withNoqaHidden(file.text)) as Diagnostic[];
    const syntax = diagnostics.find((diagnostic) => diagnostic.code === null || diagnostic.code === 'invalid-syntax');
    if (syntax) {
      return {
        findings: [],
        syntaxError: {
          path: file.path,
          line: syntax.start_location.row,
          message: syntax.message.replace(/^SyntaxError:\s*/, ''),
        },
      };
    }
    return { findings: diagnostics.map(meaningOf) };
  },
};
