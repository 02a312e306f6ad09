import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Severity } from '@lathe/protocol';
import { parse } from 'yaml';
import { z } from 'zod';

/** A JavaScript regular expression in which `.` matches line ends; a leading `(?i)` ignores case. */
const Pattern = z.string().transform((source, context) => {
  try {
    const insensitive = source.startsWith('(?i)');
    return new RegExp(insensitive ? source.slice(4) : source, insensitive ? 'is' : 's');
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

/** Key of an argument: a position from 0 or a keyword's name, as text. `*` is any argument. */
const ArgumentPatterns = z.record(z.string(), Pattern);

/** Conditions on the surroundings. `function` is the outermost function around the match, or the file outside of any. */
const Surroundings = z.strictObject({
  functionHas: Pattern.optional(),
  functionLacks: Pattern.optional(),
  fileHas: Pattern.optional(),
  fileLacks: Pattern.optional(),
  /** Leave tests alone: there it is no weakness. */
  outsideTests: z.boolean().optional(),
});

const CallMatch = z.strictObject({
  /** On the callee's text without white space; constructors read `new Name`. */
  call: Pattern,
  /** Every named argument is present and its text, or the constant it stands for, matches. */
  arguments: ArgumentPatterns.optional(),
  /** None of these arguments is present. */
  absent: z.array(z.union([z.string(), z.int()])).optional(),
  /** At least one of these arguments is present and has the same value on every run. */
  constant: z.array(z.union([z.string(), z.int()])).optional(),
  /** At least one of these arguments is present and varies. */
  varying: z.array(z.union([z.string(), z.int()])).optional(),
  count: z.int().optional(),
  /** The result's use: the text of the statement around the call matches. */
  statement: Pattern.optional(),
});

const TreeMatch = z.strictObject({
  /** A rule of ast-grep, https://ast-grep.github.io/reference/rule.html */
  rule: z.record(z.string(), z.unknown()),
  /** Metavariables that must have the same value on every run, or must vary. */
  constant: z.array(z.string()).optional(),
  varying: z.array(z.string()).optional(),
  /** Text of metavariables. */
  where: ArgumentPatterns.optional(),
});

const Sink = z.union([
  z.strictObject({
    call: Pattern,
    argument: z.union([z.string(), z.int()]),
    arguments: ArgumentPatterns.optional(),
    /** Not where these arguments match. */
    lacks: ArgumentPatterns.optional(),
  }),
  /** Assignment whose target's text matches. */
  z.strictObject({ assign: Pattern }),
  /** A node found by ast-grep; the metavariable is the sink. */
  z.strictObject({ rule: z.record(z.string(), z.unknown()), variable: z.string() }),
]);

const Taint = z.strictObject({
  sources: z.strictObject({
    request: z.boolean().optional(),
    except: Pattern.optional(),
    parameters: z.boolean().optional(),
    composed: Pattern.optional(),
    call: Pattern.optional(),
    text: Pattern.optional(),
  }),
  sinks: z.array(Sink).min(1),
  /** Callees that make the data safe for this sink. */
  sanitizers: Pattern.optional(),
  /** Only the text itself counts, not what is looked up with it. */
  textOnly: z.boolean().optional(),
  /** Text put together with a beginning of this form is safe. */
  fixedStart: Pattern.optional(),
});

export const ANALYSES = [
  'home-made-cipher',
  'optional-tag-check',
  'path-containment',
  'prototype-pollution',
  'pointer-to-local',
  'unchecked-allocation',
  'fixed-buffer',
  'use-after-free',
  'unchecked-index',
  'checked-then-opened',
] as const;

export const RuleFile = z
  .strictObject({
    id: z.string().regex(/^[a-z][a-z0-9-]+$/),
    languages: z.array(z.enum(['javascript', 'typescript', 'tsx', 'python', 'c'])).min(1),
    cwe: z.string().regex(/^CWE-\d+$/),
    severity: Severity,
    confidence: z.enum(['low', 'medium', 'high']),
    message: z.string(),
    help: z.string(),
    /** Any of these. */
    match: z.array(z.union([CallMatch, TreeMatch])).optional(),
    taint: Taint.optional(),
    analysis: z.enum(ANALYSES).optional(),
    where: Surroundings.optional(),
    /** Snippets the rule must leave alone, and snippets it must find: its tests. */
    good: z.array(z.string()).min(1),
    bad: z.array(z.string()).min(1),
  })
  .refine((rule) => [rule.match, rule.taint, rule.analysis].filter(Boolean).length === 1, {
    message: 'a rule has exactly one of match, taint and analysis',
  });
export type RuleFile = z.infer<typeof RuleFile>;
export type CallMatch = z.infer<typeof CallMatch>;
export type TreeMatch = z.infer<typeof TreeMatch>;
export type Sink = z.infer<typeof Sink>;

/** Prefix of the pack's rule names in findings: `lathe/sql-from-text`. */
export const RULE_PREFIX = 'lathe/';

export const RULES_FOLDER = fileURLToPath(new URL('../../rules', import.meta.url));

let pack: readonly RuleFile[] | null = null;

/** Every rule of the pack, by folder and name. Throws where a file is not a rule: that is a defect of the pack. */
export function rulePack(): readonly RuleFile[] {
  if (pack) return pack;
  const rules: RuleFile[] = [];
  for (const folder of readdirSync(RULES_FOLDER).sort()) {
    for (const name of readdirSync(join(RULES_FOLDER, folder)).sort()) {
      if (!name.endsWith('.yml')) continue;
      const parsed = RuleFile.safeParse(parse(readFileSync(join(RULES_FOLDER, folder, name), 'utf8')));
      if (!parsed.success) throw new Error(`internal: rules/${folder}/${name}: ${z.prettifyError(parsed.error)}`);
      if (name !== `${parsed.data.id}.yml`)
        throw new Error(`internal: rules/${folder}/${name} holds rule ${parsed.data.id}`);
      rules.push(parsed.data);
    }
  }
  pack = rules;
  return rules;
}
