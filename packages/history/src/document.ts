import { z } from 'zod';

const Operations = z.object({
  added: z.int(),
  deleted: z.int(),
  moved: z.int(),
  updated: z.int(),
  findReplaced: z.int(),
  copyPasted: z.int(),
  /** Files of which a commit changed white space alone. */
  noop: z.int(),
});

const Churn = z.object({
  windowDays: z.number(),
  /** Lines old enough for the whole window to have passed. */
  changed: z.int(),
  /** Those of them that were taken out or substantially rewritten within the window. */
  churned: z.int(),
  rate: z.number(),
  low: z.number(),
  high: z.number(),
});

/** What `lathe audit --json` prints: the contract, version 1. Days are whole, dates ISO, rates with 95 % intervals. */
export const AuditDocument = z.object({
  schemaVersion: z.literal(1),
  repository: z.string(),
  head: z.string(),
  walk: z.enum(['all', 'first-parent']),
  shallow: z.boolean(),
  since: z.string().nullable(),
  commits: z.int(),
  /** Counted lines at HEAD. */
  lines: z.int(),
  operations: Operations,
  /** Blocks of five lines and more that a commit put in at more than one place. */
  duplicateBlocks: z.int(),
  churn: Churn,
  months: z.array(
    z.object({ month: z.string(), commits: z.int(), operations: Operations, duplicateBlocks: z.int(), churn: Churn }),
  ),
  survival: z.array(
    z.object({
      /** `all`, or a dimension and its value: `origin:assistant-made`, `month:2024-03`, `language:Python`. */
      group: z.string(),
      days: z.int(),
      /** Lines watched at least this long. */
      atRisk: z.int(),
      surviving: z.number(),
      low: z.number(),
      high: z.number(),
    }),
  ),
  /** Whole curves of the groups the report draws. */
  curves: z.array(
    z.object({
      group: z.string(),
      lines: z.int(),
      points: z.array(
        z.object({ days: z.int(), atRisk: z.int(), surviving: z.number(), low: z.number(), high: z.number() }),
      ),
    }),
  ),
  comparisons: z.array(z.object({ groups: z.tuple([z.string(), z.string()]), chiSquared: z.number(), p: z.number() })),
  directories: z.array(
    z.object({
      directory: z.string(),
      lines: z.int(),
      changed: z.int(),
      churned: z.int(),
      rate: z.number(),
      low: z.number(),
      high: z.number(),
    }),
  ),
  /** The commits behind the churn: those whose lines were soonest thrown away, most lines first. */
  churnedCommits: z.array(z.object({ commit: z.string(), month: z.string(), changed: z.int(), churned: z.int() })),
  findings: z.array(z.unknown()),
  notFollowed: z.object({
    binaryFiles: z.int(),
    misfitFiles: z.int(),
    lostInMerges: z.int(),
    repairedDates: z.int(),
    /** What this audit does not look at, in words. */
    notes: z.array(z.string()),
  }),
});
export type AuditDocument = z.infer<typeof AuditDocument>;
