import babel from '@babel/eslint-parser';
import sdl from '@microsoft/eslint-plugin-sdl';
import { Linter } from 'eslint';
import noUnsanitized from 'eslint-plugin-no-unsanitized';
import regexp from 'eslint-plugin-regexp';
import security from 'eslint-plugin-security';
import type { GateConfig } from '../config.ts';
import type { RawFinding, SourceFile } from '../finding.ts';
import type { Scanner, ScanOutcome } from './scanner.ts';

type Meaning = readonly [cwe: string | null, severity: RawFinding['severity'], confidence: RawFinding['confidence']];

/**
 * The rules in use and what each means here. Left out on purpose: `security/detect-object-injection` and
 * `security/detect-non-literal-fs-filename`, which object to nearly every index and every file name.
 */
const SECURITY: Readonly<Record<string, Meaning>> = {
  // A guess by counting stars; regexp/no-super-linear-backtracking proves it.
  'security/detect-unsafe-regex': ['CWE-1333', 'info', 'low'],
  'security/detect-non-literal-regexp': ['CWE-1333', 'info', 'low'],
  'security/detect-non-literal-require': ['CWE-95', 'low', 'low'],
  'security/detect-eval-with-expression': ['CWE-95', 'high', 'medium'],
  'security/detect-pseudoRandomBytes': ['CWE-338', 'medium', 'high'],
  // Objects to any comparison with a name such as `token`; the pack's own rules look at what is compared.
  'security/detect-possible-timing-attacks': ['CWE-208', 'info', 'low'],
  'security/detect-no-csrf-before-method-override': ['CWE-352', 'medium', 'medium'],
  'security/detect-buffer-noassert': ['CWE-125', 'medium', 'medium'],
  'security/detect-child-process': ['CWE-78', 'low', 'low'],
  'security/detect-disable-mustache-escape': ['CWE-79', 'medium', 'medium'],
  'security/detect-new-buffer': ['CWE-908', 'low', 'medium'],
  'security/detect-bidi-characters': ['CWE-1007', 'high', 'high'],
  'no-implied-eval': ['CWE-95', 'medium', 'medium'],
  'no-new-func': ['CWE-95', 'medium', 'medium'],
  'no-script-url': ['CWE-79', 'low', 'medium'],
  '@microsoft/sdl/no-angular-bypass-sanitizer': ['CWE-79', 'medium', 'medium'],
  '@microsoft/sdl/no-document-domain': ['CWE-346', 'medium', 'high'],
  '@microsoft/sdl/no-document-write': ['CWE-79', 'low', 'medium'],
  '@microsoft/sdl/no-html-method': ['CWE-79', 'low', 'low'],
  '@microsoft/sdl/no-postmessage-star-origin': ['CWE-346', 'medium', 'medium'],
  '@microsoft/sdl/no-electron-node-integration': ['CWE-1188', 'high', 'high'],
  '@microsoft/sdl/no-unsafe-alloc': ['CWE-908', 'low', 'high'],
  'no-unsanitized/method': ['CWE-79', 'medium', 'medium'],
  'no-unsanitized/property': ['CWE-79', 'medium', 'medium'],
  // Medium where the time is exponential, see below; a polynomial needs a long text.
  'regexp/no-super-linear-backtracking': ['CWE-1333', 'low', 'medium'],
};

const BUGS: readonly string[] = [
  'no-dupe-keys',
  'no-unreachable',
  'no-self-compare',
  'no-constant-condition',
  'use-isnan',
  'no-dupe-else-if',
];

/** Rules about how tangled code is; their findings are quality. */
function qualityRules(config: GateConfig): Linter.RulesRecord {
  const { cyclomatic, depth, parameters } = config.complexity;
  return {
    complexity: ['error', { max: cyclomatic }],
    'max-depth': ['error', { max: depth }],
    'max-params': ['error', { max: parameters }],
    ...Object.fromEntries(BUGS.map((rule) => [rule, 'error' as const])),
  };
}

const plugins = { security, '@microsoft/sdl': sdl, 'no-unsanitized': noUnsanitized, regexp } as unknown as Record<
  string,
  never
>;

/** Dialects a file may be written in. Decorators come in two kinds; only the older one stands before parameters. */
interface Dialect {
  readonly sourceType: 'module' | 'commonjs';
  readonly decorators: 'decorators' | 'decorators-legacy';
}

