import { z } from 'zod';
import { Candidate, TokenCount } from './candidate.ts';
import { BaseCheck } from './check.ts';
import { RankingEntry } from './event.ts';

/** A rate with its interval (95 %). */
export const Rate = z.object({ value: z.number(), low: z.number(), high: z.number() });
export type Rate = z.infer<typeof Rate>;

export const RunStatistics = z.object({
  n: z.int(),
  passed: z.int(),
  /** Groups of equal code among the usable candidates. */
  distinct: z.int(),
  duplicates: z.int(),
  /** Those of the duplicates whose answer is an earlier one's letter for letter; the others differ in spelling alone. */
  identical: z.int(),
  /** Unbiased pass@k by k, for every k up to n. Empty where candidates were not drawn independently (`distinct` above 0). */
  passAt: z.record(z.string(), Rate),
});
export type RunStatistics = z.infer<typeof RunStatistics>;

/** What `lathe make --json` and `lathe show --json` print: the contract, version 1. */
export const RunDocument = z.object({
  schemaVersion: z.literal(1),
  runId: z.string(),
  baseCommit: z.string(),
  baseChecks: z.array(BaseCheck),
  candidates: z.array(Candidate),
  ranking: z.array(RankingEntry),
  /** Id of the first in the ranking that passed, or null. */
  best: z.string().nullable(),
  /** Id of the kept candidate, or null. */
  kept: z.string().nullable(),
  statistics: RunStatistics,
  totals: z.object({
    tokens: TokenCount,
    costUsd: z.number(),
    durationMs: z.number(),
    makeMs: z.number(),
    checkMs: z.number(),
  }),
});
export type RunDocument = z.infer<typeof RunDocument>;
