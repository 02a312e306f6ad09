import { LatheError, Severity, type Tree } from '@lathe/protocol';
import { parse } from 'yaml';
import { z } from 'zod';

/** Where a repository says how it wants to be judged. Read from the base, never from a candidate. */
export const CONFIG_PATH = '.lathe/gates.yml';

/**
 * `off` leaves a rule out, `on` keeps its own severity, a severity replaces it. Keys are rule names
 * (`lathe/sql-from-text`) or prefixes that end in `*` (`eslint/*`); the longest matching key decides.
 */
const RuleSetting = z.union([z.enum(['off', 'on']), Severity]);

export const GateConfig = z.strictObject({
  rules: z.record(z.string(), RuleSetting).default({}),
  /** Globs of files nobody looks at, besides dependencies, minified files and files over `maxFileBytes`. */
  ignore: z.array(z.string()).default([]),
  /** A candidate with a new finding of this severity or worse is not checked at all; null: findings only rank. */
  rejectAt: Severity.nullable().default(null),
  /** Time for one scanner on one batch of files. */
  scanTimeoutMs: z.int().positive().default(20_000),
  maxFileBytes: z.int().positive().default(1_000_000),
  /** Scanner processes. */
  workers: z.int().min(1).max(16).default(2),
  complexity: z
    .strictObject({
      cyclomatic: z.int().positive().default(15),
      cognitive: z.int().positive().default(20),
      depth: z.int().positive().default(5),
      parameters: z.int().positive().default(6),
    })
    .prefault({}),
  duplication: z.strictObject({ minimumLines: z.int().min(3).default(5) }).prefault({}),
});
export type GateConfig = z.infer<typeof GateConfig>;

export const defaultGateConfig: GateConfig = GateConfig.parse({});

/** The repository's own settings, or the defaults where it has none. */
export async function readGateConfig(tree: Tree): Promise<GateConfig> {
  const content = await tree.read(CONFIG_PATH);
  if (content === null) return defaultGateConfig;
  let value: unknown;
  try {
    value = parse(Buffer.from(content).toString('utf8')) ?? {};
  } catch (error) {
    throw invalid(error instanceof Error ? error.message.split('\n')[0]! : String(error), error);
  }
  const parsed = GateConfig.safeParse(value);
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error), parsed.error);
  return parsed.data;
}

function invalid(why: string, cause: unknown): LatheError {
  return new LatheError('LATHE_USAGE_GATE_CONFIG', `${CONFIG_PATH}: ${why}`, {
    remedy: `Correct ${CONFIG_PATH}; docs/gates.md shows every key.`,
    cause,
  });
}

/** What the configuration makes of a rule: its severity, or null where it is off. */
export function severityUnder(config: GateConfig, rule: string, own: Severity): Severity | null {
  let best = '';
  let setting: z.infer<typeof RuleSetting> = 'on';
  for (const [key, value] of Object.entries(config.rules)) {
    const matches = key.endsWith('*') ? rule.startsWith(key.slice(0, -1)) : rule === key;
    if (matches && key.length > best.length) {
      best = key;
      setting = value;
    }
  }
  if (setting === 'off') return null;
  return setting === 'on' ? own : setting;
}

const ORDER: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];

/** Whether `severity` is `threshold` or worse. */
export function atLeast(severity: Severity, threshold: Severity): boolean {
  return ORDER.indexOf(severity) >= ORDER.indexOf(threshold);
}