/** Dialects in the order they are tried: the first that parses is the file's. */
function dialectsOf({ text }: SourceFile): Dialect[] {
  const kinds: Dialect['decorators'][] = /[(,]\s*@[A-Za-z_$]/.test(text)
    ? ['decorators-legacy', 'decorators']
    : ['decorators'];
  return [
    ...kinds.map((decorators) => ({ sourceType: 'module' as const, decorators })),
    { sourceType: 'commonjs', decorators: kinds[0]! },
  ];
}

function configFor(file: SourceFile, dialect: Dialect, rules: Linter.RulesRecord): Linter.Config {
  const typescript = file.language === 'typescript' || file.language === 'tsx';
  const flow = !typescript && /^\s*(\/\/|\/?\*+)\s*@flow\b/m.test(file.text.slice(0, 2000));
  const syntax = [
    ...(typescript ? [['typescript', { dts: file.path.endsWith('.d.ts') }]] : []),
    ...(flow ? ['flow'] : []),
    ...(file.language === 'typescript' ? [] : ['jsx']),
    dialect.decorators,
  ];
  const { sourceType } = dialect;
  return {
    plugins,
    files: ['**/*.{js,mjs,cjs,jsx,ts,mts,cts,tsx}'],
    languageOptions: {
      ecmaVersion: 'latest',
      sourceType,
      // Plugins look these up in the scope; a module has them too where a bundler or loader gives them.
      globals: {
        __dirname: 'readonly',
        __filename: 'readonly',
        require: 'readonly',
        module: 'readonly',
        process: 'readonly',
      },
      parser: babel as unknown as Linter.Parser,
      parserOptions: {
        requireConfigFile: false,
        babelOptions: {
          babelrc: false,
          configFile: false,
          browserslistConfigFile: false,
          parserOpts: { plugins: syntax, allowReturnOutsideFunction: true },
        },
      },
    },
    linterOptions: { reportUnusedDisableDirectives: 'off', reportUnusedInlineConfigs: 'off' },
    rules,
  };
}

/** Part of ESLint's API since 8.8, missing in its types. */
interface SuppressionReader {
  getSuppressedMessages(): Linter.SuppressedLintMessage[];
}

const linter = new Linter({ configType: 'flat' });

/** Comments that change the configuration (`/* eslint rule: off *\/`) lose their effect; `eslint-disable` keeps its own. */
function withoutInlineConfig(text: string): string {
  return text.replace(/(\/\*\s*)eslint(\s)/g, '$1esl-nt$2').replace(/(\/\*\s*)eslint-env/g, '$1esl-nt-env');
}

/** Lints one file under the given rules. */
export function lint(
  file: SourceFile,
  rules: Linter.RulesRecord,
  extra: Record<string, never> = {},
): { messages: Linter.LintMessage[]; suppressed: Linter.SuppressedLintMessage[] } {
  const text = withoutInlineConfig(file.text);
  let first: Linter.LintMessage[] | null = null;
  for (const dialect of dialectsOf(file)) {
    const config = configFor(file, dialect, rules);
    const messages = linter.verify(text, [{ ...config, plugins: { ...config.plugins, ...extra } }], {
      filename: file.path.split('/').at(-1)!,
    });
    if (!messages.some((message) => message.fatal))
      return { messages, suppressed: (linter as unknown as SuppressionReader).getSuppressedMessages() };
    first ??= messages;
  }
  return { messages: first!, suppressed: [] };
}

function meaningOf(message: Linter.LintMessage): RawFinding {
  const rule = message.ruleId ?? 'parse';
  const [cwe, severity, confidence] = SECURITY[rule] ?? [null, 'low', 'high'];
  const exponential = rule === 'regexp/no-super-linear-backtracking' && /exponential/.test(message.message);
  const strong = rule === 'security/detect-child-process' && /non Literal/.test(message.message);
  return {
    kind: rule in SECURITY ? 'security' : 'quality',
    rule: `eslint/${rule}`,
    cwe,
    severity: strong || exponential ? 'medium' : /^Unsafe call to import/.test(message.message) ? 'info' : severity,
    confidence,
    line: message.line,
    endLine: message.endLine ?? message.line,
    column: message.column - 1,
    message: message.message,
  };
}

function outcome(file: SourceFile, config: GateConfig): ScanOutcome {
  const rules: Linter.RulesRecord = {
    ...Object.fromEntries(Object.keys(SECURITY).map((rule) => [rule, 'error' as const])),
    ...qualityRules(config),
  };
  const { messages, suppressed } = lint(file, rules);
  const fatal = messages.find((message) => message.fatal);
  if (fatal) {
    return {
      findings: [],
      syntaxError: {
        path: file.path,
        line: fatal.line || 1,
        message: fatal.message.replace(/^Parsing error:\s*(\/\S+:\s*)?/, '').split('\n')[0]!,
      },
    };
  }
  const unexpected = messages.find((message) => message.ruleId === null);
  if (unexpected) throw new Error(unexpected.message);
  return {
    findings: messages.map(meaningOf),
    suppressed: suppressed.map((message) => ({
      finding: meaningOf(message),
      by: 'eslint-disable' as const,
      reason: message.suppressions[0]?.justification || null,
    })),
  };
}

/** ESLint with its security plugins, and the measures of complexity it brings. */
export const eslint: Scanner = {
  name: 'eslint',
  languages: ['javascript', 'typescript', 'tsx'],
  looksFor: 'weaknesses ESLint and its security plugins know',
  whyNot: async () => null,
  scan: async (file, config) => outcome(file, config),
};
