import { z } from 'zod';
import { CheckResult } from './check.ts';
import { Finding, NotLookedFor } from './finding.ts';

/**
 * `passed`: every check passed. `failed`: a check failed. `invalid`: no usable edit, or nothing left after forbidden
 * changes were reverted. `timed-out`: making or checking it ran past its limit. `error`: it could not be made.
 */
export const CandidateStatus = z.enum(['passed', 'failed', 'invalid', 'timed-out', 'error']);
export type CandidateStatus = z.infer<typeof CandidateStatus>;

export const TokenCount = z.object({ prompt: z.int().min(0), completion: z.int().min(0) });
export type TokenCount = z.infer<typeof TokenCount>;

export const DiffSize = z.object({
  files: z.int().min(0),
  added: z.int().min(0),
  deleted: z.int().min(0),
});
export type DiffSize = z.infer<typeof DiffSize>;

/** One candidate as `lathe make --json` shows it and as the store can rebuild it from events. */
export const Candidate = z.object({
  /** `c1`, `c2`, … : unique in its run, the index plus one. */
  id: z.string(),
  /** Position in the run, from 0; with the run's seed it fixes the candidate's random numbers. */
  index: z.int().min(0),
  model: z.string(),
  status: CandidateStatus,
  /** Why, in words, where the status is not `passed`. */
  reason: z.string().nullable(),
  checks: z.array(CheckResult),
  /** Name of the group of candidates that are the same code after normalising; null where there is no usable edit. */
  behaviour: z.string().nullable(),
  findings: z.array(Finding),
  notLookedFor: z.array(NotLookedFor),
  /** What gates measured, by name; absent: nothing. */
  signals: z.record(z.string(), z.number()).optional(),
  diff: DiffSize,
  /** Paths whose changes were taken back because the task does not allow them. */
  reverted: z.array(z.string()),
  tokens: TokenCount,
  costUsd: z.number().min(0),
  durationMs: z.number().min(0),
  seed: z.int(),
  /** Mean log-probability (nats) a token under the maker's model, null where the maker does not tell. */
  meanLogProbability: z.number().nullable(),
  /** The commit that holds the candidate: `refs/lathe/<run>/<index>`; null where there was nothing to commit. */
  ref: z.string().nullable(),
});
export type Candidate = z.infer<typeof Candidate>;
