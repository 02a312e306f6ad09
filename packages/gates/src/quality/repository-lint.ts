import type { Limits, NotLookedFor, Tree, Workspace } from '@lathe/protocol';
import { type GateConfig, severityUnder } from '../config.ts';
import type { PlacedFinding } from '../finding.ts';
import { languageOf } from '../language.ts';

interface Message {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly text: string;
}

interface Linter {
  readonly name: string;
  /** Configuration files whose presence means that the repository lints itself with it. */
  readonly config: RegExp;
  /** Or the name of a table in pyproject.toml, or of a key in package.json. */
  readonly section?: { readonly path: string; readonly text: RegExp };
  readonly languages: readonly string[];
  command(paths: readonly string[]): string;
  messagesIn(json: unknown): Message[];
}

type EslintFile = { filePath: string; messages: { ruleId: string | null; line?: number; message: string }[] };
type BiomeReport = {
  diagnostics: {
    category?: string;
    message?: unknown;
    description?: string;
    location?: { path?: string | { file?: string }; start?: { line?: number } };
  }[];
};
type RuffMessage = { filename: string; code: string | null; message: string; location: { row: number } };

const LINTERS: readonly Linter[] = [
  {
    name: 'eslint',
    config: /^(eslint\.config\.[cm]?[jt]s|\.eslintrc(\.(js|cjs|json|ya?ml))?)$/,
    section: { path: 'package.json', text: /"eslintConfig"\s*:/ },
    languages: ['javascript', 'typescript', 'tsx'],
    command: (paths) => `./node_modules/.bin/eslint --format json --no-warn-ignored ${paths.join(' ')}`,
    messagesIn: (json) =>
      (json as EslintFile[]).flatMap((file) =>
        file.messages.map((one) => ({
          path: file.filePath,
          line: one.line ?? 1,
          rule: one.ruleId ?? 'parse',
          text: one.message,
        })),
      ),
  },
  {
    name: 'biome',
    config: /^biome\.jsonc?$/,
    languages: ['javascript', 'typescript', 'tsx'],
    command: (paths) =>
      `./node_modules/.bin/biome lint --reporter=json --max-diagnostics=none --no-errors-on-unmatched ${paths.join(' ')}`,
    messagesIn: (json) =>
      (json as BiomeReport).diagnostics.map((one) => {
        const path = one.location?.path;
        return {
          path: (typeof path === 'string' ? path : path?.file) ?? '',
          line: one.location?.start?.line ?? 1,
          rule: one.category?.replace(/^lint\//, '') ?? 'lint',
          text: one.description ?? (typeof one.message === 'string' ? one.message : ''),
        };
      }),
  },
  {
    name: 'ruff',
    config: /^\.?ruff\.toml$/,
    section: { path: 'pyproject.toml', text: /^\[tool\.ruff/m },
    languages: ['python'],
    command: (paths) => `ruff check --output-format json --no-cache ${paths.join(' ')}`,
    messagesIn: (json) =>
      (json as RuffMessage[]).map((one) => ({
        path: one.filename,
        line: one.location.row,
        rule: one.code ?? 'syntax',
        text: one.message,
      })),
  },
];

const LIMITS: Limits = {
  timeMs: 60_000,
  memoryBytes: 2 * 2 ** 30,
  processes: 64,
  outputBytes: 8 * 2 ** 20,
  diskBytes: 64 * 2 ** 20,
};

/** The linters the base configures, by its root. A candidate cannot bring one of its own. */
export async function configuredLinters(base: Tree): Promise<readonly Linter[]> {
  const root = (await base.list()).filter((path) => !path.includes('/'));
  const found: Linter[] = [];
  for (const linter of LINTERS) {
    const section = linter.section && root.includes(linter.section.path) ? await base.read(linter.section.path) : null;
    const named = section !== null && linter.section!.text.test(Buffer.from(section).toString('utf8'));
    if (named || root.some((path) => linter.config.test(path))) found.push(linter);
  }
  return found;
}

export interface LintRun {
  readonly findings: readonly PlacedFinding[];
  readonly notLookedFor: readonly NotLookedFor[];
}

/**
 * The repository's own linters over some of its files, in an isolated copy: their configuration and plugins are code of
 * the repository. Only output that is complete JSON counts; anything else is said.
 */
export async function lintFiles(
  linters: readonly Linter[],
  paths: readonly string[],
  workspace: Pick<Workspace, 'run'>,
  config: GateConfig,
  signal: AbortSignal,
): Promise<LintRun> {
  const findings: PlacedFinding[] = [];
  const notLookedFor: NotLookedFor[] = [];
  for (const linter of linters) {
    const own = paths.filter((path) => linter.languages.includes(languageOf(path)));
    if (own.length === 0) continue;
    try {
      const json = await printedBy(linter.command(own.map(quoted)), workspace, signal);
      for (const { path, line, rule, text } of linter.messagesIn(JSON.parse(json))) {
        const file = own.find((one) => path === one || path.endsWith(`/${one}`));
        const severity = severityUnder(config, `lint/${linter.name}/${rule}`, 'low');
        if (!file || severity === null) continue;
        findings.push({
          kind: 'quality',
          rule: `lint/${linter.name}/${rule}`,
          cwe: null,
          severity,
          confidence: 'high',
          path: file,
          line: Math.max(1, line),
          endLine: Math.max(1, line),
          message: text || rule,
          evidence: text,
          symbol: null,
          scanner: 'lint',
        });
      }
    } catch (error) {
      notLookedFor.push({
        what: `what the repository's own ${linter.name} finds`,
        why: `it gave no readable answer (${error instanceof Error ? error.message : String(error)})`,
      });
    }
  }
  return { findings, notLookedFor };
}

/** What a command's result can hold of its output, as base64. */
const SLICE_BYTES = 11_000;
const MOST_BYTES = 1_000_000;
const OUTPUT = '.lathe-lint';

/** All that a command prints: into a file of the copy, and from there in slices, because results hold only the end. */
async function printedBy(command: string, workspace: Pick<Workspace, 'run'>, signal: AbortSignal): Promise<string> {
  const run = (line: string) => workspace.run(line, { limits: LIMITS, signal });
  const result = await run(`${command} 2>/dev/null >${OUTPUT}; echo; echo LATHE-LINT-BYTES $(wc -c <${OUTPUT})`);
  const bytes = Number(/LATHE-LINT-BYTES (\d+)\s*$/.exec(result.outputTail)?.[1]);
  if (result.ending !== 'exited') throw new Error(result.ending);
  if (!(bytes > 0)) throw new Error('it printed nothing');
  if (bytes > MOST_BYTES) throw new Error(`it printed ${bytes} bytes, more than ${MOST_BYTES}`);
  const slices: Buffer[] = [];
  for (let at = 0; at * SLICE_BYTES < bytes; at++) {
    const slice = await run(`dd if=${OUTPUT} bs=${SLICE_BYTES} skip=${at} count=1 2>/dev/null | base64`);
    slices.push(Buffer.from(slice.outputTail, 'base64'));
  }
  await run(`rm -f ${OUTPUT}`);
  return Buffer.concat(slices).toString('utf8');
}

function quoted(path: string): string {
  return `'./${path.replaceAll("'", "'\\''")}'`;
}
